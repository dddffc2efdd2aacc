"""The SQLAlchemy engine for Python code on DuckDB: its transactions, its reflection, its keys, and how it closes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy import orm, text

from md_magic.errors import ConnectError
from md_magic.sql.target import read
from tests.unit.engine.conftest import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool

TABLES = """
CREATE SCHEMA s;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL UNIQUE, price DECIMAL(10, 2) DEFAULT 3.5, CHECK (id > 0));
CREATE TABLE child (id BIGINT PRIMARY KEY, parent INTEGER REFERENCES parent(id));
CREATE INDEX by_parent ON child(parent);
CREATE UNIQUE INDEX by_name ON parent(lower(name), id);
CREATE VIEW seen AS SELECT id FROM parent;
CREATE TABLE s.other (x DOUBLE);
COMMENT ON TABLE parent IS 'those before';
COMMENT ON COLUMN parent.name IS 'as spoken';
"""


@pytest.fixture
def engine(pool: EnginePool, duck: Database) -> sa.Engine:
    return pool.plain_engine(duck.target)


@pytest.fixture
def tables(duck: Database, engine: sa.Engine) -> sa.Inspector:
    run(duck, TABLES)
    return sa.inspect(engine)


# ---- one database ----------------------------------------------------------------------------------------------------


def test_the_engine_and_the_cells_see_one_database_in_memory(duck: Database, engine: sa.Engine) -> None:
    run(duck, "CREATE TABLE of_cell AS SELECT 42 AS a")
    assert pd.read_sql("SELECT a FROM of_cell", engine)["a"].tolist() == [42]
    pd.DataFrame({"b": [1, 2]}).to_sql("of_python", engine, index=False)
    assert run(duck, "SELECT sum(b) AS b FROM of_python").value == {"b": [3]}


def test_it_is_one_engine_for_a_target_with_duckdb_engines_name(pool: EnginePool, engine: sa.Engine) -> None:
    assert pool.plain_engine(read("duckdb:///:memory:")) is engine
    assert (engine.dialect.name, engine.dialect.driver) == ("duckdb", "duckdb_engine")
    assert engine.url.database == ":memory:"
    assert engine.url.drivername == "duckdb"


def test_a_transaction_is_rolled_back_or_committed_as_in_duckdb_engine(duck: Database, engine: sa.Engine) -> None:
    run(duck, "CREATE TABLE t (a INTEGER)")
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
        assert run(duck, "SELECT count(*) AS n FROM t").value == {"n": [0]}
        connection.rollback()
        connection.execute(text("INSERT INTO t VALUES (2)"))
        connection.commit()
        connection.execute(text("INSERT INTO t VALUES (3)"))
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (4)"))
        raise ZeroDivisionError
    assert run(duck, "SELECT a FROM t").value == {"a": [2]}


def test_the_transaction_of_a_cell_is_not_seen_and_not_ended(duck: Database, engine: sa.Engine) -> None:
    run(duck, "CREATE TABLE t (a INTEGER); BEGIN; INSERT INTO t VALUES (1)")
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0
        connection.execute(text("CREATE TABLE u (b INTEGER)"))
    assert duck.backend.in_transaction
    run(duck, "ROLLBACK")
    assert run(duck, "SELECT count(*) AS n FROM t").value == {"n": [0]}


def test_a_connection_begins_where_the_cells_are(duck: Database, engine: sa.Engine) -> None:
    run(
        duck,
        "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 7 AS a; USE s; SET VARIABLE v = 1; CREATE TEMP TABLE mine (a INTEGER)",
    )
    with engine.connect() as connection:
        assert connection.execute(text("SELECT a FROM t")).scalar() == 7
        assert connection.execute(text("SELECT getvariable('v')")).scalar() is None
    assert not sa.inspect(engine).has_table("mine")


def test_a_schema_that_only_a_transaction_of_the_cells_has_does_not_hinder_connecting(
    duck: Database, engine: sa.Engine
) -> None:
    run(duck, "BEGIN; CREATE SCHEMA s; USE s")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_schema()")).scalar() == "main"


def test_many_threads_have_a_connection_each(duck: Database, engine: sa.Engine) -> None:
    run(duck, "CREATE TABLE t (a INTEGER)")
    together, errors = threading.Barrier(8), []

    def write(at: int) -> None:
        try:
            with engine.begin() as connection:
                together.wait(30)  # all are open at once
                connection.execute(text("INSERT INTO t VALUES (:a)"), {"a": at})
        except Exception as error:  # noqa: BLE001 - a thread's own is lost
            errors.append(error)

    threads = [threading.Thread(target=write, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert run(duck, "SELECT count(DISTINCT a) AS n FROM t").value == {"n": [8]}


def test_a_file_is_one_database_too_and_is_free_after_closing(
    pool: EnginePool, opened: Callable[..., Database]
) -> None:
    database = opened("duckdb:///file.duckdb")
    engine = pool.plain_engine(database.target)
    held = engine.connect()
    held.execute(text("CREATE TABLE t AS SELECT 1 AS a"))
    held.commit()
    pool.close(database.target)
    with duckdb.connect("file.duckdb", config={"threads": 1}) as other:  # refused while the file is open otherwise
        assert other.execute("FROM t").fetchall() == [(1,)]
    held.close()


def test_the_users_own_connection_gives_an_engine_and_says_when_it_is_closed(pool: EnginePool) -> None:
    own = duckdb.connect()
    own.execute("CREATE TABLE t AS SELECT 5 AS a")
    engine = pool.plain_engine(pool.adopt("con", own).target)
    assert pd.read_sql("SELECT a FROM t", engine)["a"].tolist() == [5]
    own.close()
    with pytest.raises(ConnectError, match=r"--engine con was closed in your own variable: open it there again\."):
        engine.connect()


# ---- closing ---------------------------------------------------------------------------------------------------------


def test_after_closing_the_engine_says_so_and_how_to_go_on(pool: EnginePool, duck: Database, engine: sa.Engine) -> None:
    held = engine.connect()
    held.execute(text("SELECT 1"))
    pool.close(duck.target)
    with pytest.raises(
        ConnectError, match=r"^duckdb:///:memory: was closed, and this engine with it\. To go on, run `%mdsql"
    ):
        engine.connect()
    with pytest.raises(ConnectError, match="closed together with its target") as caught:
        held.execute(text("SELECT 1"))
    assert isinstance(caught.value.__cause__, duckdb.ConnectionException)
    held.close()
    pool.get(duck.target)
    assert pd.read_sql("SELECT 1 AS a", engine)["a"].tolist() == [1]
    assert pool.plain_engine(duck.target) is engine


def test_a_transaction_that_is_open_at_closing_ends_with_our_error_alone(
    pool: EnginePool, duck: Database, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        pytest.raises(ConnectError, match="a transaction that was open in it is rolled back"),
        engine.begin() as connection,
    ):
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
        pool.close(duck.target)
    assert caplog.records == []


def test_closing_stops_what_a_thread_runs(pool: EnginePool, duck: Database, engine: sa.Engine) -> None:
    raised: list[BaseException] = []
    began = threading.Event()

    def long() -> None:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
                began.set()
                connection.execute(
                    text("SELECT sum(hash(a.i, b.i) % 7) FROM range(10_000_000) a(i), range(1_000_000) b(i)")
                ).all()
        except Exception as error:  # noqa: BLE001 - whatever it is
            raised.append(error)

    thread = threading.Thread(target=long)
    thread.start()
    assert began.wait(30)
    threading.Event().wait(0.3)
    pool.close(duck.target)
    thread.join(30)
    assert not thread.is_alive()
    assert len(raised) == 1


# ---- reflection ------------------------------------------------------------------------------------------------------


def test_names_are_those_of_the_current_schema(tables: sa.Inspector) -> None:
    assert tables.get_table_names() == ["child", "parent"]
    assert tables.get_view_names() == ["seen"]
    assert tables.get_table_names("s") == ["other"]
    assert tables.get_table_names("memory.s") == ["other"]
    assert "memory.s" in tables.get_schema_names()
    assert [tables.has_table(name) for name in ("parent", "seen", "other", "none")] == [True, True, False, False]
    assert tables.has_table("other", schema="s")
    assert [tables.has_schema(name) for name in ("s", "memory.s", "none")] == [True, True, False]
    assert tables.get_view_definition("seen").startswith("CREATE VIEW seen AS SELECT id FROM parent")
    with pytest.raises(sa.exc.NoSuchTableError, match="none"):
        tables.get_view_definition("none")
    with pytest.raises(sa.exc.NoSuchTableError, match="none"):
        tables.get_columns("none")
    with pytest.raises(sa.exc.NoSuchTableError, match=r"s\.none"):
        tables.get_indexes("none", "s")


def test_a_table_of_another_database_does_not_count(duck: Database, tables: sa.Inspector) -> None:
    run(duck, "ATTACH ':memory:' AS elsewhere; CREATE TABLE elsewhere.far (y DATE)")
    assert not tables.has_table("far")
    assert "far" not in tables.get_table_names()
    assert [column["name"] for column in tables.get_columns("far", "elsewhere.main")] == ["y"]


def test_columns_keys_and_comments(tables: sa.Inspector) -> None:
    described = [
        (c["name"], str(c["type"]), c["nullable"], c["default"], c["comment"]) for c in tables.get_columns("parent")
    ]
    assert described == [
        ("id", "INTEGER", False, None, None),
        ("name", "VARCHAR", False, None, "as spoken"),
        ("price", "NUMERIC(10, 2)", True, "3.5", None),
    ]
    assert tables.get_pk_constraint("parent") == {"constrained_columns": ["id"], "name": "parent_id_pkey"}
    assert tables.get_pk_constraint("seen")["constrained_columns"] == []
    [foreign] = tables.get_foreign_keys("child")
    assert (foreign["constrained_columns"], foreign["referred_table"], foreign["referred_columns"]) == (
        ["parent"],
        "parent",
        ["id"],
    )
    assert [unique["column_names"] for unique in tables.get_unique_constraints("parent")] == [["name"]]
    assert [check["sqltext"] for check in tables.get_check_constraints("parent")] == ["(id > 0)"]
    assert tables.get_table_comment("parent") == {"text": "those before"}


def test_indexes_of_columns_and_of_expressions(tables: sa.Inspector) -> None:
    assert tables.get_indexes("child") == [{"name": "by_parent", "unique": False, "column_names": ["parent"]}]
    [index] = tables.get_indexes("parent")
    assert index == {
        "name": "by_name",
        "unique": True,
        "column_names": [None, "id"],
        "expressions": ['(lower("name"))', "id"],
    }


@pytest.mark.parametrize(
    ("written", "kind", "shown"),
    [
        ("INTEGER[]", sa.ARRAY, "INTEGER[]"),
        ("INTEGER[3]", sa.ARRAY, "INTEGER[]"),
        ("VARCHAR[][]", sa.ARRAY, "VARCHAR[][]"),
        ("STRUCT(a INTEGER, b VARCHAR[])", None, "STRUCT(a INTEGER, b VARCHAR[])"),
        ("MAP(INTEGER, VARCHAR)", None, "MAP(INTEGER, VARCHAR)"),
        ("UNION(x INTEGER, y VARCHAR)", None, "UNION(x INTEGER, y VARCHAR)"),
        ("mood", sa.Enum, "VARCHAR"),
        ("HUGEINT", sa.Integer, None),
        ("TIMESTAMPTZ", sa.TIMESTAMP, "TIMESTAMP WITH TIME ZONE"),
        ("JSON", sa.JSON, "JSON"),
        ("JSON[]", sa.ARRAY, "JSON[]"),
        ("BLOB", sa.LargeBinary, "BLOB"),
        ("UUID", sa.Uuid, "UUID"),
    ],
)
def test_types(
    duck: Database, tables: sa.Inspector, engine: sa.Engine, written: str, kind: Any, shown: str | None
) -> None:
    run(duck, f"CREATE TABLE typed (v {written})")
    [column] = tables.get_columns("typed")
    assert isinstance(column["type"], kind or sa.types.TypeEngine)
    assert not isinstance(column["type"], sa.types.NullType)
    table = sa.Table("again", sa.MetaData(), sa.Column("v", column["type"]))
    table.create(engine)
    stored = run(duck, "SELECT data_type FROM duckdb_columns() WHERE table_name = 'again'").value["data_type"]
    assert stored == [shown or written]


def test_metadata_reflects_everything_and_selects_from_it(
    duck: Database, tables: sa.Inspector, engine: sa.Engine
) -> None:
    run(duck, "INSERT INTO parent VALUES (1, 'Ann', 2.5); INSERT INTO child VALUES (10, 1)")
    metadata = sa.MetaData()
    metadata.reflect(engine, views=True)
    assert sorted(metadata.tables) == ["child", "parent", "seen"]
    child, parent = metadata.tables["child"], metadata.tables["parent"]
    [key] = child.foreign_keys
    assert key.column is parent.c.id
    with engine.connect() as connection:
        query = sa.select(parent.c.name, parent.c.price).join(child)
        assert [(row.name, str(row.price)) for row in connection.execute(query)] == [("Ann", "2.50")]
    assert tables.get_temp_table_names() == []


def test_temporary_tables_of_its_own_connection_are_reflected(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("CREATE TEMP TABLE mine (a INTEGER)"))
        connection.execute(text("CREATE TEMP VIEW my_view AS FROM mine"))
        inspector = sa.inspect(connection)
        assert inspector.get_temp_table_names() == ["mine"]
        assert inspector.get_temp_view_names() == ["my_view"]
        assert inspector.get_table_names() == []
        assert [column["name"] for column in inspector.get_columns("mine")] == ["a"]


# ---- keys that count by themselves -----------------------------------------------------------------------------------


class Base(orm.DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    letters: orm.Mapped[list[Letter]] = orm.relationship(back_populates="person")


class Letter(Base):
    __tablename__ = "letters"
    id: orm.Mapped[int] = orm.mapped_column(sa.BigInteger, primary_key=True)
    person_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("people.id"))
    person: orm.Mapped[Person] = orm.relationship(back_populates="letters")


def test_an_orm_session_adds_commits_queries_and_rolls_back(engine: sa.Engine) -> None:
    Base.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all([Person(name="Ann", letters=[Letter(), Letter()]), Person(name="Bob")])
        session.commit()
        people = session.scalars(sa.select(Person).order_by(Person.id)).all()
        assert [(person.id, person.name, len(person.letters)) for person in people] == [(1, "Ann", 2), (2, "Bob", 0)]
        session.add(Person(name="Eve"))
        session.flush()
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 2
    Base.metadata.drop_all(engine)
    assert sa.inspect(engine).get_table_names() == []
    assert sa.inspect(engine).get_sequence_names() == []


@pytest.mark.parametrize("prefixes", [[], ["TEMPORARY"]])
def test_a_key_of_a_table_with_an_odd_name(engine: sa.Engine, prefixes: list[str]) -> None:
    table = sa.Table(
        "t'q",
        sa.MetaData(),
        sa.Column("Id", sa.SmallInteger, primary_key=True),
        sa.Column("a", sa.Integer),
        prefixes=prefixes,
    )
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"a": 5}, {"a": 6}])
        assert connection.execute(sa.select(table)).all() == [(1, 5), (2, 6)]
        [key, _] = sa.inspect(connection).get_columns("t'q")
        assert (str(key["type"]), key["autoincrement"]) == ("SMALLINT", True)
        table.drop(connection)
        assert connection.execute(text("SELECT count(*) FROM duckdb_sequences()")).scalar() == 0


def test_a_key_with_a_sequence_or_a_default_of_its_own_is_left_alone(engine: sa.Engine) -> None:
    own = sa.Sequence("own", start=100)
    metadata = sa.MetaData()
    table = sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, own, server_default=own.next_value(), primary_key=True),
        sa.Column("a", sa.Integer),
    )
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(table.insert(), [{"a": 5}])
        assert connection.execute(sa.select(table)).all() == [(100, 5)]
    assert sa.inspect(engine).get_sequence_names() == ["own"]


# ---- pandas ----------------------------------------------------------------------------------------------------------


def test_pandas_writes_appends_replaces_and_reads(engine: sa.Engine) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "t": pd.to_datetime(["2024-01-01", "2025-01-01"])})
    frame.to_sql("t", engine, index=False)
    frame.to_sql("t", engine, index=False, if_exists="append", method="multi")
    with pytest.raises(ValueError, match="already exists"):
        frame.to_sql("t", engine, index=False)
    assert len(pd.read_sql_table("t", engine)) == 4
    frame.to_sql("t", engine, index=False, if_exists="replace")
    read_back = pd.read_sql(text("SELECT * FROM t WHERE a = :a"), engine, params={"a": 1})
    assert read_back["b"].tolist() == ["x"]
    assert read_back["t"].tolist() == [pd.Timestamp("2024-01-01")]
