"""What is known of a catalogue right after a statement has changed it, however long it takes to read."""

from __future__ import annotations

import time

import pytest

from md_magic import observer
from md_magic.session import Session


@pytest.fixture
def session():
    made = Session(notify=print)
    yield made
    made.close_all()


def run(session, sql):
    for _ in session.run(sql, {}):
        pass


def tables(session):
    return {table.name for table in session.names().tables}


def test_a_large_catalogue_is_right_at_once_about_what_a_statement_names(session, monkeypatch):
    monkeypatch.setattr(observer, "_SOON", 0)  # as with so many tables that reading them cannot be waited for
    monkeypatch.setattr(observer, "PATIENCE", 5)  # however busy this machine is
    columns = ", ".join(f"c{i} INTEGER" for i in range(20))
    run(session, ";".join(["BEGIN", *(f"CREATE TABLE t{i} ({columns})" for i in range(4000)), "COMMIT"]))
    deadline = time.monotonic() + 20
    while len(tables(session)) < 4000:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run(session, 'CREATE TABLE "Brand new" (i INTEGER); DROP TABLE t7; ALTER TABLE t8 RENAME TO t8_renamed')
    known = tables(session)
    assert known >= {"Brand new", "t8_renamed", "t9"}
    assert not known & {"t7", "t8"}
