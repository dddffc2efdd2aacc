"""What lives in one connection and dies with it, noted as it comes: a connection that is gone cannot be asked.

Names are noted, never values: a setting can be a secret. What chose the current database is kept as it was typed,
because the next connection has to run it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_QUOTED = r'("(?:[^"]|"")*"|[\w.]+)'
_NAME = r'(?:(?:\w+|"(?:[^"]|"")*")\s*\.\s*){0,2}("(?:[^"]|"")*"|\w+)'
_KIND = r"(?:recursive\s+)?(table|view|macro|function|sequence|type)\s+(?:if\s+(?:not\s+)?exists\s+)?"
_MADE = re.compile(rf"(?i)create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+{_KIND}|{_KIND}(?=temp\s*\.)){_NAME}")
_DROPPED = re.compile(rf"(?i)drop\s+{_KIND}{_NAME}")
_PLACE = re.compile(r"(?is)\s*(use\b|set\s+(?:session\s+|local\s+)?(?:schema|search_path)\b)")
_VARIABLE = re.compile(rf"(?i)\s*(re)?set\s+variable\s+{_QUOTED}")
_SETTING = re.compile(rf"(?i)\s*(?:(re)?set|pragma)\s+(?:(?:session|local|global)\s+)?{_QUOTED}")
_PREPARED = re.compile(rf"(?i)\s*(?:prepare|deallocate(?:\s+prepare)?)\s+{_QUOTED}")
_ATTACHED = re.compile(rf"(?i)\s*attach\s+.*?\bas\s+{_QUOTED}", re.DOTALL)
_ATTACHED_PATH = re.compile(r"(?i)\s*attach\s+(?:or\s+replace\s+|database\s+|if\s+not\s+exists\s+)*'([^']*)'")
_DETACHED = re.compile(rf"(?i)\s*detach\s+(?:database\s+)?(?:if\s+exists\s+)?{_QUOTED}")


@dataclass(slots=True)
class Held:
    """What one connection holds, by name. Names are in the order in which they came."""

    temporary: list[str] = field(default_factory=list)
    """Temporary tables, views, macros, sequences and types, with their kind: `temporary table t`."""

    settings: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    place: str | None = None
    """The last statement that chose the current database and schema, as it was typed; `None` after the first one."""

    def note(self, kind: str, text: str) -> None:
        """Note what a statement of DuckDB's *kind* with this *text* has left in its connection."""
        text = re.sub(r"\A(\s|--[^\n]*(\n|\Z)|/\*.*?\*/)+", "", text, flags=re.DOTALL)
        if kind == "SET":
            self._note_set(text)
        elif kind == "PREPARE" and (match := _PREPARED.match(text)):
            _add(self.prepared, match[1])
        elif kind == "CREATE" and (match := _MADE.match(text)):
            _add(self.temporary, _temporary(match[1] or match[2], match[3]))
        elif kind == "DROP" and (match := _PREPARED.match(text)):
            _remove(self.prepared, match[1])
        elif kind == "DROP" and (match := _DROPPED.match(text)):
            _remove(self.temporary, _temporary(match[1], match[2]))
        elif kind == "ATTACH":
            match = _ATTACHED.match(text) or _ATTACHED_PATH.match(text)
            _add(self.attached, _shown(match[1]) if match else "one without a name")
        elif kind == "DETACH" and (match := _DETACHED.match(text)):
            _remove(self.attached, match[1])

    def words(self, *, place: bool) -> list[str]:
        """Return what would be lost, in words, one for each kind; *place* tells whether the current database is too."""
        lists = (
            ("", self.temporary),
            ("settings ", self.settings),
            ("variables ", self.variables),
            ("prepared statements ", self.prepared),
            ("attached databases ", self.attached),
        )
        said = [f"{kind}{', '.join(names)}" for kind, names in lists if names]
        return [*said, f"the current database ({_line(self.place)})"] if place and self.place else said

    def _note_set(self, text: str) -> None:
        if _PLACE.match(text):
            self.place = text.strip().rstrip(";")
        elif match := _VARIABLE.match(text):
            (_remove if match[1] else _add)(self.variables, match[2])
        elif match := _SETTING.match(text):
            (_remove if match[1] else _add)(self.settings, match[2])


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _remove(names: list[str], name: str) -> None:
    if name in names:
        names.remove(name)


def _temporary(kind: str, name: str) -> str:
    kind = kind.lower().replace("function", "macro")
    plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
    return f"temporary {kind} {plain}"


def _shown(name: str) -> str:
    """Return the path of an `ATTACH` without what may be a secret in it."""
    return name.partition("?")[0]


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
