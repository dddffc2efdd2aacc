"""Writing a Python table to a table of the database, as one change: afterwards all its rows are there, or none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa
from sqlalchemy.exc import SQLAlchemyError

from md_magic.auth import scrub
from md_magic.engines import clean
from md_magic.errors import StatementError
from md_magic.statement import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from md_magic.engines import Database
    from md_magic.statement import How

FRAME = "md_magic frame"
"""What the Python table is called in `statement`: a name that no table has, where the frame may be called like one."""

_CHUNK = 10_000
"""Rows that are sent at once to another database."""


def statement(table: Sequence[str], how: How) -> str:
    """Return DuckDB's statement that writes `FRAME` to *table*, the parts of its name."""
    name = identifier(*table)
    rows = f"SELECT * FROM {identifier(FRAME)}"  # noqa: S608 - a name of ours
    match how:
        case "create":
            return f"CREATE TABLE {name} AS {rows}"
        case "replace":
            return f"CREATE OR REPLACE TABLE {name} AS {rows}"
        case "append":
            return f"INSERT INTO {name} BY NAME {rows}"


def write_other(database: Database, table: Sequence[str], value: Any, how: How) -> int:  # noqa: ANN401 - any table
    """Write *value* to *table* of a database that is not DuckDB, in a transaction; return the number of rows.

    Raises `StatementError`, and nothing is written then.
    """
    frame = value if isinstance(value, pd.DataFrame) else pa.table(value).to_pandas()
    schema = table[-2] if len(table) > 1 else None
    mode: Literal["fail", "replace", "append"] = "fail" if how == "create" else how
    try:
        with _transaction(database) as connection:
            frame.to_sql(table[-1], connection, schema=schema, if_exists=mode, index=False, chunksize=_CHUNK)
    except (SQLAlchemyError, ValueError) as error:  # pandas raises the latter, for a table that exists
        cause = getattr(error, "orig", None) or error
        raise StatementError(scrub(str(cause), database.secrets)) from clean(cause, database.secrets)
    return len(frame)


@contextlib.contextmanager
def _transaction(database: Database) -> Iterator[Connection]:
    """Give a connection whose changes are undone if the block fails; SQLite in memory has only the notebook's own."""
    if database.target.dialect != "sqlite":
        with database.engine.begin() as connection:
            yield connection
        return
    database.connection.exec_driver_sql("SAVEPOINT md_magic")
    try:
        yield database.connection
    except BaseException:
        database.connection.exec_driver_sql("ROLLBACK TO md_magic")
        raise
    finally:
        database.connection.exec_driver_sql("RELEASE md_magic")
