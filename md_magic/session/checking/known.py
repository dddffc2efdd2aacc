"""What is known of the target and the notebook when a cell is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from md_magic.catalog.snapshot import Snapshot, Table
    from md_magic.sql.statement import Statement
    from md_magic.sql.syntax.base import Syntax


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The catalog, the saved queries and the Python variables, at one moment."""

    syntax: Syntax
    snapshot: Snapshot | None = None
    """The catalog as it is now; `None` where that is not sure, and only the syntax is checked."""

    is_pending: bool = False
    """Whether the catalog is being read, and will be sure in a moment."""

    variables: Mapping[str, Any] = field(default_factory=dict)
    saved: Sequence[str] = ()
    """The names of the saved queries."""

    inline: Callable[[Statement], Statement] = lambda statement: statement
    """Puts the saved queries that a statement names into it."""

    values: Callable[[Statement], Mapping[str, object]] = lambda _statement: {}
    """Returns the values of a statement's parameters; raises `ParameterError` where one has none."""

    still_holds: Callable[[Snapshot, Sequence[Table], Sequence[tuple[str, ...]], str], bool] = lambda *_: True
    """Whether the snapshot is still right about tables, about names of tables that are missing, and about the name of a
    function, type or schema that is missing. If not, it is being read again."""

    private: frozenset[str] = frozenset()
    """Names, in lower case, of prepared statements and of temporary macros, types and sequences: what they are is not
    known."""

    is_extended: bool = False
    """Whether the database may have statements and schemas that DuckDB itself does not have."""

    has_all_functions: bool = True
    """Whether every function is in the snapshot: those of an open transaction are not."""
