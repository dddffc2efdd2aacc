"""The two sides of a comparison: what a word names, and asking the database where it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from md_magic.catalog.listing import name_parts
from md_magic.engine.backends.digests import declared_key
from md_magic.engine.backends.duckdb.digests import DuckDBDigests
from md_magic.engine.results.spec import AS_DICT, ResultSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from md_magic.engine.backends.digests import Digests
    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.scratch import Scratch
    from md_magic.session.session import Session
    from md_magic.sql.target import Target

_ON_TARGET = re.compile(r"(?s)(@[\w.-]+):(.+)\Z")
_QUERY = re.compile(r"(?i)\A\s*(?:(?:select|with|from|values|table|pivot|unpivot)\b(?!\s*\.)|\()(?=.*\s|.*\()")
_PLAIN = re.compile(r'\A(?:\w+|"(?:[^"]|"")+")(?:\.(?:\w+|"(?:[^"]|"")+"))*\Z')


@dataclass(frozen=True, slots=True)
class Word:
    """What is compared, as it was typed."""

    text: str
    target: str = ""
    """The `@alias` before it; empty for the current target."""

    query: str = ""
    """Its SQL; empty for a name."""

    name: str = ""
    """The name of a table, a saved query or a frame."""

    @classmethod
    def read(cls, text: str) -> Word:
        """Read `sales`, `@prod:sales` or a SELECT."""
        quoted = text[1:-1] if text[:2] in {'"@', "'@"} and text[-1] == text[0] else text
        match = _ON_TARGET.match(quoted)
        target, rest = match.groups() if match else ("", text)
        rest = _unquoted_query(rest)
        if _QUERY.match(rest):
            return cls(text, target, query=rest.strip().rstrip(";"))
        return cls(text, target, name=rest.strip())


def _unquoted_query(text: str) -> str:
    """Return *text* without the quotes around a query; quotes around a name are SQL's."""
    inner = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    return inner if _QUERY.match(inner) or text[:1] == "'" else text


class Side(Protocol):
    """One of the two tables, where it is."""

    label: str
    query: str

    @property
    def digests(self) -> Digests:
        """The SQL that compares tables there."""

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """Run *sql* and return the columns of its result."""

    def stream(self, sql: str, take: Callable[[pa.RecordBatch], object]) -> None:
        """Run *sql* and give *take* its rows as they come."""

    def key(self) -> list[str]:
        """Return the columns of a declared key; none without one."""


class OnTarget:
    """A table, saved query, frame or SELECT on a target of the session."""

    def __init__(self, session: Session, word: Word, target: Target, variables: Mapping[str, Any]) -> None:
        """Look at *word* on *target*, which is open; *variables* are those of the cell."""
        self._session = session
        self._target = target
        self._variables = variables
        self.label = word.text
        with session.selection.aside(target):
            self.backend = session.use().backend
        self._name = word.name
        self.query = word.query or f"SELECT * FROM {self._spelt(word.name)}"  # noqa: S608 - the user's own
        self.digests: Any = self.backend.digests

    def _spelt(self, name: str) -> str:
        return name if _PLAIN.match(name) else self.backend.syntax.quoting.identifier(*name_parts(name))

    def _run(self, sql: str, spec: ResultSpec) -> Any:  # noqa: ANN401 - in the form of *spec*
        value = None
        with self._session.selection.aside(self._target):
            for outcome in self._session.run(sql, self._variables, spec=spec):
                value = outcome.value
        return value

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """Run *sql* and return the columns of its result."""
        answer: dict[str, list[Any]] = self._run(sql, AS_DICT)
        return answer

    def stream(self, sql: str, take: Callable[[pa.RecordBatch], object]) -> None:
        """Run *sql* and give *take* its rows as they come."""

        def sink(_columns: Sequence[Column], batches: Batches) -> None:
            for batch in batches:
                take(batch)

        self._run(sql, ResultSpec(sink=sink))

    def key(self) -> list[str]:
        """Return the columns of the key that the database declares for the table; none for a query, and without one."""
        if not self._name:
            return []
        parts = name_parts(self._name)
        return self.digests.key(self.ask, parts) if self.digests else declared_key(self.backend.connection, parts)


class InScratch:
    """A copy of a side whose database cannot compute digests: its rows were streamed to the disk."""

    digests: Any = DuckDBDigests()

    def __init__(self, side: OnTarget, scratch: Scratch, table: str) -> None:
        """Copy *side* to *table* of *scratch*."""
        self.label = side.label
        self.query = f"SELECT * FROM {table}"  # noqa: S608 - a name of ours
        self._scratch = scratch
        self._key = side.key()
        side.stream(side.query, lambda batch: scratch.append(table, batch))

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """Run *sql* and return the columns of its result."""
        answer: dict[str, list[Any]] = self._scratch.run(sql).to_pydict()
        return answer

    def stream(self, sql: str, take: Callable[[pa.RecordBatch], object]) -> None:
        """Run *sql* and give *take* its rows."""
        for batch in self._scratch.run(sql).to_batches():
            take(batch)

    def key(self) -> list[str]:
        """Return the columns of a declared key."""
        return self._key
