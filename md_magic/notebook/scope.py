"""The variables that a call of the magic sees: those that a Python expression in its place would.

IPython hands a line magic the local variables of its caller, and a cell magic those of the notebook, wherever it was
called. So the calling frame is looked for here, for both.
"""

from __future__ import annotations

import dis
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

_RUNNERS = frozenset({"run_cell_magic", "run_line_magic", "magic"})
"""IPython's methods between the caller and the magic. A shell that overrides one calls its parent's."""

_DECORATORS = frozenset({"decorator", "IPython.core.magic"})
"""Modules with the functions that IPython 7 wraps around a magic."""


def variables(notebook: dict[str, Any]) -> Mapping[str, Any]:
    """Return what the caller of the magic sees, without the builtins; the magic itself calls this.

    In a function these are its local variables, those of the functions around it that are running, the globals of its
    module, and those of the *notebook*, the nearest first.
    """
    caller = _caller(inspect.currentframe())
    if caller is None or caller.f_locals is notebook:
        return notebook
    seen = dict(notebook)
    if caller.f_globals is not notebook:
        seen.update(caller.f_globals)
    for scope in reversed([caller, *_enclosing(caller)]):
        if scope.f_locals is not scope.f_globals:
            for name in _without_value(scope, seen):
                del seen[name]
            seen.update(scope.f_locals)
    return seen


def _without_value(frame: FrameType, seen: Mapping[str, Any]) -> set[str]:
    """Return the local variables of *frame* that have no value now, and hide what is *seen* by their names.

    A comprehension's variable is none of them, although Python 3.12 keeps it among the function's own.
    """
    code = frame.f_code
    hidden = {*code.co_varnames, *code.co_cellvars}.difference(frame.f_locals).intersection(seen)
    if not hidden:
        return hidden
    return hidden.difference(step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_FAST_AND_CLEAR")


def _caller(frame: FrameType | None) -> FrameType | None:
    """Return the frame that called IPython to run the magic, or the magic itself; *frame* is that of `variables`."""
    magic = frame.f_back if frame is not None else None
    caller = magic.f_back if magic is not None else None
    while caller is not None and (caller.f_code.co_name in _RUNNERS or caller.f_globals.get("__name__") in _DECORATORS):
        caller = caller.f_back
    return caller


def _enclosing(frame: FrameType) -> Iterator[FrameType]:
    """Yield the running functions in which *frame*'s function, comprehension or lambda is written, innermost first.

    A frame has those of their variables alone that its own code names, and SQL is no code.
    """
    inner, outer = frame.f_code, frame.f_back
    while outer is not None:
        if any(constant is inner for constant in outer.f_code.co_consts):
            if outer.f_locals is outer.f_globals:
                return
            yield outer
            inner = outer.f_code
        outer = outer.f_back
