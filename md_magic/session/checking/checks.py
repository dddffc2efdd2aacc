"""What a session knows, given to the checker: the catalog, the saved queries and the notebook's variables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from md_magic.engine import backends
from md_magic.errors import ParameterError
from md_magic.session import meant, parameters
from md_magic.session.checking.check import Checked, Checker
from md_magic.session.checking.known import Known
from md_magic.sql import syntax

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from md_magic.catalog.cache import CatalogCache
    from md_magic.engine.connection_state import ConnectionState
    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool
    from md_magic.session.reading import StatementReader
    from md_magic.sql.statement import Statement
    from md_magic.sql.target import Target

_PATIENCE = 3.0
"""Seconds that a person who asks for a repair waits for the catalog."""

_TICK = 0.02

_DO_NOT_MATTER = frozenset(
    {
        "access_mode",
        "custom_user_agent",
        "default_null_order",
        "default_order",
        "enable_progress_bar",
        "errors_as_json",
        "enable_progress_bar_print",
        "home_directory",
        "max_memory",
        "memory_limit",
        "motherduck_token",
        "preserve_insertion_order",
        "progress_bar_time",
        "schema",
        "search_path",
        "session_name",
        "streaming_buffer_size",
        "temp_directory",
        "threads",
        "timezone",
        "worker_threads",
    }
)
"""Settings that do not change how a statement is parsed or bound."""


_PLAIN_EXTENSIONS = frozenset(
    {"autocomplete", "aws", "azure", "delta", "ducklake", "excel", "fts", "httpfs", "iceberg", "icu", "inet", "json"}
    | {
        "mysql",
        "parquet",
        "postgres",
        "postgres_scanner",
        "spatial",
        "sqlite",
        "sqlite_scanner",
        "tpcds",
        "tpch",
        "vss",
    }
)
"""Extensions that leave the grammar alone."""


class Checks:
    """Checks the cells of one session. No target is opened, and none is asked but for the catalog of completion."""

    def __init__(
        self,
        pool: EnginePool,
        reader: StatementReader,
        *,
        catalog_cache: Callable[[Database], CatalogCache],
    ) -> None:
        """Check nothing yet. *catalog_cache* returns the catalog cache of an open database."""
        self._pool = pool
        self._reader = reader
        self._catalog_cache = catalog_cache
        self._checker = Checker()

    def check(
        self,
        sql: str,
        target: Target,
        variables: Mapping[str, Any],
        *,
        unvalued: frozenset[str] = frozenset(),
        saving: str | None = None,
    ) -> Checked:
        """Return what *target* would refuse to parse or bind in *sql*; nothing for a database that is not DuckDB.

        Only the syntax is checked where the catalog is not known for sure: before the target is open, say. The
        parameters *unvalued* have values that are not known yet; *saving* is the name under which *sql* is kept.
        """
        known = self._known(target, variables, unvalued, saving)
        return self._checker.check(sql, known) if known is not None else Checked()

    def columns(self, sql: str, target: Target, variables: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Return name and type of the columns that the last of *sql* would give on *target*; none where not known."""
        known = self._known(target, variables, frozenset(), None)
        return self._checker.columns(sql, known) if known is not None else ()

    def mended(self, sql: str, target: Target, error: str, variables: Mapping[str, Any]) -> str | None:
        """Return *sql* with each name that is wrong replaced by the one that is near; `None` where that is not sure.

        Nothing is run. What is returned has no mistake that is known. A database that is not DuckDB tells of one name,
        in its *error*.
        """
        database = self._pool.find(target)
        if database is not None and not backends.of(target).binds_like_duckdb:
            return meant.mended(database, sql, error, self._reader.names)
        deadline = time.monotonic() + _PATIENCE
        known = self._known(target, variables, frozenset(), None)
        while known is not None and known.is_pending and time.monotonic() < deadline:
            time.sleep(_TICK)
            known = self._known(target, variables, frozenset(), None)
        return self._checker.mended(sql, known) if known is not None else None

    def close(self) -> None:
        """Free the shadow."""
        self._checker.close()

    def _known(
        self, target: Target, variables: Mapping[str, Any], unvalued: frozenset[str], saving: str | None
    ) -> Known | None:
        kind = backends.of(target)
        if not kind.binds_like_duckdb:
            return None
        database = self._pool.find(target)
        if database is None:
            return Known(syntax.of(target.dialect), is_extended=kind.extends_duckdb)

        def values(statement: Statement) -> Mapping[str, object]:
            if unvalued & {parameter.name for parameter in statement.parameters}:
                raise ParameterError  # nothing is said of it
            return parameters.values(statement, variables)

        local, is_plain = database.backend.local, _is_plain(database)
        cache = self._catalog_cache(database)
        snapshot = cache.settled() if is_plain else None
        return Known(
            syntax=database.backend.syntax,
            snapshot=snapshot,
            is_pending=is_plain and snapshot is None,
            variables=variables,
            saved=self._reader.names,
            inline=lambda statement: self._reader.inlined(database.backend.dialect, statement, but=saving),
            private=_private(local),
            still_holds=cache.still_holds,
            is_extended=kind.extends_duckdb or not _PLAIN_EXTENSIONS.issuperset(map(str.lower, local.loaded)),
            has_all_functions=not local.in_transaction,
            values=values,
        )


def _private(local: ConnectionState) -> frozenset[str]:
    """Return the names, in lower case, of what only the connection has, and no catalog describes."""
    unlisted = [each.name for each in local.temporary if each.kind not in {"table", "view"}]
    return frozenset(name.lower() for name in (*unlisted, *local.prepared))


def _is_plain(database: Database) -> bool:
    """Whether no setting of *database* changes what SQL means, as far as it is known."""
    if database.target.variable:  # the user's own connection: they can have set anything
        return False
    backend = database.backend
    settings = {name.lower() for name in (*backend.local.settings, *backend.config)}
    settings |= {name.lower() for name in database.target.sqlalchemy_url().query}
    return settings <= _DO_NOT_MATTER
