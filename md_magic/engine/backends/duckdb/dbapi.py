"""A DB-API connection to DuckDB for SQLAlchemy that is always in autocommit and passes SQL on unchanged.

duckdb-engine's own wrapper sends a real `BEGIN` before the first statement, takes some texts for its own commands
(`commit`, `register`), and lets DuckDB find DataFrames in the wrapper's local variables (`statement`, `parameters`).
"""

from __future__ import annotations

import contextlib
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import duckdb_engine
from duckdb_engine import ConnectionWrapper, CursorWrapper
from sqlalchemy.dialects import registry

from md_magic.auth.secret import Secret
from md_magic.engine import utf8
from md_magic.engine.backends.base import FRAME
from md_magic.engine.backends.duckdb import neighbours
from md_magic.engine.variables import Stream, read_whole, runs_python
from md_magic.sql import references
from md_magic.sql.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIALECT = "duckdb+md_magic"
"""The name of this dialect in a SQLAlchemy URL."""

PARAMSTYLE = "pyformat"
"""Given to `create_engine`. duckdb-engine's `numeric_dollar` fails on a `'%(x)s'` in the user's text (SQLAlchemy 2.1,
`_process_numeric`); `pyformat` doubles each `%` of the text and can be undone exactly."""

_NO_NAME = "\0"
"""The only name of ours in the Python frame that calls DuckDB; SQL cannot spell it."""


_NAME = re.compile(rf"{FRAME}|\w+")

_CALL = compile("call()", "<%%mdsql>", "eval").replace(co_names=(_NO_NAME,))


_DEFINITIONS = """
SELECT view_name, sql FROM duckdb_views() WHERE NOT internal
UNION ALL SELECT function_name, macro_definition FROM duckdb_functions() WHERE NOT internal
"""


def definitions(native: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the SQL of each of the user's views and macros in *native*, by lower-case name."""
    return {name.lower(): sql or "" for name, sql in native.execute(_DEFINITIONS).fetchall()}


def _waits(frame: object) -> bool:
    """Whether reading *frame* may need the lock of the connection that reads it."""
    return type(frame) is Stream or runs_python(frame)


class Dialect(duckdb_engine.Dialect):
    """duckdb-engine's dialect over the connections below; one instance for each engine."""

    driver = "md_magic"
    supports_statement_cache = False
    _main: duckdb.DuckDBPyConnection | None = None

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - SQLAlchemy's signature
        """Make a dialect that knows no token."""
        super().__init__(*args, **options)
        self.tokens: list[Secret] = []
        """The MotherDuck tokens that SQL can ask for on every connection of the engine: it is one instance."""

    def connect(self, *_args: Any, **parameters: Any) -> Connection:  # type: ignore[override] # noqa: ANN401 - a DB-API connection by its methods
        """Connect to `database` with `config` and `SET` the `settings`, or take the user's own connection `native`.

        Every further connection is a cursor of the first: another connection to the same database, even in memory.
        """
        if self._main is not None:
            return Connection(counting_progress(self._main.cursor()))
        native = parameters.get("native")
        if native is not None:
            self._main = native
            return Connection(native, owned=False)
        config = {name: revealed(value) for name, value in parameters.get("config", {}).items()}
        self._main = neighbours.connect(parameters["database"], config)
        for name, value in parameters.get("settings", {}).items():
            self._main.execute(f"SET {identifier(name)} = $value", {"value": revealed(value)})
        return Connection(counting_progress(self._main))

    def is_disconnect(self, e: object, connection: object, cursor: object) -> bool:  # noqa: ARG002
        """Keep the connection after every error: PostgreSQL's dialect judges by words, which any query can contain."""
        return False


registry.register(DIALECT.replace("+", "."), __name__, Dialect.__name__)


def hide_progress_bar(native: duckdb.DuckDBPyConnection) -> bool:
    """Turn off the progress bar of *native*, a widget that is dead in a saved notebook. Return whether it was on."""
    settings = "current_setting('enable_progress_bar') AND current_setting('enable_progress_bar_print')"
    [drew] = native.execute(f"SELECT {settings}").fetchone() or (False,)
    if drew:
        native.execute("SET enable_progress_bar_print = false")
    return bool(drew)


def show_progress_bar(native: duckdb.DuckDBPyConnection) -> None:
    """Undo `hide_progress_bar`. Like every statement, it closes an open result of *native*."""
    native.execute("SET enable_progress_bar_print = true")


def counting_progress(native: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return *native*, ours, with the progress of its queries counted and not drawn.

    In a notebook DuckDB counts and draws it by itself; elsewhere it does neither.
    """
    native.execute("SET enable_progress_bar_print = false")
    native.execute("SET enable_progress_bar = true")
    return native


def revealed(value: Any) -> Any:  # noqa: ANN401 - whatever a setting can be
    """Return *value*, revealed if it is a secret."""
    return value.reveal() if isinstance(value, Secret) else value


class Connection(ConnectionWrapper):
    """A DB-API connection over *native* whose transactions are the user's own `BEGIN` and `COMMIT`.

    SQLAlchemy's `begin`, `commit` and `rollback` do nothing: outside a transaction every statement commits by itself.
    """

    def __init__(self, native: duckdb.DuckDBPyConnection, *, owned: bool = True) -> None:
        """Wrap *native*; closing the wrapper closes it if it is *owned*."""
        super().__init__(native)
        self.native = native
        self._owned = owned
        self.frames: Mapping[str, Any] = {}
        """Python tables for DuckDB's replacement scan: read if the database has no table or view of that name."""

        self.fetched_natively = False
        """Whether results are fetched from *native*, past SQLAlchemy, which then needs no column descriptions."""

    def scannable(self, text: str) -> dict[str, Any]:
        """Return the frames as DuckDB can scan them while it runs *text*.

        What would wait for this very connection is never handed over as a stream: a relation of this connection is
        given as itself, and in the user's own connection, which their code can use, what runs Python is read before.
        What can be read only once stays read, for the statements to come.
        """
        frames = dict(self.frames)
        for name in self._read_by(text):
            frame = frames[name]
            if type(frame) is Stream:
                frames[name] = frame.relation if self._is_own(frame.relation) else frame
                continue
            if not self._owned and runs_python(frame):
                frame = read_whole(frame)
                self.frames = {**self.frames, name: frame}
            frames[name] = utf8.checked("the table" if name == FRAME else name, frame, text)
        return frames

    def _read_by(self, text: str) -> set[str]:
        """Return which of the frames *text* names; in the user's own connection also through views and macros."""
        named = self.frames.keys() & _NAME.findall(text)
        if self._owned or not any(map(_waits, (self.frames[name] for name in self.frames.keys() - named))):
            return named
        with contextlib.suppress(duckdb.Error):  # in a transaction that has failed, say
            texts = references.reached(references.words(text), definitions(self.native))
            words = set().union(*map(references.words, texts))
            named |= {name for name in self.frames if name.lower() in words}
        return named

    def _is_own(self, relation: duckdb.DuckDBPyRelation) -> bool:
        """Whether *relation* is of this connection. DuckDB is asked, and only binds: nothing is run."""
        try:
            self.native.sql("SELECT 1").cross(relation)
        except duckdb.InvalidInputException as error:
            return "different connections" not in str(error)
        except duckdb.ConnectionException:  # its own is closed
            return False
        except duckdb.Error:
            return True
        return True

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
        """The columns of the open result; `None` if SQLAlchemy does not need them (1 ms for 500 columns)."""
        return None if self.connection.fetched_natively else self.connection.native.description

    def execute(
        self,
        statement: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None = None,
        context: Any = None,  # noqa: ANN401, ARG002 - duckdb-engine's signature
    ) -> None:
        """Run *statement*, whose parameters are in SQLAlchemy's `%(name)s`, as DuckDB's `$name`."""
        text = statement % _Placeholders() if "%" in statement else statement
        # DuckDB's replacement scan looks at the local and global variables of the calling Python frame. `eval` gives
        # this call a frame that has only the user's tables and `__builtins__`.
        native = self.connection.native
        call = partial(native.execute, text, dict(parameters)) if parameters else partial(native.execute, text)
        eval(_CALL, {_NO_NAME: call}, self.connection.scannable(text))  # noqa: S307 - constant code


class _Placeholders(dict[str, str]):
    """Maps `%(name)s` to `$name`."""

    def __missing__(self, name: str) -> str:
        return f"${name}"
