"""The shadow: an in-memory DuckDB with empty tables like those that a statement names. Statements are bound in it.

Nothing is run but our own CREATEs, and no file, network, extension or setting can be reached. A query is bound by
DESCRIBE, which only binds; what changes a table by EXPLAIN, without the optimizers that evaluate expressions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.sql.quoting import DUCKDB, identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
    "errors_as_json": True,
    "threads": 1,
}
_EVALUATE = "expression_rewriter,filter_pullup,filter_pushdown,in_clause,statistics_propagation"
"""The optimizers that are off. Without `join_order` DuckDB 1.5 crashes at a MERGE."""

_MOST_OBJECTS = 300
"""With more objects the shadow is made anew: looking for similar names would take longer and longer."""


_MOST_PARSED = 2000


class Unknown(Exception):
    """Something that the shadow cannot know, so that nothing is said of the statement."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why DuckDB does not accept a statement."""

    kind: str
    """Such as `Parser`, `Binder` or `Catalog`."""

    message: str
    """DuckDB's own sentence."""

    position: int | None = None
    """Where, in bytes of the statement; `None` where DuckDB does not say."""

    details: Mapping[str, str] | None = None
    """What else DuckDB says, such as `name`, `type`, `candidates` and `error_subtype`."""

    @property
    def text(self) -> str:
        """The message as the driver would show it."""
        return f"{self.kind} Error: {self.message}"

    def detail(self, key: str) -> str:
        """Return what DuckDB says under *key*; empty where it does not."""
        return (self.details or {}).get(key, "")


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view of the catalog."""

    database: str
    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    """Names and types."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies it."""
        return self.database.lower(), self.schema.lower(), self.name.lower()

    @property
    def sql(self) -> str:
        """The statement that makes it, empty. Raises `Unknown` where a type is not known."""
        if not self.columns or not all(kind for _, kind in self.columns):
            raise Unknown
        columns = ", ".join(f"{identifier(name)} {kind}" for name, kind in self.columns)
        if self.database == "temp":
            return f"CREATE OR REPLACE TEMP TABLE {identifier(self.name)} ({columns})"
        return f"CREATE OR REPLACE TABLE {identifier(self.database, self.schema, self.name)} ({columns})"


class Shadow:
    """One DuckDB. It is made when the first statement is bound, takes 10 ms for it, and can be thrown away."""

    def __init__(self) -> None:
        """Make nothing yet."""
        self._native: duckdb.DuckDBPyConnection | None = None
        self._relations: dict[tuple[str, str, str], Relation] = {}
        self._made: set[str] = set()
        """Statements that made the databases, schemas, types and macros that are there."""

        self._schemas: set[tuple[str, str]] = set()
        self._path: tuple[tuple[str, str], ...] = ()
        self._functions: frozenset[str] = frozenset()
        self._parsed: dict[str, list[duckdb.Statement]] = {}

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._native is None:
            self._native = duckdb.connect(":memory:", config=_CONFIG)
            self._native.execute(f"SET disabled_optimizers = '{_EVALUATE}'")
        return self._native

    def clear(self) -> None:
        """Throw everything away."""
        if self._native is not None:
            self._native.close()
        self._native, self._relations, self._made, self._schemas, self._path = None, {}, set(), set(), ()

    @property
    def functions(self) -> frozenset[str]:
        """The names, in lower case, of DuckDB's own functions."""
        if not self._functions:
            rows = self._connection.execute("SELECT DISTINCT function_name FROM duckdb_functions() WHERE internal")
            self._functions = frozenset(name.lower() for (name,) in rows.fetchall())
        return self._functions

    # ---- what is in it ----------------------------------------------------------------------------------------------

    def hold(
        self,
        relations: Iterable[Relation],
        path: Sequence[tuple[str, str]],
        *,
        schemas: Iterable[tuple[str, str]],
        named: Iterable[tuple[str, str]],
    ) -> None:
        """Have *relations* as they are now, and look names up along *path*. Raises `Unknown` for what cannot be had.

        *schemas* are all that there are, those *named* are here even without a relation.
        """
        if len(self._relations) > _MOST_OBJECTS or not self._schemas <= {*schemas}:
            self.clear()
        for database, schema in named:
            self._make_schema(database, schema)
        for relation in relations:
            if self._relations.get(relation.key) != relation:
                self._make_schema(relation.database, relation.schema)
                self._create(relation.sql)
                self._relations[relation.key] = relation
        self._look_along(tuple(path))

    def drop(self, keys: Iterable[tuple[str, str, str]]) -> None:
        """Drop the relations of those *keys* that are here: the catalog has them no more."""
        for key in [key for key in keys if key in self._relations]:
            relation = self._relations.pop(key)
            self._create(f"DROP TABLE {identifier(relation.database, relation.schema, relation.name)}")

    @property
    def keys(self) -> list[tuple[str, str, str]]:
        """The keys of the relations that are here."""
        return list(self._relations)

    def make(self, *statements: str) -> None:
        """Run our own CREATE *statements*, each once. Raises `Unknown` where one fails."""
        for sql in statements:
            if sql not in self._made:
                self._create(sql)
                self._made.add(sql)

    def _make_schema(self, database: str, schema: str) -> None:
        if database in {"temp", "system"}:
            return
        self._schemas.add((database, schema))
        if database not in {"", "memory"}:
            self.make(f"ATTACH ':memory:' AS {identifier(database)}")
        if schema not in {"", "main"}:
            self.make(f"CREATE SCHEMA IF NOT EXISTS {identifier(database, schema)}")

    def _look_along(self, path: tuple[tuple[str, str], ...]) -> None:
        chosen = [each for each in path if each[0] not in {"temp", "system"}]
        if path == self._path or not chosen:
            return
        for database, schema in chosen:
            self._make_schema(database, schema)
        names = ",".join(identifier(*each) for each in chosen)
        self._create(f"SET search_path = {DUCKDB.literal(names)}")
        self._path = path

    def _create(self, sql: str) -> None:
        try:
            self._connection.execute(sql)
        except duckdb.Error as error:
            raise Unknown from error

    # ---- asking it --------------------------------------------------------------------------------------------------

    def extract(self, sql: str) -> list[duckdb.Statement]:
        """Return the statements of *sql*; raise DuckDB's error, in JSON, for what it cannot parse."""
        parsed = self._parsed.get(sql)
        if parsed is None:
            parsed = self._connection.extract_statements(sql)
            if len(self._parsed) > _MOST_PARSED:
                self._parsed.clear()
            self._parsed[sql] = parsed
        return parsed

    def bind(
        self, sql: str, values: Mapping[str, object], frames: Mapping[str, object], *, is_query: bool
    ) -> Problem | None:
        """Return why DuckDB does not bind *sql*, one statement; `None` where it does. Nothing is run."""
        words = "DESCRIBE " if is_query else "EXPLAIN "
        try:
            self._ask(words + sql, values, frames)
        except duckdb.Error as error:
            return problem(error, before=len(words))
        return None

    def columns(
        self, sql: str, values: Mapping[str, object], frames: Mapping[str, object]
    ) -> tuple[tuple[str, str], ...]:
        """Return name and type of the columns that *sql*, a query, would give. Raises `Unknown` where it is none."""
        try:
            rows = self._ask(f"DESCRIBE {sql}", values, frames)
        except duckdb.Error as error:
            raise Unknown from error
        return tuple((name, kind) for name, kind, *_ in rows)

    def _ask(self, sql: str, values: Mapping[str, object], frames: Mapping[str, object]) -> list[tuple[Any, ...]]:
        connection = self._connection
        held: list[str] = []
        try:
            for name, frame in frames.items():
                held.append(name)
                try:
                    connection.register(name, frame)
                except Exception as error:
                    raise Unknown from error
            asked = connection.execute(sql, dict(values)) if values else connection.execute(sql)
            return asked.fetchall()
        finally:
            for name in held:
                connection.unregister(name)


def problem(error: duckdb.Error, *, before: int = 0) -> Problem:
    """Return what *error*, in JSON, says of a statement that has *before* bytes of ours in front of it."""
    kind, _, details = str(error).partition(" Error: ")
    try:
        said = json.loads(details)
    except ValueError:
        return Problem(kind, details or str(error))
    position = said.get("position")
    return Problem(
        said.get("exception_type", kind),
        said.get("exception_message", ""),
        max(int(position) - before, 0) if position is not None else None,
        said,
    )
