"""Connection-local state: what exists in one connection only and is lost with it.

It is recorded as statements run, because a lost connection cannot be queried. Only names are recorded, never values: a
setting can be a secret. The statement that chose the current database is kept as typed, because the next connection has
to run it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from md_magic.auth.secret import mask_connection
from md_magic.sql.references import TEMPORARY_QUALIFIERS, Kind, Object
from md_magic.sql.split import first_word
from md_magic.sql.tokens import head, tokens

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from md_magic.sql.tokens import Token

T = TypeVar("T")

_HEAD = 24
"""Tokens of a statement that are read: `CREATE OR REPLACE TEMP VIEW IF NOT EXISTS a.b.c` has twelve up to its name."""

_BEFORE_KIND = frozenset({"global", "local", "or", "recursive", "replace", "temp", "temporary", "unlogged"})
"""Words that can stand between `CREATE` and the kind of object."""

_BEFORE_NAME = frozenset({"database", "exists", "if", "not", "or", "prepare", "replace"})
"""Words that can stand between a statement's verb, or the kind of object, and a name."""

_OBJECT_KINDS = frozenset({"function", "macro", "sequence", "table", "type", "view"})
_SETTING_SCOPES = frozenset({"global", "local", "session"})
_CHOOSES_SCHEMA = frozenset({"schema", "search_path"})

_NOTED = frozenset({"ATTACH", "CREATE", "DETACH", "DROP", "LOAD", "PREPARE", "SET", "TRANSACTION"})
"""Kinds of statements that change connection-local state."""


@dataclass(slots=True)
class ConnectionState:
    """The connection-local state of one connection: names in the order of their creation."""

    in_transaction: bool = False
    """Whether the user's own transaction is open, after the last statement that could change that."""

    temporary: list[Object] = field(default_factory=list)
    """Temporary tables, views, macros, sequences and types."""

    settings: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    """Extensions that a statement has loaded."""

    schema: str | None = None
    """The last statement that chose the current database and schema, as typed; `None` where none did."""

    @property
    def hides_data(self) -> bool:
        """Whether the connection has data that others cannot see: a transaction or temporary objects."""
        return self.in_transaction or bool(self.temporary)

    @property
    def is_missed(self) -> bool:
        """Whether a cell must not go on by itself on another connection: it may mean something else there."""
        return self.hides_data

    def note(self, kind: str, text: str) -> None:
        """Record the effects of a successful statement of DuckDB's *kind* with this *text*."""
        if kind in _NOTED:
            if kind == "TRANSACTION":
                self.in_transaction = begins(text)
            else:
                self._note(kind, text, head(text, _HEAD))

    def note_failure(self, kind: str, text: str) -> None:
        """Record the effects of a failed statement: a `COMMIT` that fails still ends its transaction."""
        if kind == "TRANSACTION" and not begins(text):
            self.in_transaction = False

    def in_words(self, *, schema: bool = True) -> list[str]:
        """Return what would be lost with the connection, one phrase for each kind of state.

        With *schema*, the current database is included.
        """
        transaction = ["the open transaction, which was not committed"] if self.in_transaction else []
        lists = (
            ("", [str(temporary) for temporary in self.temporary]),
            ("settings ", self.settings),
            ("variables ", self.variables),
            ("prepared statements ", self.prepared),
            ("attached databases ", self.attached),
        )
        words = [*transaction, *(f"{kind}{', '.join(names)}" for kind, names in lists if names)]
        if schema and self.schema:
            words.append(f"the current database ({' '.join(self.schema.split())})")
        return words

    def _note(self, kind: str, text: str, statement: Sequence[Token]) -> None:
        if kind == "SET":
            self._note_set(text, statement)
        elif kind == "CREATE" and (temporary := _created(statement)):
            _add(self.temporary, temporary)
        elif kind == "DROP":
            self._note_drop(statement)
        elif kind == "PREPARE":
            _add(self.prepared, _dotted(_name_at(statement, 1)))
        elif kind == "LOAD" and statement[0].low == "load":
            _add(self.loaded, statement[1].text.strip("'\""))
        elif kind == "ATTACH":
            _add(self.attached, _attached(statement))
        elif kind == "DETACH":
            _remove(self.attached, _dotted(_name_at(statement, 1)))

    def _note_set(self, text: str, statement: Sequence[Token]) -> None:
        verb, at = statement[0].low, _skip(statement, 1, _SETTING_SCOPES)
        note = _remove if verb == "reset" else _add
        subject = statement[at].low if at < len(statement) else ""
        if verb == "use" or (verb == "set" and subject in _CHOOSES_SCHEMA):
            self.schema = _without_end(text, statement[0].start)
        elif subject == "variable":
            note(self.variables, _dotted(_name_at(statement, at + 1)))
        else:  # `SET`, `RESET` and `PRAGMA` of a setting
            note(self.settings, _dotted(_name_at(statement, at)))

    def _note_drop(self, statement: Sequence[Token]) -> None:
        if statement[0].low == "deallocate":  # DuckDB counts it among the drops
            _remove(self.prepared, _dotted(_name_at(statement, 1)))
        elif (dropped := _object(statement)) and dropped[0] in TEMPORARY_QUALIFIERS:
            _remove(self.temporary, dropped[1])


def begins(text: str) -> bool:
    """Whether a transaction statement is a `BEGIN`. All others end the transaction, even if they fail."""
    return first_word(text) in {"BEGIN", "START"}


def _add(values: list[T], value: T) -> None:
    if value not in values:
        values.append(value)


def _remove(values: list[T], value: T) -> None:
    """Remove *value* in whatever case it was noted: DuckDB's names ignore it."""
    values[:] = [noted for noted in values if str(noted).lower() != str(value).lower()]


def _skip(statement: Sequence[Token], at: int, words: Container[str]) -> int:
    while at < len(statement) and statement[at].low in words:
        at += 1
    return at


def _name_at(statement: Sequence[Token], at: int) -> tuple[str, ...]:
    """Return the parts of the dotted name at *at*, or behind the words there that cannot be one."""
    at = _skip(statement, at, _BEFORE_NAME)
    parts: list[str] = []
    while at < len(statement) and (name := statement[at].name) is not None:
        parts.append(name)
        if at + 1 == len(statement) or statement[at + 1].text != ".":
            break
        at += 2
    return tuple(parts)


def _dotted(parts: Sequence[str]) -> str:
    return ".".join(parts)


def _object(statement: Sequence[Token]) -> tuple[tuple[str, ...], Object] | None:
    """Return the object that a `CREATE` or `DROP` names, and what qualifies its name; `None` for other kinds."""
    at = _skip(statement, 1, _BEFORE_KIND)
    kind = statement[at].low if at < len(statement) else ""
    if kind not in _OBJECT_KINDS or not (parts := _name_at(statement, at + 1)):
        return None
    qualifiers = tuple(part.lower() for part in parts[:-1])
    return qualifiers, Object(cast("Kind", kind.replace("function", "macro")), parts[-1])


def _created(statement: Sequence[Token]) -> Object | None:
    """Return the temporary object that a `CREATE TEMP` makes. Without that word DuckDB refuses the database `temp`."""
    words = {token.low for token in statement[1 : _skip(statement, 1, _BEFORE_KIND)]}
    created = None if words.isdisjoint({"temp", "temporary"}) else _object(statement)
    return created[1] if created else None


def _attached(statement: Sequence[Token]) -> str:
    """Return the alias of an `ATTACH`, or else its path; `host=... password=...` is no name, and may be a secret."""
    alias = next((at for at, token in enumerate(statement) if token.low == "as"), None)
    if alias is not None:
        return _dotted(_name_at(statement, alias + 1))
    at = _skip(statement, 1, _BEFORE_NAME)
    path = statement[at].text if at < len(statement) and statement[at].kind == "string" else ""
    path = mask_connection(path.strip("'")).partition("?")[0]
    return path if path and "=" not in path else "a database without a name"


def _without_end(text: str, start: int) -> str:
    """Return the statement from *start* on, without semicolons, blanks and comments behind it."""
    ends = [token.end for token in tokens(text)[0] if token.text != ";"]
    return text[start : ends[-1]]
