"""Connection-local state of databases other than DuckDB: what a transaction takes back, and their own ways to say SET.

Whether a transaction is open is asked of the driver, which knows what the server said last.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from md_magic.engine.connection_state import ConnectionState
from md_magic.sql.references import Object
from md_magic.sql.syntax import kinds

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"

_CREATED = re.compile(
    rf"(?is)create (?:or replace )?(?:(?:global|local) )?temp(?:orary)? (?:recursive )?"
    rf"(table|view|sequence)(?: if not exists)? ({_DOTTED})"
)
_INTO = re.compile(rf"(?is)\binto temp(?:orary)? (?:table )?({_DOTTED})")
_DROPPED = re.compile(
    rf"(?is)drop (?:temporary )?(?:table|view|sequence)(?: if exists)? ({_DOTTED}(?: ?, ?{_DOTTED})*)"
)
_SAVEPOINT = re.compile(rf"(?i)savepoint ({_NAME})")
_TO = re.compile(rf"(?i)(?:rollback|abort)(?: work| transaction)? to (?:savepoint )?({_NAME})")
_PREPARED = re.compile(rf"(?i)prepare ({_NAME})")
_DEALLOCATED = re.compile(rf"(?i)(?:deallocate|drop)(?: prepare)? ({_NAME})")
_HELD = re.compile(rf"(?i)declare ({_NAME})\b.*? with hold ")
_CLOSED = re.compile(rf"(?i)close ({_NAME})")
_LISTENS = re.compile(rf"(?i)(un)?listen ({_NAME}|\*)")
_ATTACHED = re.compile(rf"(?is)attach .* as ({_NAME}|'[^']*')")
_DETACHED = re.compile(rf"(?i)detach (?:database )?({_NAME}|'[^']*')")
_SET = re.compile(r"(?is)(set|reset|pragma) (?:(session|local|global|persist) )?(.+)")
_TELLING = re.compile(r"(?i)\binto\b|@|set_config|get_lock|_advisory_(?:un)?lock|release_(?:all_)?locks?")
"""What a SELECT has that does something to its connection."""

_LOCKS = re.compile(r"(?i)\b(get_lock|pg_(?:try_)?advisory_lock(?:_shared)?) ?\(")
_UNLOCKS = re.compile(r"(?i)\b(?:pg_advisory_unlock\w*|release_(?:all_)?locks?) ?\(")
_CONFIG = re.compile(r"(?i)\bset_config ?\( ?'([^']+)'")
_OF_A_TRANSACTION = re.compile(r"(?i)(transaction|constraints|statement)\b")
_CHOOSES = re.compile(r"(?i)(?:session )?(?:search_path|schema)\b")
_OF_SEVERAL_WORDS = re.compile(r"(?i)(time zone|session authorization|authorization|character set|names|role)\b")
_VARIABLE = re.compile(r"@(?!@)([\w.$]+|`[^`]+`|'[^']+'|\"[^\"]+\")\s*:?=")


@dataclass(slots=True)
class ServerState(ConnectionState):
    """What one connection has to itself. With *takes_back*, a ROLLBACK takes back temporary objects and settings."""

    ask: Callable[[], bool | None] = lambda: None
    """Returns whether a transaction is open, as the driver knows it; `None` where it does not."""

    takes_back: bool = True
    others: list[str] = field(default_factory=list)
    """What else there is, in words: `cursor c`, `LISTEN channel`."""

    on_commit: list[Object] = field(default_factory=list)
    """Temporary tables that a COMMIT drops."""

    reverted: bool = False
    """Set where the server answered a COMMIT with ROLLBACK."""

    marks: list[tuple[str, tuple[list[Any], ...]]] = field(default_factory=list)
    """What there was at the BEGIN, whose name is empty, and at each savepoint."""

    @property
    def is_blank(self) -> bool:
        """Whether another connection would see and do just the same."""
        return not (self.in_transaction or self.schema or any(self._lists()) or self.prepared)

    @property
    def is_missed(self) -> bool:
        """Whether anything but the current schema, which is chosen again, would be missing on another connection."""
        return bool(self.in_words(schema=False))

    def note(self, kind: str, text: str) -> None:
        """Record the effects of a successful statement of this *kind*."""
        plain = kinds.plain(text) if kind in _READ or _TELLING.search(text) else ""
        if kind == "TRANSACTION":
            self._note_transaction(plain)
        elif plain:
            self._note_plain(kind, plain, text)
        self._look()

    def note_failure(self, kind: str, text: str) -> None:  # noqa: ARG002 - see the base class
        """Record that a statement failed: what it would have done is not there."""
        self._look()

    def in_words(self, *, schema: bool = True) -> list[str]:
        """Return what would be lost with the connection, one phrase for each kind of state."""
        words = ConnectionState.in_words(self, schema=schema)
        return [*words, *self.others]

    def _look(self) -> None:
        open_now = self.ask()
        if open_now is not None:
            self.in_transaction = open_now
        if not self.in_transaction:
            self.marks.clear()
        elif not self.marks:  # a transaction that began by itself, as with `SET autocommit = 0`
            self.marks.append(("", self._copies()))

    def _note_transaction(self, plain: str) -> None:
        word = plain.split(" ", 1)[0].lower()
        back = _TO.match(plain)
        if back is not None:
            self._restore(back[1])
        elif saved := _SAVEPOINT.match(plain):
            self.marks.append((_plain_name(saved[1]), self._copies()))
        elif word in {"begin", "start"}:
            self.in_transaction = True
        elif word != "release":
            if word in {"rollback", "abort"} or self.reverted:
                self._restore("")
            else:
                self.temporary = [each for each in self.temporary if each not in self.on_commit]
            self.on_commit, self.reverted, self.in_transaction = [], False, False
            self.marks.clear()

    def _restore(self, name: str) -> None:
        mark = next((mark for mark in reversed(self.marks) if mark[0] == _plain_name(name)), None)
        if mark is not None and self.takes_back:
            for noted, before in zip(self._lists(), mark[1], strict=True):
                noted[:] = before
        if mark is not None:
            del self.marks[self.marks.index(mark) + 1 :]

    def _lists(self) -> tuple[list[Any], ...]:
        lists: tuple[list[Any], ...] = (
            self.temporary,
            self.settings,
            self.variables,
            self.attached,
            self.others,
        )
        return lists

    def _copies(self) -> tuple[list[Any], ...]:
        return tuple(copy.copy(noted) for noted in self._lists())

    # ---- statements -------------------------------------------------------------------------------------------------

    def _note_plain(self, kind: str, plain: str, text: str) -> None:
        for variable in _VARIABLE.findall(plain):
            _add(self.variables, f"@{variable}")
        note = _NOTES.get(kind)
        if note is not None:
            note(self, plain, text)

    def _created(self, plain: str, _text: str) -> None:
        created = _CREATED.match(plain)
        if created is not None:
            made = Object(created[1].lower(), _last(created[2]))  # type: ignore[arg-type] # one of the three
            _add(self.temporary, made)
            if re.search(r"(?i)\bon commit drop\b", plain):
                self.on_commit.append(made)

    def _dropped(self, plain: str, _text: str) -> None:
        if _DROPPED.match(plain):
            names = {_last(name).lower() for name in re.findall(_DOTTED, _DROPPED.match(plain)[1])}  # type: ignore[index] # it matches
            self.temporary[:] = [each for each in self.temporary if each.name.lower() not in names]
        elif re.match(r"(?i)deallocate (?:prepare )?all\b", plain):
            self.prepared.clear()
        elif dropped := _DEALLOCATED.match(plain):
            _remove(self.prepared, _plain_name(dropped[1]))

    def _selected(self, plain: str, _text: str) -> None:
        if into := _INTO.search(plain):
            _add(self.temporary, Object("table", _last(into[1])))
        if config := _CONFIG.search(plain):
            self._set_one(config[1], "")
        if lock := _LOCKS.search(plain):
            _add(self.others, f"the locks of {lock[1].lower()}")
        elif _UNLOCKS.search(plain):
            self.others[:] = [other for other in self.others if not _LOCKS.search(f"{other}(")]

    def _set(self, plain: str, text: str) -> None:
        if plain.lower().startswith("use "):
            self.schema = " ".join(text.split())
            return
        match = _SET.match(plain)
        if match is None:
            return
        verb, scope, body = match[1].lower(), (match[2] or "").lower(), match[3]
        if (
            scope in {"global", "local", "persist"}
            or _OF_A_TRANSACTION.match(body)
            or body.startswith(("@@global", "characteristics"))
        ):
            return
        if verb == "reset":
            self._reset(body)
        elif verb == "pragma":
            if "=" in body:
                _add(self.settings, body.partition("=")[0].strip())
        elif _CHOOSES.match(body):
            self.schema = " ".join(text.split())
        elif several := _OF_SEVERAL_WORDS.match(body):
            _add(self.settings, several[1].lower())
        elif not body.startswith("@") or body.startswith("@@"):
            self._set_one(re.split(r"[ =:]", body.removeprefix("@@").removeprefix("session."), maxsplit=1)[0], "")

    def _set_one(self, name: str, _text: str) -> None:
        _add(self.settings, name)

    def _reset(self, body: str) -> None:
        if body.lower() == "all":
            self.settings.clear()
            self.schema = None
        elif _CHOOSES.match(body):
            self.schema = None
        else:
            _remove(self.settings, body)

    def _discarded(self, plain: str, _text: str) -> None:
        word = plain.rsplit(" ", maxsplit=1)[-1].lower()
        if word in {"all", "temp", "temporary"}:
            self.temporary.clear()
        if word == "all":
            for noted in self._lists():
                noted.clear()
            self.prepared.clear()
            self.schema = None

    def _noted_prepare(self, plain: str, _text: str) -> None:
        if prepared := _PREPARED.match(plain):
            _add(self.prepared, _plain_name(prepared[1]))

    def _attached(self, plain: str, _text: str) -> None:
        if attached := _ATTACHED.match(plain):
            _add(self.attached, _plain_name(attached[1]))

    def _detached(self, plain: str, _text: str) -> None:
        if detached := _DETACHED.match(plain):
            _remove(self.attached, _plain_name(detached[1]))

    def _other(self, plain: str, _text: str) -> None:
        if held := _HELD.match(plain):
            _add(self.others, f"cursor {_plain_name(held[1])}")
        elif closed := _CLOSED.match(plain):
            _remove(self.others, f"cursor {_plain_name(closed[1])}")
        elif listens := _LISTENS.match(plain):
            name = _plain_name(listens[2])
            if listens[1]:
                self.others[:] = [each for each in self.others if name != "*" and each != f"LISTEN {name}"]
            else:
                _add(self.others, f"LISTEN {name}")
        elif plain.lower().startswith("lock table"):
            _add(self.others, "the locks of LOCK TABLES")
        elif plain.lower().startswith("unlock table"):
            _remove(self.others, "the locks of LOCK TABLES")


_NOTES: dict[str, Callable[[ServerState, str, str], None]] = {
    "ATTACH": ServerState._attached,  # noqa: SLF001 - of the class above
    "CLOSE": ServerState._other,  # noqa: SLF001 - see above
    "CREATE": ServerState._created,  # noqa: SLF001 - see above
    "DECLARE": ServerState._other,  # noqa: SLF001 - see above
    "DETACH": ServerState._detached,  # noqa: SLF001 - see above
    "DISCARD": ServerState._discarded,  # noqa: SLF001 - see above
    "DROP": ServerState._dropped,  # noqa: SLF001 - see above
    "LISTEN": ServerState._other,  # noqa: SLF001 - see above
    "LOCK": ServerState._other,  # noqa: SLF001 - see above
    "PRAGMA": ServerState._set,  # noqa: SLF001 - see above
    "PREPARE": ServerState._noted_prepare,  # noqa: SLF001 - see above
    "SELECT": ServerState._selected,  # noqa: SLF001 - see above
    "SET": ServerState._set,  # noqa: SLF001 - see above
    "UNLISTEN": ServerState._other,  # noqa: SLF001 - see above
    "UNLOCK": ServerState._other,  # noqa: SLF001 - see above
}
_READ = frozenset(_NOTES) - {"SELECT"} | {"TRANSACTION"}


def _add(noted: list[Any], value: object) -> None:
    if value not in noted:
        noted.append(value)


def _remove(noted: list[Any], value: object) -> None:
    noted[:] = [each for each in noted if str(each).lower() != str(value).lower()]


def _last(dotted: str) -> str:
    """Return the last part of a dotted name."""
    return _plain_name(re.findall(_NAME, dotted)[-1])


def _plain_name(name: str) -> str:
    return name[1:-1].replace('""', '"') if name[:1] in {'"', "'"} else name
