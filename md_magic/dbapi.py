"""DuckDB's connection as a notebook needs SQLAlchemy to see it: always in autocommit, one text in, the same text out.

duckdb-engine's own wrapper sends a real `BEGIN` before the first statement, takes some texts for commands of its own
(`commit`, `register`), and lets DuckDB look for DataFrames among *its* local variables (`statement`, `parameters`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from duckdb_engine import ConnectionWrapper, CursorWrapper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

PARAMSTYLE = "pyformat"
"""Given to `create_engine`. duckdb-engine's `numeric_dollar` fails on a `'%(x)s'` in the user's text (SQLAlchemy 2.1,
`_process_numeric`); `pyformat` doubles each `%` of the text and can be undone exactly."""

_NO_NAME = "\0"
"""The name of the one thing in the frame that calls DuckDB which is not the user's: SQL cannot write it."""


_CALL = compile("call()", "<%%mdsql>", "eval").replace(co_names=(_NO_NAME,))


class Connection(ConnectionWrapper):
    """A DB-API connection over *native* whose transactions are the user's own `BEGIN` and `COMMIT`.

    SQLAlchemy's `begin`, `commit` and `rollback` do nothing: outside a transaction every statement commits by itself.
    """

    def __init__(self, native: duckdb.DuckDBPyConnection, *, owned: bool = True) -> None:
        """Wrap *native*; closing this closes it, where it is *owned*."""
        super().__init__(native)
        self.native = native
        self._owned = owned
        self.frames: Mapping[str, Any] = {}
        """Python tables that a statement may name, where the database has no table or view of that name."""

    def cursor(self) -> Cursor:
        """Return a cursor; DuckDB has one open result for each connection."""
        return Cursor(self.native, self)

    def close(self) -> None:
        """Close DuckDB's connection, unless it is the user's own."""
        if self._owned:
            self.native.close()

    def begin(self) -> None:
        """Do nothing."""

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""


class Cursor(CursorWrapper):
    """A DB-API cursor that hands DuckDB the user's text and the user's frames, and nothing of ours."""

    def execute(
        self,
        statement: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        context: Any = None,  # noqa: ANN401, ARG002 - duckdb-engine's signature
    ) -> None:
        """Run *statement*, whose parameters are in SQLAlchemy's `%(name)s`, as DuckDB's `$name`."""
        text = statement % _Placeholders() if "%" in statement else statement
        # DuckDB looks for an unknown table among the local and global variables of the Python frame that calls it.
        # This call gets a frame whose variables are the user's tables, and Python's own `__builtins__`.
        native = self.connection.native
        call = partial(native.execute, text, dict(parameters)) if parameters else partial(native.execute, text)
        eval(_CALL, {_NO_NAME: call}, dict(self.connection.frames))  # noqa: S307 - constant code


class _Placeholders(dict[str, str]):
    """Gives `$name` for `%(name)s`."""

    def __missing__(self, name: str) -> str:
        return f"${name}"
