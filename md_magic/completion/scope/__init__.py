"""Name resolution in a half-typed statement: its tables, their columns, and the clause at the cursor."""

from md_magic.completion.scope.columns import Resolver, created, fields
from md_magic.completion.scope.context import CursorContext, cursor_context
from md_magic.completion.scope.grammar import reserved
from md_magic.completion.scope.nesting import nest
from md_magic.completion.scope.relations import Relation
from md_magic.completion.scope.typed import Typed, read

__all__ = [
    "CursorContext",
    "Relation",
    "Resolver",
    "Typed",
    "created",
    "cursor_context",
    "fields",
    "nest",
    "read",
    "reserved",
]
