"""Running one statement on DuckDB, and fetching its result past SQLAlchemy."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from sqlalchemy.exc import DBAPIError

from md_magic.engine.execute import COUNTED, Outcome, through_sink, within
from md_magic.engine.results import fetch
from md_magic.engine.results.batches import Batches, to_reader
from md_magic.engine.results.columns import Column
from md_magic.sql.split import first_word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from md_magic.engine.backends.duckdb.backend import DuckDBBackend
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.results.masking import TokenMask
    from md_magic.engine.results.spec import ResultSpec
    from md_magic.sql.statement import Statement


def run(
    backend: DuckDBBackend,
    statement: Statement,
    values: Mapping[str, Any],
    spec: ResultSpec,
    execution: Execution | None,
    mask: TokenMask | None = None,
) -> Outcome:
    """Run *statement* on *backend* with *values* bound, and fetch its result as *spec* wants it.

    With a *mask*, tokens are masked in the result.
    """
    if spec.keep and statement.kind == "SELECT":
        if spec.sink is not None:
            columns = _columns(backend, statement, values)
            if any(column.needs_text for column in columns):
                return _run_in_text(backend, statement, values, spec, columns, execution, mask)
        elif spec.form == "reader":
            return _stream(backend, statement, values, spec, execution, mask)
    backend.execute(statement, values)
    gave_none, changed = _rowless(statement, backend.native)
    if gave_none:
        return Outcome(statement, changed=changed, rowless=True)
    return _fetched(statement, backend.native, spec, execution, mask)


def _fetched(
    statement: Statement,
    native: duckdb.DuckDBPyConnection,
    spec: ResultSpec,
    execution: Execution | None,
    mask: TokenMask | None,
) -> Outcome:
    """Return the open result of *native*, the rows that *statement* gave, as *spec* wants it, masked."""
    if not spec.keep:
        fetch.to_arrow(native)  # DuckDB computes a result as it is fetched: errors and effects would be missing
        return Outcome(statement)
    if spec.sink is not None:
        return _sunk(statement, native, spec, execution, mask)
    count = execution.count if execution is not None else None
    result = fetch.from_duckdb(native, spec.form, limit=spec.limit, count=count, mask=mask)
    return Outcome(statement, value=result.value, limited_to=spec.limit if result.more else None, note=result.note)


def _rowless(statement: Statement, native: duckdb.DuckDBPyConnection) -> tuple[bool, int | None]:
    """Return whether *statement* gave no rows, only DuckDB's `Success` or `Count`, and what it counted."""
    if statement.kind == "SELECT":
        return False, None
    columns = native.description
    if columns is None or len(columns) != 1:
        return columns is None, None
    name, kind = columns[0][0], str(columns[0][1])
    if (name, kind) == ("Success", "BOOLEAN"):
        return not _has_success(statement, native), None
    if (name, kind) == ("Count", "BIGINT") and statement.kind in COUNTED and not statement.returning:
        row = native.fetchone()
        return True, row[0] if row else None
    return False, None


def _has_success(statement: Statement, native: duckdb.DuckDBPyConnection) -> bool:
    """Whether a column named `Success` is the user's and not DuckDB's; if so, the result is open again."""
    if statement.kind not in {"CALL", "EXECUTE"}:
        return False
    rows = [value for (value,) in native.fetchall()]
    if rows:
        native.execute('SELECT unnest($rows::BOOLEAN[]) AS "Success"', {"rows": rows})
    return bool(rows)


def _stream(
    backend: DuckDBBackend,
    statement: Statement,
    values: Mapping[str, Any],
    spec: ResultSpec,
    execution: Execution | None,
    mask: TokenMask | None,
) -> Outcome:
    """Run *statement* on a separate connection, so that other cells can run while the reader streams.

    If the notebook's connection has temporary tables or an open transaction, the result is read there, at once.
    """
    connection = None if backend.hides_data else backend.sibling()
    if connection is None:
        backend.execute(statement, values)
        return _fetched(statement, backend.native, spec, execution, mask)
    own = type(backend)(backend.target, backend.engine, connection)
    if execution is not None:
        execution.attach(backend.target.name, own.interrupt, own.progress)
    try:
        own.execute(statement, values)
        reader = to_reader(own.native, limit=spec.limit, mask=mask)
    except BaseException:
        own.close()
        raise
    finally:
        if execution is not None:
            execution.attach(backend.target.name, backend.stopper(anew=False), backend.progress)
    weakref.finalize(reader, connection.close).atexit = False
    return Outcome(statement, value=reader)


def _sunk(
    statement: Statement,
    native: duckdb.DuckDBPyConnection,
    spec: ResultSpec,
    execution: Execution | None,
    mask: TokenMask | None,
) -> Outcome:
    """Hand the open result of *native* to the sink; a column that Arrow cannot hold makes all of them text."""
    columns = _masked([Column(name, str(kind)) for name, kind, *_ in native.description], mask)
    if any(column.needs_text for column in columns):
        rows = fetch.to_dict(native, mask=mask).value
        texts = {name: [None if value is None else str(value) for value in values] for name, values in rows.items()}
        batches = Batches(pa.table(texts).to_reader(), limit=spec.limit)
    else:
        batches = Batches.of(native, limit=spec.limit, mask=mask)
    return through_sink(statement, spec, columns, batches, execution)


def _columns(backend: DuckDBBackend, statement: Statement, values: Mapping[str, Any]) -> list[Column]:
    """Return the columns of a SELECT without running it; empty if DuckDB cannot tell.

    An invalid statement fails when it runs, with the right position.
    """
    if first_word(statement.text) == "PIVOT":  # without a list of values, DESCRIBE would run its query for them
        return []
    try:
        backend.execute(within(statement, "DESCRIBE\n"), values)
    except DBAPIError as error:
        if isinstance(error.orig, (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)):
            return []
        raise
    return [Column(name, kind) for name, kind, *_ in backend.native.fetchall()]


def _run_in_text(
    backend: DuckDBBackend,
    statement: Statement,
    values: Mapping[str, Any],
    spec: ResultSpec,
    columns: Sequence[Column],
    execution: Execution | None,
    mask: TokenMask | None,
) -> Outcome:
    """Run a SELECT wrapped in another that casts the columns whose types Arrow lacks to DuckDB's own text."""
    names = [f"c{at}" for at in range(len(columns))]
    casts = [f"{name}::VARCHAR" if column.needs_text else name for name, column in zip(names, columns, strict=True)]
    before = f"SELECT {', '.join(casts)} FROM (\n"  # noqa: S608 - names of ours
    backend.execute(within(statement, before, f"\n) AS t({', '.join(names)})"), values)
    batches = Batches.of(backend.native, limit=spec.limit, mask=mask)
    return through_sink(statement, spec, _masked(columns, mask), batches, execution)


def _masked(columns: Sequence[Column], mask: TokenMask | None) -> Sequence[Column]:
    """Return *columns* with tokens masked in their names and types: a PIVOT makes names of values, an ENUM a type."""
    if mask is None:
        return columns
    return [Column(mask.text(column.name), mask.text(column.kind)) for column in columns]
