"""The variables that a call of the magic sees: those that a Python expression in its place would.

IPython hands a line magic the local variables of its caller, and a cell magic those of the notebook, wherever it was
called. So the calling frame is looked for here, for both.
"""

from __future__ import annotations

import dis
import inspect
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

_RUNNERS = frozenset({"run_cell_magic", "run_line_magic", "magic"})
"""IPython's methods between the caller and the magic. A shell that overrides one calls its parent's."""

_DECORATORS = frozenset({"decorator", "IPython.core.magic"})
"""Modules with the functions that IPython 7 wraps around a magic."""


def variables(notebook: dict[str, Any]) -> Mapping[str, Any]:
    """Return what the caller of the magic sees, without the builtins; the magic itself calls this.

    In a function these are its local variables, those of the functions around it that are running, the globals of its
    module, and those of the *notebook*, the nearest first. A variable of a function around it that is out of reach, as
    for a lambda in another thread, hides the global of its name: Python keeps those alone that the inner code names.
    """
    caller = _caller(inspect.currentframe())
    if caller is None or caller.f_locals is notebook:
        return notebook
    everywhere = dict(notebook)
    if caller.f_globals is not notebook:
        everywhere.update(caller.f_globals)
    seen = dict(everywhere)
    around = list(_enclosing(caller))
    for code in _out_of_reach(around[-1] if around else caller):
        for name in (*code.co_varnames, *code.co_cellvars):
            seen.pop(name, None)
    nested = len(seen) < len(everywhere) or bool(around)
    for scope in reversed([caller, *around]):
        if scope.f_locals is scope.f_globals:
            continue
        for name in _declared_global(scope) if nested else ():
            seen.pop(name, None)
            if name in everywhere:
                seen[name] = everywhere[name]
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

    A frame has those of their variables alone that its own code names, and SQL is no code. The body of a class is none
    of them: its functions do not see its variables.
    """
    inner, outer = frame.f_code, frame.f_back
    while outer is not None:
        if _is_in(inner, outer.f_code):
            if outer.f_locals is outer.f_globals:
                return
            inner = outer.f_code
            if inner.co_flags & inspect.CO_OPTIMIZED:
                yield outer
        outer = outer.f_back


def _out_of_reach(frame: FrameType) -> Sequence[CodeType]:
    """Return the functions around *frame*'s, outermost first, where they do not run in its thread, or no more.

    They are found by the name of the outermost, if it still has that in its module.
    """
    inner = frame.f_code
    name = inner.co_qualname
    if not inner.co_flags & inspect.CO_NESTED:
        return ()
    function: Any = frame.f_globals.get(name.partition(".")[0])
    for part in name.partition(".<locals>")[0].split(".")[1:]:
        function = inspect.getattr_static(function, part, None)
    function = getattr(function, "__func__", getattr(function, "fget", function))  # of a method, of a property
    outermost = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return _between(outermost, inner) if isinstance(outermost, CodeType) else ()


def _between(outer: CodeType, inner: CodeType) -> Sequence[CodeType]:
    """Return *outer* and the functions within it around *inner*; empty where *inner* is in none of them."""
    if _is_in(inner, outer):
        return [outer]
    for constant in outer.co_consts:
        if isinstance(constant, CodeType) and (found := _between(constant, inner)):
            return [outer, *found] if outer.co_flags & inspect.CO_OPTIMIZED else found
    return ()


def _is_in(inner: CodeType, outer: CodeType) -> bool:
    return any(constant is inner for constant in outer.co_consts)


def _declared_global(frame: FrameType) -> set[str]:
    """Return the names that *frame*'s code takes for globals: by `global`, or since no function around has them."""
    return {step.argval for step in dis.get_instructions(frame.f_code) if step.opname.endswith("_GLOBAL")}
