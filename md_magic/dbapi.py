"""DuckDB's connection as a notebook needs SQLAlchemy to see it: always in autocommit, one text in, the same text out.

duckdb-engine's own wrapper sends a real `BEGIN` before the first statement, takes some texts for commands of its own
(`commit`, `register`), and lets DuckDB look for DataFrames among *its* local variables (`statement`, `parameters`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import duckdb_engine
from duckdb_engine import ConnectionWrapper, CursorWrapper
from sqlalchemy.dialects import registry

from md_magic.auth import Secret
from md_magic.statement import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIALECT = "duckdb+md_magic"
"""How a SQLAlchemy URL names the dialect below."""

PARAMSTYLE = "pyformat"
"""Given to `create_engine`. duckdb-engine's `numeric_dollar` fails on a `'%(x)s'` in the user's text (SQLAlchemy 2.1,
`_process_numeric`); `pyformat` doubles each `%` of the text and can be undone exactly."""

_NO_NAME = "\0"
"""The name of the one thing in the frame that calls DuckDB which is not the user's: SQL cannot write it."""


_CALL = compile("call()", "<%%mdsql>", "eval").replace(co_names=(_NO_NAME,))


class Dialect(duckdb_engine.Dialect):
    """duckdb-engine's dialect over the connections below. One serves one engine."""

    driver = "md_magic"
    supports_statement_cache = False
    _main: duckdb.DuckDBPyConnection | None = None

    def connect(self, *_args: Any, **parameters: Any) -> Connection:  # type: ignore[override] # noqa: ANN401 - a DB-API connection by its methods
        """Connect to `database` with `config`, and `SET` what is in `settings`; or take the user's own `native`.

        Every further connection is a cursor of the first: another connection to the same database, in memory as well.
        """
        if self._main is not None:
            return Connection(without_progress_bar(self._main.cursor()))
        native = parameters.get("native")
        if native is not None:
            self._main = native
            return Connection(native, owned=False)
        config = {name: revealed(value) for name, value in parameters.get("config", {}).items()}
        self._main = duckdb.connect(parameters["database"], config=config)
        for name, value in parameters.get("settings", {}).items():
            self._main.execute(f"SET {identifier(name)} = $value", {"value": revealed(value)})
        return Connection(without_progress_bar(self._main))

    def is_disconnect(self, e: object, connection: object, cursor: object) -> bool:  # noqa: ARG002
        """Keep the connection after every error: PostgreSQL's dialect judges by words, which a query can hold."""
        return False


registry.register(DIALECT.replace("+", "."), __name__, Dialect.__name__)


def hide_progress_bar(native: duckdb.DuckDBPyConnection) -> bool:
    """Have *native* draw no bar: in Jupyter it is a widget, dead in the saved notebook. Return whether it drew one."""
    settings = "current_setting('enable_progress_bar') AND current_setting('enable_progress_bar_print')"
    [drew] = native.execute(f"SELECT {settings}").fetchone() or (False,)
    if drew:
        native.execute("SET enable_progress_bar_print = false")
    return bool(drew)


def show_progress_bar(native: duckdb.DuckDBPyConnection) -> None:
    """Undo `hide_progress_bar`. As every statement does, it ends a result of *native* that is not fetched yet."""
    native.execute("SET enable_progress_bar_print = true")


def without_progress_bar(native: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return *native*, which no longer draws DuckDB's bar."""
    hide_progress_bar(native)
    return native


def revealed(value: Any) -> Any:  # noqa: ANN401 - whatever a setting can be
    """Return *value*, for the moment of connecting in clear."""
    return value.reveal() if isinstance(value, Secret) else value


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

        self.fetched_natively = False
        """Whether results are fetched from *native*, past SQLAlchemy, which then need not know their columns."""

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

    @property
    def description(self) -> Sequence[Any] | None:
        """The columns of the open result; `None` where SQLAlchemy need not know them (1 ms for 500 columns)."""
        return None if self.connection.fetched_natively else self.connection.native.description

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
