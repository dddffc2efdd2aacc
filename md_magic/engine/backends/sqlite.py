"""SQLite, in a file or in memory."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

from md_magic.engine.backends.base import Backend
from md_magic.engine.backends.binding import SQLiteBinding
from md_magic.engine.backends.engines import driver_of
from md_magic.engine.backends.introspection.inspector import SQLiteIntrospection
from md_magic.engine.backends.storage_classes import StorageClasses
from md_magic.engine.backends.writing.sqlite import SQLiteWriter
from md_magic.engine.plans import sqlite as plans
from md_magic.engine.results.batches import unique_names
from md_magic.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import sqlalchemy

    from md_magic.engine.backends.features import Feature
    from md_magic.engine.cancellation import Execution
    from md_magic.engine.plans.plan import Plan
    from md_magic.sql.statement import How, Statement
    from md_magic.sql.target import Target

logger = logging.getLogger(__name__)

_TYPES = (
    ("INT|BOOL", pa.int64()),
    ("CHAR|CLOB|TEXT|DATE|TIME|JSON|UUID", pa.string()),
    ("BLOB", pa.binary()),
    ("REAL|FLOA|DOUB|DEC|NUMERIC", pa.float64()),
)
"""Arrow's types of the values that a column usually has, by what is in its declared type: first SQLite's own rules."""

_VIEW = "md_magic_columns"
"""A view that is there while the columns of a query are asked for."""

_EXPLAIN_PLAN = re.compile(r"(?i)\A(?:\s|--[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/)*+EXPLAIN\s+QUERY\s+PLAN\b")
_TWICE = re.compile(r":\d+\Z")
"""What SQLite adds to a view's second column of one name."""


def _in_memory(url: sqlalchemy.URL) -> bool:
    database = url.database or ":memory:"
    return database.startswith((":memory:", "file::memory:")) or url.query.get("mode") == "memory"


class SQLiteBackend(Backend):
    """A connection to SQLite. Only this connection sees a database in memory."""

    binding = SQLiteBinding()
    introspection = SQLiteIntrospection
    classes = StorageClasses()
    unknown_tables = (re.compile(r"\Ano such table: (?:[^.]+\.)?(?P<name>.+)"),)
    unknown_columns = (
        re.compile(r"\Ano such column: (?:[^.]+\.)*(?P<name>.+)"),
        re.compile(r"\Atable .+ has no column named (?P<name>.+)"),
    )
    reads_plans = True
    explain_words = plan_column = "EXPLAIN QUERY PLAN"
    _plain_pool_class = NullPool  # a pooled connection to shared memory belongs to one thread

    @classmethod
    def is_file(cls, target: Target) -> bool:
        """Whether *target* is a file of this machine, and not in memory."""
        return Path(target.database).is_absolute()

    @classmethod
    def _pool_class(cls, url: sqlalchemy.URL) -> type[sqlalchemy.Pool]:
        """Keep the one connection of a database in memory, which disappears when it is closed."""
        return SingletonThreadPool if _in_memory(url) else NullPool

    @classmethod
    def plain_engine(cls, target: Target, opened: Callable[[], Self]) -> sqlalchemy.Engine:
        """Return an engine on *target*. Raises `TargetError` for a database in memory that is not shared."""
        url = target.sqlalchemy_url()
        if not target.variable and _in_memory(url) and url.query.get("cache") != "shared":
            message = (
                f"{target.name} is in memory, and SQLite shows it to one connection only, the one of the cells: an"
                " engine would have another, empty one. Use a file, sqlite:///data.db, or memory that is shared,"
                " sqlite:///file:data?mode=memory&cache=shared&uri=true."
            )
            raise TargetError(message)
        return super().plain_engine(target, opened)

    @property
    def is_in_memory(self) -> bool:
        """Whether the database lives in this connection alone."""
        return isinstance(self.engine.pool, (SingletonThreadPool, StaticPool))

    def why_not(self, feature: Feature) -> str:
        """Return why *feature* is not available: a database in memory has no second connection."""
        if feature == "background" and self.is_in_memory:
            return (
                f"{self.target.name} is in memory, and SQLite shows it to one connection only: nothing can run on it in"
                " the background. Use a file: sqlite:///data.db."
            )
        return "" if feature == "dry-run" else super().why_not(feature)

    def plan_column_of(self, statement: Statement) -> str:
        """Return a name that tells of a plan, though it has several columns: EXPLAIN alone has the machine's code."""
        return self.plan_column if _EXPLAIN_PLAN.match(statement.text) else ""

    def describe(
        self,
        statement: Statement,
        run: Callable[[Statement], dict[str, list[Any]]],  # noqa: ARG002 - see base
        values: Mapping[str, Any],
    ) -> list[dict[str, str]]:
        """Return name and type of each column, as SQLite compiles a temporary view of the query, which is dropped.

        An expression has no type.
        """
        sql = self.syntax.with_literals(statement, values)
        if not self.syntax.is_query(statement.text):
            driver_of(self.connection).execute(f"EXPLAIN\n{sql}")  # compiled, and not run
            return []
        columns = self._compiled(sql)
        names = unique_names([_TWICE.sub("", name) for name, _ in columns], exact=True)
        return [{"column": name, "type": kind} for name, (_, kind) in zip(names, columns, strict=True)]

    def _declared(self, statement: Statement, values: Mapping[str, Any]) -> Sequence[pa.DataType | None]:
        """Return the types that columns of tables are declared with; an expression has none."""
        if not self.syntax.is_query(statement.text):
            return ()
        try:
            return [_arrow_type(kind) for _, kind in self._compiled(self.syntax.with_literals(statement, values))]
        except Exception:  # a parameter that is no literal, or PRAGMA query_only
            logger.debug("no declared types", exc_info=True)
            return ()

    def _compiled(self, sql: str) -> list[tuple[str, str]]:
        """Return name and declared type of each column of the query *sql*, which is compiled and not run."""
        cursor = driver_of(self.connection).cursor()
        cursor.execute(f"CREATE TEMPORARY VIEW {_VIEW} AS\n{self.syntax.without_semicolon(sql)}")
        try:
            cursor.execute(f"PRAGMA temp.table_info({_VIEW})")
            columns = [(row[1], row[2]) for row in cursor.fetchall()]
        finally:
            cursor.execute(f"DROP VIEW temp.{_VIEW}")
        return columns

    def plan(self, columns: Mapping[str, Sequence[Any]], *, analyzed: bool) -> Plan:  # noqa: ARG002 - it has no ANALYZE
        """Return the plan in *columns*: rows, each with its parent's number."""
        return plans.read(columns)

    def upload(
        self,
        table: Sequence[str],
        value: Any,  # noqa: ANN401 - any table
        how: How,
        execution: Execution | None = None,
    ) -> int:
        """Write on the notebook's own connection, which may be the only one that sees the database."""
        if self.engine.dialect.driver != "pysqlite":
            return super().upload(table, value, how, execution)
        return SQLiteWriter(self, execution).write(table, value, how)


def _arrow_type(declared: str) -> pa.DataType | None:
    return next((kind for pattern, kind in _TYPES if re.search(pattern, declared.upper())), None)
