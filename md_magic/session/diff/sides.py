"""The two sides of a comparison: what a word names, and asking the database where it is.

The invariant: a side is one query, which changes nothing; what stands behind it is never run.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from md_magic.catalog.listing import name_parts
from md_magic.engine import execute
from md_magic.engine.backends.digests import declared_key
from md_magic.engine.backends.duckdb.digests import DuckDBDigests
from md_magic.engine.results.spec import AS_DICT, ResultSpec
from md_magic.errors import StatementError
from md_magic.sql.syntax import kinds
from md_magic.wording import count, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from md_magic.engine.backends import Backend
    from md_magic.engine.backends.digests import Digests
    from md_magic.engine.database import Database
    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.scratch import Scratch
    from md_magic.session.session import Session
    from md_magic.sql.statement import Statement
    from md_magic.sql.target import Target

_ON_TARGET = re.compile(r"(?s)(@[\w.-]+):(.+)\Z")
_PLAIN = re.compile(r'\A(?:\w+|"(?:[^"]|"")+")(?:\.(?:\w+|"(?:[^"]|"")+"))*\Z')
_ROWS_OF = "SELECT * FROM\n"
"""What stands before the name of a table, in a line of its own."""

_QUERIES = frozenset({"(", "from", "pivot", "select", "table", "unpivot", "values", "with"})
"""How a query begins."""

_OTHERS = {
    *("alter", "analyze", "attach", "begin", "call", "checkpoint", "comment", "copy", "create", "delete", "describe"),
    *("detach", "do", "drop", "execute", "explain", "export", "grant", "import", "insert", "install", "load", "merge"),
    *("pragma", "prepare", "replace", "reset", "set", "show", "summarize", "truncate", "update", "use", "vacuum"),
}
"""How other statements begin, which have at least three words; a name in quotes can have two."""

_CHANGES = frozenset({"delete", "insert", "merge", "update"})


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
        if _is_statement(rest):
            return cls(text, target, query=rest)
        return cls(text, target, name=rest.strip().rstrip("; "))


def _unquoted_query(text: str) -> str:
    """Return *text* without the quotes around a query; quotes around a name are SQL's."""
    inner = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    return inner if _is_statement(inner) or text[:1] == "'" else text


def _is_statement(text: str) -> bool:
    """Whether *text* is SQL and no name, by how it begins: the database reads it later."""
    words = list(itertools.islice(kinds.tokens(text), 3))
    if len(words) < 2 or words[1] == "." or not re.search(r"[\s(]", text):  # noqa: PLR2004 - a verb and what it is about
        return False
    return words[0] in _QUERIES or (words[0] in _OTHERS and len(words) > 2)  # noqa: PLR2004 - see `_OTHERS`


class Side(Protocol):
    """One of the two tables, where it is."""

    label: str

    @property
    def digests(self) -> Digests:
        """The SQL that compares tables there."""

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """Run *sql* and return the columns of its result."""

    def about(self, before: str, after: str) -> dict[str, list[Any]]:
        """Run the side's query with SQL *before* and *after* it, and return the columns of the result."""

    def stream(self, before: str, after: str, take: Callable[[pa.RecordBatch], object]) -> None:
        """Run the same, and give *take* its rows as they come."""

    def key(self) -> list[str]:
        """Return the columns of a declared key; none without one."""


class OnTarget:
    """A table, saved query, frame or SELECT on a target of the session."""

    def __init__(self, session: Session, word: Word, target: Target, variables: Mapping[str, Any]) -> None:
        """Look at *word* on *target*, which is open; *variables* are those of the cell."""
        self._session = session
        self._target = target
        self._variables = variables
        self.label = session.history.masked(word.text)
        with session.selection.aside(target):
            self.backend = session.use().backend
        self._name = word.name
        self._lead = "" if word.query else _ROWS_OF
        self._sql = self._lead + (word.query or self._spelt(word.name))
        self.digests: Any = self.backend.digests

    def _spelt(self, name: str) -> str:
        return name if _PLAIN.match(name) else self.backend.syntax.quoting.identifier(*name_parts(name))

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """Run *sql* and return the columns of its result."""
        answer: dict[str, list[Any]] = {}
        with self._session.selection.aside(self._target):
            for outcome in self._session.run(sql, self._variables, spec=AS_DICT):
                answer = outcome.value
        return answer

    def about(self, before: str, after: str, spec: ResultSpec = AS_DICT) -> Any:  # noqa: ANN401 - in the form of *spec*
        """Run the side's query with SQL *before* and *after* it, and return its result; errors show what was typed.

        Raises `StatementError` for what is not one query, of which nothing was run then.
        """

        def run(database: Database, statement: Statement, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - see above
            text = self._one_query(database.backend, statement)
            if statement.inserted is None:  # where a saved query is, its lines are counted
                above = self._lead.count("\n")
                statement = replace(statement, line=statement.line - above, offset=statement.offset - len(self._lead))
            wrapped = execute.within(replace(statement, text=text + after), before)
            return execute.run(database, wrapped, values, spec).value

        with self._session.selection.aside(self._target):
            return self._session.ask(self._sql, self._variables, run, option="--diff")

    def _one_query(self, backend: Backend, statement: Statement) -> str:
        """Return the text of *statement*. Raises `StatementError` unless it is one query that changes nothing."""
        text = backend.syntax.without_semicolon(statement.text)
        words = [token.low for token in backend.syntax.tokens(text)]
        if statement.of > 1:
            got = f"has {count(statement.of, 'statement')}"
        elif not backend.syntax.is_query(text, backend.parse) or not _is_closed(words):
            got = "is no query"
        elif _changes(words):
            got = "changes something"
        else:
            return text
        message = (
            f"--diff: {shortened(self.label, 60)!r} {got}; nothing of it was run. Write one SELECT in quotes, or the"
            " name of a table, a saved query or a frame."
        )
        raise StatementError(message)

    def classes(self) -> dict[str, frozenset[str]] | None:
        """Return by column of which types its values are, where they can be of several; else `None`."""
        asking = self.backend.classes
        if asking is None:
            return None
        names = list(self.about("", "", ResultSpec(form="dict", limit=1)))
        return dict(zip(names, asking.read(self.about(*asking.asked(len(names)))), strict=True))

    def stream(self, before: str, after: str, take: Callable[[pa.RecordBatch], object]) -> None:
        """Run the same, and give *take* its rows as they come."""

        def sink(_columns: Sequence[Column], batches: Batches) -> None:
            for batch in batches:
                take(batch)

        self.about(before, after, ResultSpec(sink=sink))

    def key(self) -> list[str]:
        """Return the columns of the key that the database declares for the table; none for a query, and without one."""
        if not self._name:
            return []
        parts = name_parts(self._name)
        return self.digests.key(self.ask, parts) if self.digests else declared_key(self.backend.connection, parts)


def _is_closed(words: Sequence[str]) -> bool:
    """Whether no bracket closes that was not opened in *words*: it would close one of ours."""
    depths = itertools.accumulate({"(": 1, ")": -1}.get(word, 0) for word in words)
    return min(depths, default=0) >= 0


def _changes(words: Sequence[str]) -> bool:
    """Whether a query of *words* has a part that writes: a CTE that is no query, or an INTO."""
    return ("into" in words and "unpivot" not in words) or any(
        first == "(" and second in _CHANGES and third != "("
        for first, second, third in zip(words, words[1:], words[2:], strict=False)
    )


class InScratch:
    """A copy of a side whose database cannot compute digests: its rows were streamed to the disk."""

    digests: Any = DuckDBDigests()

    def __init__(self, side: OnTarget, scratch: Scratch, table: str, before: str = "", after: str = "") -> None:
        """Copy *side* to *table* of *scratch*, by SQL *before* and *after* its query."""
        self.label = side.label
        self._query = f"SELECT * FROM {table}"  # noqa: S608 - a name of ours
        self._scratch = scratch
        self._key = side.key()
        side.stream(before, after, lambda batch: scratch.append(table, batch))

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """Run *sql* and return the columns of its result."""
        answer: dict[str, list[Any]] = self._scratch.run(sql).to_pydict()
        return answer

    def about(self, before: str, after: str) -> dict[str, list[Any]]:
        """Run the copy's query with SQL *before* and *after* it, and return the columns of the result."""
        return self.ask(before + self._query + after)

    def stream(self, before: str, after: str, take: Callable[[pa.RecordBatch], object]) -> None:
        """Run the same, and give *take* its rows."""
        for batch in self._scratch.run(before + self._query + after).to_batches():
            take(batch)

    def key(self) -> list[str]:
        """Return the columns of a declared key."""
        return self._key


def in_reach(here: OnTarget, there: OnTarget, scratch: Scratch) -> list[Side]:
    """Return both sides, or a copy in *scratch* of one whose database computes no digests."""
    classes = [side.classes() for side in (here, there)]
    sides: list[Side] = []
    for at, (side, own) in enumerate(zip((here, there), classes, strict=True)):
        if side.digests:
            sides.append(side)
            continue
        before, after = "", ""
        if own is not None and side.backend.classes is not None:
            other = {name.casefold(): found for name, found in (classes[1 - at] or {}).items()}
            common = [found | other.get(name.casefold(), frozenset()) for name, found in own.items()]
            marked = classes[1 - at] is not None
            before, after = side.backend.classes.copied(list(own), list(own.values()), common, marked=marked)
        sides.append(InScratch(side, scratch, f"copy_{at}", before, after))
    return sides
