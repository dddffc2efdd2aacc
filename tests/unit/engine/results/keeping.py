"""Results kept as a grid keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.engine.results.batches import Batches
from md_magic.engine.results.columns import Column
from md_magic.engine.results.store import ResultStore, zone_of

if TYPE_CHECKING:
    import duckdb


def make_types(con: duckdb.DuckDBPyConnection) -> None:
    """Make the types that the corpus's expressions name."""
    con.execute("CREATE TYPE many AS ENUM (SELECT i::VARCHAR FROM range(300) t(i))")
    con.execute("CREATE TYPE mixture AS UNION(t VARCHAR, n BIGINT)")


def keep(con: duckdb.DuckDBPyConnection, sql: str) -> ResultStore:
    """Return a store with the result of *sql*; the caller closes it."""
    con.execute(sql)
    columns = [Column(name, str(kind)) for name, kind, *_ in con.description]
    if any(column.needs_text for column in columns):  # as query does
        con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({sql})")
    batches = Batches.of(con)
    store = ResultStore(columns, zone=zone_of(batches.schema))
    for batch in batches:
        store.append(batch)
    store.finish()
    return store
