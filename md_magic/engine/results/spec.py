"""The specification of a result, as one value that is passed unchanged from the magic line to the fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.sql.statement import Form

Sink: TypeAlias = "Callable[[Sequence[Column], Batches], object]"
"""Consumes a result's columns and rows, and returns the value to use instead of a frame."""


class ResultSpec(NamedTuple):
    """How to fetch a result. A tuple, because `replace` of a frozen dataclass takes 12 µs, in every cell."""

    form: Form = "pandas"
    limit: int | None = None
    """The most rows to fetch; `None` for all."""

    keep: bool = True
    """Whether the result is kept; otherwise it is computed and discarded."""

    sink: Sink | None = None
    """Receives the rows as they arrive, instead of building a frame."""


AS_FRAME = ResultSpec()
AS_DICT = ResultSpec(form="dict")
DISCARDED = ResultSpec(keep=False)
