"""Reading SQL: statements as they were typed, and saved queries in them, by dialect."""

from __future__ import annotations

import pytest

from md_magic.errors import OptionError, StatementError


@pytest.fixture
def reader(session):
    return session._reader


@pytest.fixture
def save(session):
    """Keep a query as a cell that runs it does."""

    def save(name, sql):
        with session.saving(name, sql):
            list(session.run(sql, {}))

    return save


@pytest.mark.parametrize("sql", ["select 1", "select i as small from t", "select 'small' from t", "from t; from u"])
def test_statements_that_name_no_saved_query_are_those_that_were_typed(session, reader, save, sql):
    save("small", "select 1 as i")
    database = session.use()
    assert reader.read(database, sql) == reader.split(database, sql)


def test_a_saved_query_is_read_where_it_is_named(run, save):
    save("small", "select 7 as i")
    assert run("select i + 1 as n from small")["n"].tolist() == [8]


def test_a_saved_query_names_the_table_in_its_own_select(run, save):
    run("create table numbers as select range as i from range(10)")
    save("numbers", "select i from numbers where i > 7")
    assert run("from numbers")["i"].tolist() == [8, 9]
    save("numbers", "select i from numbers where i > 8")
    assert run("from numbers")["i"].tolist() == [9]


def test_nothing_is_saved_where_the_cell_fails(session, save):
    with pytest.raises(StatementError):
        save("wrong", "select nosuch")
    assert session.saved == []
    with pytest.raises(StatementError, match="--save two keeps one SELECT, and these are 2 statements"):
        save("two", "select 1; select 2")
    assert session.saved == []


def test_saving_within_a_cell_ends_with_it(session, run):
    run("create table numbers as select 1 as i")
    with session.saving("numbers", "select i + 1 as i from numbers"):
        assert session._cell.saving == "numbers"
    assert session._cell.saving is None
    assert run("from numbers")["i"].tolist() == [2]


def test_each_dialect_has_its_own_saved_queries(session, use, run, save):
    save("small", "select 7 as i")
    use("sqlite://")
    assert session.saved_views() == []
    save("other", "select 8 as i")
    assert run("select i from other")["i"].tolist() == [8]
    with pytest.raises(StatementError, match="no such table: small"):
        run("select i from small")
    assert session.saved == ["small", "other"]
    assert session.saved_views() == ['CREATE VIEW "other" AS select 8 as i']


def test_forgetting_is_for_every_dialect(session, use, save):
    save("small", "select 7 as i")
    use("sqlite://")
    save("Small", "select 8 as i")
    session.forget("SMALL")
    assert session.saved == []
    with pytest.raises(OptionError, match=r"--forget small: no query is saved under that name\. Saved: none yet\.$"):
        session.forget("small")


def test_forgetting_what_is_not_there_says_what_is_near(session, save):
    save("small", "select 7 as i")
    with pytest.raises(OptionError, match=r"Saved: small\. Did you mean small\?$"):
        session.forget("smal")
    assert session.saved == ["small"]


def test_a_connection_that_is_gone_is_replaced_while_reading(session, reader, use, notices):
    database = use("duckdb:///a.duckdb")
    database.backend.native.close()
    opened, [statement] = reader.read(database, "select 1")
    assert opened is not database
    assert opened is session.use()
    assert statement.text == "select 1"
    assert len(notices) == 1
