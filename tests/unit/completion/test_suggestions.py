"""Completion of SQL: positions in real statements, and what comes first, too and never."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from md_magic.catalog.snapshot import Column, Snapshot, Table
from md_magic.completion import suggestions
from md_magic.completion.suggestions import Surroundings
from md_magic.session.session import Session
from md_magic.sql import quoting

CORPUS = Path(__file__).with_name("corpus")

SETUP = r'''
CREATE TABLE orders (order_id BIGINT PRIMARY KEY, customer_id BIGINT, amount DECIMAL(18,2), placed_at TIMESTAMP);
CREATE TABLE customers (customer_id BIGINT, email VARCHAR);
CREATE VIEW orders_view AS SELECT order_id, amount * 2 AS total FROM orders;
CREATE TABLE events (happened TIMESTAMP, place STRUCT(city VARCHAR, zip STRUCT(code INTEGER, region VARCHAR)));
CREATE TABLE "my table" ("my col" INT, "select" INT, plain INT, "say ""hi""" INT, "we.ird" INT);
CREATE TABLE "group" (id INT);
CREATE TABLE Mixed (MixedCase INT);
CREATE TABLE straße (größe INT);
CREATE TABLE "日本" ("名前" INT);
CREATE TABLE "dot.ted" (inside INT);
CREATE SCHEMA sales;
CREATE TABLE sales.items (item_id INT, label VARCHAR);
ATTACH ':memory:' AS other;
CREATE TABLE other.far (distance INT);
CREATE SCHEMA other.deep;
CREATE TABLE other.deep.well (depth INT);
CREATE MACRO my_macro(a, b) AS a + b;
CREATE TEMP TABLE scratch (note VARCHAR);
'''


@dataclass
class Case:
    title: str
    text: str = ""
    cursor: int = 0
    first: list = field(default_factory=list)
    has: list = field(default_factory=list)
    never: list = field(default_factory=list)
    nothing: bool = False


def cases():
    for file in sorted(CORPUS.glob("*.txt")):
        case = None
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("== "):
                case = Case(line[3:])
                yield pytest.param(case, id=f"{file.stem}: {case.title}")
            elif case is None or not line:
                continue
            elif line == "nothing":
                case.nothing = True
            elif line.startswith(("first: ", "has: ", "not: ")):
                kind, _, values = line.partition(": ")
                getattr(case, {"not": "never"}.get(kind, kind)).extend(values.split(", "))
            else:
                for written, meant in (
                    ("\\r", "\r"),
                    ("\\n", "\n"),
                    ("\\t", "\t"),
                    ("\\0", "\0"),
                    ("\\u00a0", "\u00a0"),
                ):
                    line = line.replace(written, meant)  # noqa: PLW2901
                case.cursor = line.index("|")
                case.text = line.replace("|", "")


@pytest.fixture(scope="module")
def around():
    session = Session(notify=print)
    for _ in session.run(SETUP, {}):
        pass
    for _ in range(100):
        names = session.names()
        if names.functions and names.find(("scratch",)):
            break
        time.sleep(0.02)
    yield Surroundings(
        names=names,
        frames={"people": [Column("name"), Column("age")], "points": [Column("x"), Column("y")]},
        values=("limit_", "threshold"),
    )
    session.close_all()


def test_the_corpus_is_large():
    assert len(list(cases())) >= 150


@pytest.mark.parametrize("case", list(cases()))
def test_what_is_suggested(case, around):
    suggested = suggestions.sql(case.text, case.cursor, around)
    texts = [one.text for one in suggested.suggestions]
    assert case.text[: case.cursor].endswith(suggested.fragment)
    assert len(texts) <= suggestions.MOST
    if case.nothing:
        assert texts == []
    assert texts[: len(case.first)] == case.first
    assert [text for text in case.has if text not in texts] == []
    assert [text for text in case.never if text in texts] == []


@pytest.mark.parametrize("case", list(cases()))
def test_every_position_of_the_corpus_is_answered(case, around):
    for cursor in range(0, len(case.text) + 1, 3):
        suggestions.sql(case.text, cursor, around)


@pytest.mark.parametrize(
    ("dialect", "name", "written"),
    [
        ("duckdb", "binary", '"binary"'),
        ("duckdb", "index", "index"),
        ("sqlite", "index", '"index"'),
        ("sqlite", "values", '"values"'),
        ("sqlite", "pivot", "pivot"),
        ("mysql", "rank", "`rank`"),
        ("mysql", "groups", "`groups`"),
        ("mariadb", "groups", "groups"),
        ("postgresql", "user", '"user"'),
        ("postgresql", "Mixed", '"Mixed"'),
    ],
)
def test_a_name_is_quoted_as_its_database_needs_it(dialect, name, written):
    table = Table(name, "s")
    names = Snapshot(
        tables=(table,),
        path=(("", "s"),),
        quoting=quoting.of(dialect),
        columns_of=lambda _: (Column(name),),
    )
    around = Surroundings(names=names)
    for text in (f"SELECT * FROM {name[:3]}", f"SELECT {name[:3]}"):
        source = text if "FROM" in text else f"{text} FROM {written.replace('`', '')}"
        suggested = suggestions.sql(source, len(text), around)
        assert written in [one.text for one in suggested.suggestions]
