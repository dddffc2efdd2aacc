"""What a statement does to the names in the statements below it in the same cell, which are checked before it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from md_magic.session.checking import names as naming
from md_magic.sql.references import created_name
from md_magic.sql.split import first_word
from md_magic.sql.tokens import head

if TYPE_CHECKING:
    from md_magic.sql.statement import Statement

_CHANGE_NOTHING = frozenset(
    {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "COPY", "EXPLAIN", "ANALYZE", "VACUUM", "EXECUTE"}
)
"""Kinds of statements after which every name means what it meant before."""

_CHANGE_NAMES = frozenset({"DROP", "ALTER"})
_CREATED = frozenset({"table", "view", "macro", "function", "type", "schema", "sequence", "index", "secret"})
_DEFINED = frozenset({"table", "view", "macro", "function", "schema"})
"""What the shadow can make as it is typed."""

_NAMELESS = frozenset({"index", "secret"})
"""Created, but not read by name."""

_HEAD = 12
"""Tokens of a CREATE within which the kind of object stands."""


@dataclass(slots=True)
class Effects:
    """The effects of the statements so far."""

    definitions: list[Statement] = field(default_factory=list)
    fingerprint: int = 0
    """The same for the same definitions."""

    made: int = 0
    """How many of the definitions the shadow has."""

    defined: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    """Names, in lower case, that mean something else now, and what is not known."""

    is_opaque: bool = False
    """Whether nothing is sure any more, after a USE or a LOAD, say."""

    def note(self, statement: Statement) -> None:
        """Add the effects of *statement*."""
        kind, text = statement.kind, statement.text
        created = created_kind(text) if kind == "CREATE" else ""
        if kind in _CHANGE_NOTHING or created in _NAMELESS:
            return
        if created in _DEFINED:
            self.definitions.append(statement)
            self.fingerprint = hash((self.fingerprint, text))
        elif created:
            self.changed |= created_name(text)
        elif kind == "PREPARE" or (kind in _CHANGE_NAMES and created_kind(text) not in {"schema", ""}):
            self.changed |= {name.lower() for name in naming.names(text).single}
        elif kind != "TRANSACTION" or first_word(text) == "ROLLBACK":
            self.is_opaque = True


def created_kind(text: str) -> str:
    """Return the word in a CREATE, DROP or ALTER that says what it is about; empty for others."""
    return next((token.low for token in head(text, _HEAD) if token.low in _CREATED), "")
