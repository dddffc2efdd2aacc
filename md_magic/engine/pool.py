"""The engine pool: one open database for each target, for the lifetime of the notebook.

The invariants: keys contain no secrets. Closing is idempotent, logs a cleanup that fails, and leaves the pool usable.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

from md_magic.engine import backends
from md_magic.engine.database import Database, adopt_database, open_database
from md_magic.errors import ConnectError, TargetError
from md_magic.sql.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import sqlalchemy

    from md_magic.auth.token import Token


class EnginePool:
    """The open databases of one kernel, keyed by target."""

    def __init__(self) -> None:
        """Make an empty pool."""
        self._databases: dict[Target, Database] = {}
        self._engines: dict[Target, sqlalchemy.Engine] = {}
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[Database]:
        """Yield the open databases, oldest first."""
        with self._lock:
            return iter(list(self._databases.values()))

    def find(self, target: Target) -> Database | None:
        """Return the open database of *target*, if there is one."""
        with self._lock:
            return self._databases.get(target)

    def get(self, target: Target, config: Mapping[str, Any] | None = None, token: Token | None = None) -> Database:
        """Return the open database of *target*; open it if it is not, for MotherDuck with *token*.

        Raises `TargetError` for a missing driver, `ConnectError` if it cannot be opened or is open with another
        *config*, and `SignInError` if MotherDuck refuses the token.
        """
        with self._lock:
            database = self._databases.get(target)
            if database is None and target.variable:
                message = (
                    f"{target.name} is closed, and only you can open it: run `%mdsql --engine {target.variable}` again."
                )
                raise TargetError(message)
            if database is None:
                database = self._databases[target] = open_database(target, config or {}, token)
            elif config and dict(config) != database.backend.config:
                message = (
                    f"{target.name} is already open with another configuration. "
                    f"Close it first: `%mdsql --close {target.name}`."
                )
                raise ConnectError(message)
            return database

    def adopt(self, name: str, value: object) -> Database:
        """Return the open database over *value*, the SQLAlchemy engine or DuckDB connection in variable *name*.

        Raises `TargetError` for any other value, and `ConnectError` for one that cannot connect.
        """
        dialect = backends.dialect_of(value)
        if dialect is None:
            message = (
                f"--engine {name}: got a {type(value).__name__}, where a SQLAlchemy Engine or a DuckDB connection is"
                " needed. Make one with `sqlalchemy.create_engine(...)` or `duckdb.connect(...)`."
            )
            raise TargetError(message)
        target = Target(url=f"{dialect}://", account=f"object {id(value)}", variable=name)
        with self._lock:
            database = self._databases.get(target)
            if database is None:
                database = self._databases[target] = adopt_database(target, value)
            else:
                database.backend.look_again()
            return database

    def plain_engine(self, target: Target) -> sqlalchemy.Engine:
        """Return the SQLAlchemy engine for Python code on *target*, which is open; always the same one.

        It connects to what is open on *target* at that moment, and raises `ConnectError` while nothing is. Raises
        `TargetError` where no other connection can see the database.
        """
        with self._lock:
            engine = self._engines.get(target)
            if engine is None:
                kind = backends.of(target)
                engine = kind.plain_engine(target, functools.partial(self._opened, target))
                database = self._databases.get(target)
                if database is None or engine is not database.backend.engine:  # which is the user's own
                    self._engines[target] = engine
            return engine

    def _opened(self, target: Target) -> Any:  # noqa: ANN401 - a backend of the kind that the engine was made for
        """Return the backend that is open on *target*. Raises `ConnectError` where it was closed."""
        database = self.find(target)
        if database is not None and not database.backend.is_closed:
            return database.backend
        again = (
            f"run `%mdsql --engine {target.variable}`"
            if target.variable
            else f"run `%mdsql {target.name}`, or call `md_magic.engine({target.name!r})`"
        )
        message = f"{target.name} was closed, and this engine with it. To go on, {again}: this engine then works again."
        raise ConnectError(message)

    def close(self, target: Target) -> bool:
        """Close the database of *target*; return whether it was open."""
        with self._lock:
            database = self._databases.pop(target, None)
            engine = self._engines.get(target)
        if database is not None:
            database.close()
            if engine is not None:
                engine.dispose()
        return database is not None

    def close_all(self) -> int:
        """Close every database, the newest first; return how many there were."""
        with self._lock:
            targets = list(reversed(self._databases))
        return sum(self.close(target) for target in targets)
