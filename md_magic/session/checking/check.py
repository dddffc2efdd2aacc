"""Checking the statements of a cell: what DuckDB would refuse to parse or bind, and where.

The invariant: a mark is never wrong. Whatever the shadow cannot know for sure, such as a function of an extension, a
setting, or what an earlier statement of the cell does, ends the binding of that statement, and only its syntax counts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb

from md_magic.errors import MdMagicError, ParameterError
from md_magic.session.checking import frames, pivot, trust
from md_magic.session.checking import marks as marking
from md_magic.session.checking import names as naming
from md_magic.session.checking.effects import Effects, created_kind
from md_magic.session.checking.shadow import Problem, Shadow, Unknown, problem
from md_magic.sql import parser
from md_magic.sql.quoting import DUCKDB
from md_magic.sql.references import created_name
from md_magic.sql.split import first_word
from md_magic.sql.statement import Statement, without_parentheses
from md_magic.sql.tokens import head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from md_magic.catalog.snapshot import Snapshot
    from md_magic.session.checking.known import Known
    from md_magic.session.checking.marks import Mark

_BOUND = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "CREATE", "COPY", "DROP", "ALTER", "CALL", "EXECUTE"}
)
"""Kinds of statements that EXPLAIN binds as running them does."""

_AROUND = {"EXPLAIN": frozenset({"explain", "analyze", "analyse"}), "PREPARE": frozenset({"as"})}
"""Kinds of statements that have another in them, and the words one of which stands right before it."""

_QUERIES = frozenset({"select", "with", "from", "values"})
_BEGIN = _QUERIES | {"insert", "update", "delete", "create", "merge"}
"""Words that begin a statement in an EXPLAIN or a PREPARE."""

_HEAD = 12
"""Tokens of an EXPLAIN or a PREPARE within which the inner statement begins."""

_TELL_NOTHING = frozenset({"getvariable", "query", "query_table", "duckdb_logs"})
"""Functions whose result depends on what only the connection knows."""

_MOST_CACHED = 5000
_MOST_MENDED = 20
"""At most this many names are replaced in one text."""

_BUDGET = 0.25
"""Seconds after which a check ends, to be continued: a running cell is not to be slowed."""


class _Changed(Exception):
    """The catalog has changed since the snapshot was taken."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a cell."""

    marks: tuple[Mark, ...] = ()
    is_whole: bool = True
    """Whether everything was checked that can be; if not, another check goes on."""


class Checker:
    """Checks cells, one at a time, against one shadow. A statement that did not change is not bound again."""

    def __init__(self) -> None:
        """Make a checker; its shadow is made when it is needed."""
        self._shadow = Shadow()
        self._lock = threading.Lock()
        self._cache: dict[Any, Problem | None] = {}
        self._snapshot: Snapshot | None = None
        self._tables: dict[tuple[str, ...], int] = {}
        """What names mean in that snapshot."""

        self._others = 0
        """The same for the same schemas and types."""

    def check(self, sql: str, known: Known) -> Checked:
        """Return what DuckDB would refuse in *sql*, in its order. Nothing of it is run."""
        with self._lock:
            try:
                statements = known.syntax.split(sql, self._shadow.extract)
            except duckdb.ParserException as error:
                if known.is_extended and not trust.is_of_duckdb(
                    sql, parser.characters(sql, problem(error).position or 0)
                ):
                    return Checked()
                return Checked((marking.of_problem(sql, Statement(sql), _of_parser(error, sql), known),))
            except (duckdb.Error, MdMagicError, TypeError, ValueError):  # a lone surrogate, say
                return Checked()
            if known.snapshot is None:
                return Checked(is_whole=not known.is_pending)
            return self._checked(sql, statements, known, known.snapshot)

    def columns(self, sql: str, known: Known) -> tuple[tuple[str, str], ...]:
        """Return name and type of the columns that the last statement of *sql* would give; none where not known."""
        if known.snapshot is None:
            return ()
        effects = Effects()
        with self._lock:
            try:
                *earlier, last = known.syntax.split(sql, self._shadow.extract)
                for each in earlier:
                    effects.note(each)
                if effects.is_opaque:
                    return ()
                statement = known.inline(last)
                values = known.values(statement)
                tables = self._prepare(statement, known, known.snapshot, effects)
                return self._shadow.columns(_as_bound(statement, values), values, tables)
            except (Unknown, ValueError, duckdb.Error, MdMagicError):
                return ()
            finally:
                if effects.made:
                    self._shadow.clear()  # what the earlier statements define is not there yet

    def mended(self, sql: str, known: Known) -> str | None:
        """Return *sql* with each wrong name replaced by the only one that is near; `None` where that is not sure."""
        text = sql
        for _ in range(_MOST_MENDED):
            checked = self.check(text, known)
            if not checked.marks:
                return text if text != sql and checked.is_whole else None
            mark = checked.marks[0]
            name = marking.only_near(text[mark.start : mark.end], mark.names)
            if name is None:
                return None
            text = text[: mark.start] + name + text[mark.end :]
        return None

    def close(self) -> None:
        """Throw the shadow away. A later check makes another."""
        with self._lock:
            self._shadow.clear()

    # ---- one statement after the other ------------------------------------------------------------------------------

    def _checked(self, sql: str, statements: Sequence[Statement], known: Known, snapshot: Snapshot) -> Checked:
        marks: list[Mark] = []
        effects = Effects()
        deadline = time.monotonic() + _BUDGET
        try:
            for typed in statements:
                if time.monotonic() > deadline:
                    return Checked(tuple(marks), is_whole=False)
                marks += self._marks(sql, typed, known, snapshot, effects)
                effects.note(typed)
        except _Changed:
            return Checked(tuple(marks), is_whole=False)
        finally:
            if effects.made:
                self._shadow.clear()  # what the cell defines is not there yet
        return Checked(tuple(marks))

    def _marks(self, sql: str, typed: Statement, known: Known, snapshot: Snapshot, effects: Effects) -> Iterator[Mark]:
        try:
            statement = known.inline(typed)
            values = known.values(statement)
        except ParameterError as error:
            yield from marking.of_parameter(sql, typed, error, known)
        except MdMagicError:
            return  # a saved query that cannot be put in: said when the cell runs
        else:
            found = self._problem(statement, values, known, snapshot, effects)
            if found is not None:
                if not trust.still_holds(found, statement, known, snapshot):
                    raise _Changed
                yield marking.of_problem(sql, statement, found, known)

    def _problem(
        self, statement: Statement, values: Mapping[str, object], known: Known, snapshot: Snapshot, effects: Effects
    ) -> Problem | None:
        if effects.is_opaque or not _is_bound(statement):
            return None
        try:
            key = self._key(statement, known, snapshot, effects) if not values else None
            if key is not None and key in self._cache:
                return self._cache[key]
            tables = self._prepare(statement, known, snapshot, effects)
            found = self._bind(statement, values, tables)
        except Unknown:
            return None
        if found is not None and not trust.is_sure(found, statement, known, snapshot):
            found = None
        if key is not None:
            if len(self._cache) > _MOST_CACHED:
                self._cache.clear()
            self._cache[key] = found
        return found

    def _key(self, statement: Statement, known: Known, snapshot: Snapshot, effects: Effects) -> Any:  # noqa: ANN401 - a key
        """Return what the answer for a statement without parameters depends on, as something hashable."""
        if snapshot is not self._snapshot:
            self._snapshot, self._tables = snapshot, {}
            self._others = hash((snapshot.schemas, snapshot.types, *snapshot.enums.items()))
        written = naming.names(statement.text)
        tables = tuple(map(self._table, written.ordered))
        variables = sorted(written.single & known.variables.keys())
        tables_of_python = tuple((name, frames.fingerprint(known.variables[name])) for name in variables)
        if any(columns is None for _, columns in tables_of_python):
            return None
        macros = tuple(naming.macros(snapshot.functions, written.called).values())
        functions = tuple(snapshot.functions.get(name) for name in sorted(written.called))
        unknown = frozenset(effects.changed | known.private)
        flags = (known.has_all_functions, snapshot.path, effects.fingerprint)
        return statement.text, tables, tables_of_python, functions, macros, unknown, self._others, flags

    def _table(self, parts: tuple[str, ...]) -> int:
        """Return a number for what *parts* mean in the snapshot, the same for the same columns; 0 for no table."""
        number = self._tables.get(parts)
        if number is None:
            assert self._snapshot is not None  # noqa: S101 - callers have set it
            table = self._snapshot.find(parts)
            number = self._tables[parts] = hash((table, self._snapshot.columns_of(table))) if table is not None else 0
        return number

    def _bind(self, statement: Statement, values: Mapping[str, object], tables: Mapping[str, object]) -> Problem | None:
        if first_word(statement.text) == "PIVOT":
            return self._bind_pivot(statement, tables)
        text, inner = _as_bound(statement, values), _inner(statement)
        found = self._shadow.bind(text[inner:], values, tables, is_query=_is_query(statement, text[inner:]))
        if found is None or found.position is None or not inner:
            return found
        return replace(found, position=found.position + len(text[:inner].encode()))

    def _bind_pivot(self, statement: Statement, tables: Mapping[str, object]) -> Problem | None:
        """Bind the expressions of a PIVOT to its table: the values of its columns are in no shadow."""
        pivoted = pivot.expressions(statement.text)
        found = self._shadow.bind(pivoted, {}, tables, is_query=True) if pivoted else None
        position = pivot.position(statement.text, found.detail("name")) if found is not None else None
        if found is None or position is None:
            return None
        message = found.message.replace("Scalar Function", "Aggregate Function", 1)  # which is what a PIVOT takes
        return replace(found, position=position, message=message)

    # ---- what the shadow needs --------------------------------------------------------------------------------------

    def _prepare(self, statement: Statement, known: Known, snapshot: Snapshot, effects: Effects) -> dict[str, object]:
        """Have in the shadow what *statement* names; return the Python tables among it. Raises `Unknown`."""
        if not snapshot.path:
            raise Unknown
        for definition in effects.definitions[effects.made :]:
            effects.made += 1
            self._define(definition, known, snapshot, effects)
        written = naming.names(statement.text)
        low = {name.lower() for parts in written.dotted for name in parts}
        if low & (effects.changed | known.private) or written.called & _TELL_NOTHING:
            raise Unknown
        if {schema.lower() for each in snapshot.schemas for schema in each} & written.qualifying:
            raise Unknown  # a macro of another schema: of those with one name, the snapshot has one
        macros = naming.macros(snapshot.functions, written.called - effects.defined)
        for name in written.called & snapshot.functions.keys():
            if name not in macros and name not in self._shadow.functions and name not in effects.defined:
                raise Unknown  # of an extension
        inner = [naming.names(body) for function in macros.values() for _, body in function.macros]
        dotted = written.dotted.union(*(each.dotted for each in inner))
        self._hold(snapshot, {parts for parts in dotted if parts[-1].lower() not in effects.defined})
        single = written.single.union(*(each.single for each in inner))
        self._shadow.make(*naming.types(snapshot.enums, snapshot.types, single))
        self._shadow.make(*map(naming.macro_sql, macros.values()))
        named = [name for name in written.single & known.variables.keys() if name.lower() not in effects.defined]
        return frames.without_rows(known.variables, [name for name in named if snapshot.find((name,)) is None])

    def _hold(self, snapshot: Snapshot, dotted: set[tuple[str, ...]]) -> None:
        relations = naming.relations(snapshot, dotted)
        needed = {relation.key for relation in relations}
        named = {parts[-1].lower() for parts in dotted}
        self._shadow.drop(key for key in self._shadow.keys if key not in needed and key[-1] in named)
        schemas = naming.schemas(snapshot, dotted)
        self._shadow.hold(relations, snapshot.path, schemas=snapshot.schemas, named=schemas)

    def _define(self, definition: Statement, known: Known, snapshot: Snapshot, effects: Effects) -> None:
        """Make in the shadow what a CREATE of the cell makes; where that fails, what its name means is not known."""
        defined = created_name(definition.text)
        if definition.parameters:
            effects.changed |= defined
            return
        try:
            tables = self._prepare(definition, known, snapshot, effects)
            self._shadow.make(self._without_query(definition, known, tables))
        except Unknown:
            effects.changed |= defined
        else:
            effects.defined |= defined

    def _without_query(self, definition: Statement, known: Known, tables: Mapping[str, object]) -> str:
        """Return a CREATE TABLE AS with no more of its query than names and types: it must not run."""
        points = known.syntax.insertion_points(definition.text) if created_kind(definition.text) == "table" else []
        if not points:
            return definition.text
        columns = self._shadow.columns(definition.text[points[0].at : points[0].end], {}, tables)
        selected = ", ".join(f"NULL::{kind} AS {DUCKDB.identifier(name)}" for name, kind in columns)
        return f"{definition.text[: points[0].at]}SELECT {selected} LIMIT 0"


def _of_parser(error: duckdb.Error, sql: str) -> Problem:
    """Return what the parser says of *sql*, at a place in bytes, as the binder counts."""
    found = problem(error)
    if found.position is None:
        return found
    return replace(found, position=len(sql[: parser.characters(sql, found.position)].encode()))


# ---- how a statement is bound -----------------------------------------------------------------------------------


def _is_bound(statement: Statement) -> bool:
    """Whether *statement* can be bound as it would be when it runs."""
    if statement.kind in _AROUND:
        return _inner(statement) > 0
    if statement.kind not in _BOUND:
        return False
    if statement.kind in {"CREATE", "DROP", "ALTER"}:
        return created_kind(statement.text) in {"table", "view", "index"}
    return "pivot" not in statement.text.lower() or first_word(statement.text) == "PIVOT"  # columns come from rows


def _inner(statement: Statement) -> int:
    """Return the offset of the statement in an EXPLAIN or a PREPARE; 0 for others, and where it is not clear."""
    words = _AROUND.get(statement.kind)
    if words is None:
        return 0
    read = head(statement.text, _HEAD)
    if len(read) > 1 and read[1].text == "(":  # EXPLAIN (FORMAT json) SELECT
        words = frozenset({")"})
    for token, following in pairwise(read):
        if token.low in words and following.low not in words:
            return following.start if following.low in _BEGIN else 0
    return 0


def _is_query(statement: Statement, text: str) -> bool:
    if statement.kind in _AROUND:
        return first_word(text).lower() in _QUERIES
    return statement.kind == "SELECT"


def _as_bound(statement: Statement, values: Mapping[str, object]) -> str:
    """Return the text that DuckDB gets when it runs: `IN (:ids)` with a list is `IN $ids`."""
    text = statement.text
    for parameter in statement.parameters:
        if isinstance(values.get(parameter.name), list):
            text = without_parentheses(text, parameter.start)
    return text
