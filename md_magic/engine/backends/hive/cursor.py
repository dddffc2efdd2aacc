"""PyHive's cursor with asynchronous statements, which can be stopped, bound values as literals, and exact types.

PyHive waits for a statement inside a socket, where no interrupt is heard. Here the server runs it beside the
connection, and the thread that waits for it asks how it goes: it alone talks to the server, because a Thrift connection
belongs to one thread at a time.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pyhive import hive
from TCLIService import ttypes

from md_magic.sql.quoting import Quoting

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from pyhive.hive import Connection

QUOTING = Quoting("hive", "`", "`")

_PAUSE = 0.005
"""Seconds between two questions of how a statement goes; the server takes its time for the answer."""

_LATE = 100
"""How often it is asked again for the text of an error, which Spark may have a moment after the state."""

_ROWS = 10_000
"""Rows in one answer of the server."""

_ENDED = {
    ttypes.TOperationState.CANCELED_STATE: "The statement was cancelled on the server.",
    ttypes.TOperationState.CLOSED_STATE: "The statement was closed on the server.",
    ttypes.TOperationState.TIMEDOUT_STATE: "The statement took longer than the server allows.",
}
"""What is said of the states in which a statement ends without an error of its own."""

_NO_ROWS = ["Result"]
"""The columns that Spark gives to a statement without rows."""

_QUERIES = frozenset({"select", "with", "from", "values", "table", "(", "show", "describe", "desc", "explain", "map"})
"""First words of statements that have rows, whatever their columns are called."""


class Stopped(hive.OperationalError):  # type: ignore[misc] # PyHive has no types
    """A statement was cancelled because it was to be stopped."""


class Cursor(hive.Cursor):  # type: ignore[misc] # PyHive has no types
    """A cursor whose statement ends early when *stop* is set."""

    def __init__(self, connection: Connection, stop: threading.Event) -> None:
        """Make a cursor of *connection*, which is stopped from another thread by *stop*."""
        self._description: list[tuple[Any, ...]] | None = None
        super().__init__(connection, arraysize=_ROWS)
        self._stop = stop
        self._has_rows = False

    def execute(self, operation: str, parameters: Mapping[str, Any] | None = None, **_: object) -> None:
        """Run *operation* with *parameters*, a mapping, as literals, and wait until it has ended on the server."""
        sql = operation if parameters is None else operation % _literals(parameters)
        first = sql.lstrip()[:1] if sql.lstrip().startswith("(") else (sql.split(None, 1) or [""])[0]
        self._has_rows = first.lower() in _QUERIES
        self._stop.clear()  # whoever wants to stop a statement says so again and again
        super().execute(sql, async_=True)
        self._wait()

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """Name, type, precision and scale of the columns; `None` where the statement has no rows."""
        columns: list[tuple[Any, ...]] | None = self._described()
        if columns is not None and not self._has_rows and [column[0] for column in columns] == _NO_ROWS:
            return None
        return columns

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, its dates as such."""
        row: tuple[Any, ...] | None = super().fetchone()
        dates = [at for at, column in enumerate(self._described() or ()) if column[1] == "DATE_TYPE"]
        if row is None or not dates:
            return row
        return tuple(
            dt.date.fromisoformat(value) if at in dates and value is not None else value for at, value in enumerate(row)
        )

    def _described(self) -> list[tuple[Any, ...]] | None:
        if self._operationHandle is None or not self._operationHandle.hasResultSet:
            return None
        if self._description is None:
            answer = self._connection.client.GetResultSetMetadata(
                ttypes.TGetResultSetMetadataReq(self._operationHandle)
            )
            self._description = [_column(column) for column in answer.schema.columns]
        return self._description

    def _wait(self) -> None:
        """Return when the statement has ended; raise its error, or `Stopped`."""
        late = _LATE
        while True:
            answer = self.poll(get_progress_update=False)
            state = answer.operationState
            if state == ttypes.TOperationState.FINISHED_STATE:
                return
            if state == ttypes.TOperationState.ERROR_STATE and (answer.errorMessage or late == 0):
                raise hive.OperationalError(answer)
            late -= state == ttypes.TOperationState.ERROR_STATE
            if state in _ENDED:
                raise hive.OperationalError(_ENDED[state])
            if self._stop.wait(_PAUSE):
                self.cancel()
                message = "The statement was stopped."
                raise Stopped(message)


def _column(column: Any) -> tuple[Any, ...]:  # noqa: ANN401 - Thrift has no types
    entry = column.typeDesc.types[0].primitiveEntry
    kind = "STRING_TYPE" if entry is None else ttypes.TTypeId._VALUES_TO_NAMES[entry.type]  # noqa: SLF001 - Thrift's only way
    qualifiers = entry.typeQualifiers.qualifiers if entry is not None and entry.typeQualifiers is not None else {}
    precision, scale = (qualifiers[name].i32Value if name in qualifiers else None for name in ("precision", "scale"))
    return column.columnName, kind, None, None, precision, scale, True


def _literals(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return *parameters* as SQL. PyHive pastes numbers and text, and knows no bytes, no decimals and no arrays."""
    return {name: _literal(value) for name, value in parameters.items()}


def _literal(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"X'{bytes(value).hex()}'"
    if isinstance(value, list | tuple):
        return f"array({', '.join(map(_literal, value))})"
    if isinstance(value, dt.time):
        value = value.isoformat()  # Hive has no times
    try:
        return QUOTING.literal(value)
    except ValueError:
        message = f"type '{type(value).__name__}' is not supported"
        raise TypeError(message) from None
