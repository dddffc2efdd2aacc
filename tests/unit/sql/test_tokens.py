"""The tokenizer: offsets in characters, odd blanks as DuckDB's parser sees them, and texts that end too early."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import md_magic
from md_magic.sql import parser
from md_magic.sql import tokens as tokens_module
from md_magic.sql.tokens import ODD_BLANKS, Tail, head, scan, semicolons, tokens, word_end

LOOK_BLANK = sorted(
    {chr(code) for code in range(128, 0x10000) if unicodedata.category(chr(code)) in {"Zs", "Zl", "Zp", "Cf"}}
)


def texts(sql):
    return [token.text for token in tokens(sql)[0]]


@pytest.mark.parametrize("blank", sorted(ODD_BLANKS), ids=lambda blank: f"U+{ord(blank):04X}")
def test_an_odd_blank_divides_words(blank):
    sql = f"FROM{blank}t{blank}WHERE{blank}'a{blank}b' = \"c{blank}d\""
    assert parser.tree(sql) is not None
    assert texts(sql) == ["FROM", "t", "WHERE", f"'a{blank}b'", "=", f'"c{blank}d"']
    assert [sql[token.start : token.end] for token in tokens(sql)[0]] == texts(sql)
    assert word_end(sql, 0) == 4


def test_the_odd_blanks_are_those_of_duckdbs_parser():
    connection = duckdb.connect()

    def divides(char):
        try:
            return len(connection.extract_statements(f"select{char}1{char}as{char}a")) == 1
        except duckdb.Error:
            return False

    assert {char for char in LOOK_BLANK if divides(char)} == ODD_BLANKS


@pytest.mark.parametrize("letter", ["\u1680", "\u2028", "\u180e"], ids=ascii)
def test_what_only_looks_blank_is_a_letter(letter):
    assert texts(f"FROM a{letter}b") == ["FROM", f"a{letter}b"]


def test_only_one_module_tokenizes():
    package = Path(md_magic.__file__).parent
    calling = [path for path in package.rglob("*.py") if "duckdb.tokenize(" in path.read_text(encoding="utf-8")]
    assert calling == [Path(tokens_module.__file__)]


@pytest.mark.parametrize(
    "sql", ["select 'é;', é; 日本 \u00a0, x", "\U0001f986 ; ü", "a\u2003;\u200bb;", "select 1; 'é"]
)
def test_offsets_are_characters(sql):
    assert [sql[offset] for offset in semicolons(sql)] == [";"] * len(semicolons(sql))
    for token in tokens(sql)[0]:
        assert sql[token.start : token.end] == token.text


def test_a_duckdb_that_counts_characters_is_understood(monkeypatch):
    sql = "select 'é' as é, 日本 from t"
    in_bytes = scan(sql)
    tokenize = duckdb.tokenize

    def in_characters(text):
        return [(len(text.encode()[:offset].decode()), kind) for offset, kind in tokenize(text)]

    monkeypatch.setattr(duckdb, "tokenize", in_characters)
    tokens_module._counts_bytes.cache_clear()
    try:
        assert scan(sql) == in_bytes
    finally:
        tokens_module._counts_bytes.cache_clear()
    assert [sql[offset] for offset, _ in in_bytes] == ["s", "'", "a", "é", ",", "日", "f", "t"]


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        pytest.param("a \"b\" 'c' 1.5", ["word", "quoted", "string", "number"], id="all"),
        pytest.param("e'a\\'b' x'00' b'1'", ["string"] * 3, id="strings with a letter"),
        pytest.param("$$a;b$$ $t$ $$ $t$", ["string"] * 2, id="dollars"),
        pytest.param("a::int->>'b'", ["word", "sign", "word", "sign", "string"], id="signs"),
        pytest.param("1 -- c\n/* /* d */ */ 2", ["number"] * 2, id="comments"),
        pytest.param("a +-- c\nb", ["word", "sign", "word"], id="a comment behind a sign"),
        pytest.param("a ☃ \x01 b", ["word", "word", "sign", "word"], id="characters that are nothing"),
        pytest.param("a \ud800 b", ["word", "sign", "word"], id="half a character"),
    ],
)
def test_kinds(sql, kinds):
    assert [token.kind for token in tokens(sql)[0]] == kinds


HAS_BACKTICKS = pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1 has no names in backticks")


@HAS_BACKTICKS
def test_a_name_in_backticks():
    read, tail = tokens("from `a ``b` where `c\"d` = 'e`f'")
    assert [token.name for token in read] == ["from", "a `b", "where", 'c"d', None, None]
    assert tail is None
    assert tokens("from `a")[1] == Tail("quoted", 5)


@pytest.mark.parametrize(
    ("sql", "tail"),
    [
        ("select 'a", Tail("string", 7)),
        ("select e'a\\'", Tail("string", 8)),
        ('select "a', Tail("quoted", 7)),
        ("select 1 -- a", Tail("comment", 9)),
        ("select /* a", Tail("comment", 7)),
        ("select $t$ a $$", Tail("dollar", 7)),
        ("select 'a'", None),
        ("", None),
    ],
)
def test_what_is_open_at_the_end(sql, tail):
    assert tokens(sql)[1] == tail


def test_keywords_are_told_from_names():
    marked = {token.text: token.keyword for token in tokens('select data, "from", x from t')[0]}
    assert marked == {"select": True, "data": True, ",": False, '"from"': False, "x": False, "from": True, "t": False}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_has_tokens_that_are_parts_of_it(text):
    read, _ = tokens(text)
    assert [text[token.start : token.end] for token in read] == [token.text for token in read]
    assert all(token.end <= following.start for token, following in pairwise(read))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT", ["SELECT"]),
        ("CREATE /* x */ TEMP TABLE t", ["CREATE", "TEMP", "TABLE"]),
        ("/*" + "x" * 5000 + "*/ SET\u200bthreads = 2", ["SET", "threads", "="]),
        (" " * 399 + "abcdef ghi jkl mno", ["abcdef", "ghi", "jkl"]),
        ("a b " + "c" * 5000 + " d", ["a", "b", "c" * 5000]),
        ("", []),
    ],
    ids=["short", "comment", "long comment", "a word at the cut", "a long word", "empty"],
)
def test_the_head_of_a_text(sql, words):
    assert [token.text for token in head(sql, 3)] == words


def test_the_head_of_a_long_text_leaves_the_rest_alone(monkeypatch):
    read = []
    monkeypatch.setattr(tokens_module, "scan", lambda text: read.append(len(text)) or scan(text))
    assert len(head("SELECT 1, " * 100_000, 24)) == 24
    assert sum(read) < 1_000
