"""Jinja's sandbox, with an end to its loops and a bound to what they make.

Jinja's own sandbox keeps a template from Python's internals, and bounds `range`. This one counts the steps of loops and
the calls, and looks at the sizes of what operators and filters make. See https://jinja.palletsprojects.com/en/stable/sandbox/.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NoReturn

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from md_magic.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_MOST_STEPS = 1_000_000
"""Steps of loops and calls, of one rendering."""

_MOST_TEXT = 64 * 10**6
"""Characters of the SQL, as of a file of SQL."""

_MOST_PART = 10**7
"""Characters or items of one value that a template makes."""

_MOST_WORK = 2 * 10**7
"""Characters or items that the filters of one rendering make: some seconds. What else makes some takes a twentieth."""

_CHEAP, _ITEM = 20, 4

_MOST_BITS = 10**5
"""Bits of a whole number."""

_WIDE = re.compile(r"\d{5}|\*")
"""A width in a format that is larger than any SQL needs, or that comes from a value."""

_MOST_SIZE = 10**6
"""Characters or items that a size can ask for."""

_SIZED = frozenset({"batch", "center", "expandtabs", "format", "indent", "ljust", "rjust", "slice", "zfill"})
_SIZED |= {"to_bytes"}
"""Filters and methods that are given a size."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one rendering."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, filters: Mapping[str, Callable[..., str]]) -> None:
        """Make one with *filters* beside Jinja's own."""
        # The optimizer would compute constant expressions before anything looks at their sizes.
        super().__init__(undefined=_Missing, keep_trailing_newline=True, optimized=False, finalize=_shown)
        del self.globals["lipsum"]  # of no use in SQL
        bounded = {name: _foreseen(name, self.filters[name]) for name in ("join", "replace")}
        own = {"_steps": self._counted, "_part": self._part, "_joined": self._cheap, "_size": _size}
        self.filters |= {**filters, **bounded, **own}
        self._steps = 0
        self._work = 0

    def compiled(self, source: str) -> tuple[jinja2.Template, set[str]]:
        """Return *source* as a template, and the names of the variables that it uses."""
        tree = self.parse(source)
        for loop in tree.find_all(nodes.For):
            loop.iter = _filtered(loop.iter, "_steps")
        self._bound_parts(tree)
        used = meta.find_undeclared_variables(tree)  # computes constants, so only now
        return self.from_string(tree), used

    def rendered(self, template: jinja2.Template, variables: Mapping[str, Any]) -> str:
        """Return the text that *template* makes of *variables*."""
        parts: list[str] = []
        length = 0
        for part in template.generate(dict(variables)):
            length += len(part)
            if length > _MOST_TEXT:
                _refuse(f"makes more than {_MOST_TEXT:,} characters")
            parts.append(part)
        return "".join(parts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - see Jinja
        """Return the value of a binary *operator*, if it is of a bearable size."""
        match operator, left, right:
            case "%", str(), _ if _WIDE.search(left):
                _refuse(f"has the width of a format {left[:20]!r}")
            case "*", int(), int():
                _whole(left.bit_length() + right.bit_length())
            case "**", int(), int():
                _whole(max(left.bit_length(), 1) * max(right, 0))
            case "*", int(), _ if hasattr(right, "__len__"):
                _counts(left * _weight(right))
            case "*", _, int() if hasattr(left, "__len__"):
                _counts(_weight(left) * right)
        return self._cheap(super().call_binop(context, operator, left, right))

    def call(self, context: Any, function: Any, /, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - see Jinja
        """Call a *function* of Jinja's, a macro, or a method of plain data."""
        self._step()
        if getattr(function, "__name__", "") in _SIZED:
            for value in (*args, *named.values()):
                _size(value)
        if isinstance(text := getattr(function, "__self__", None), str):
            _foresee(function.__name__, text, args)
        return self._cheap(super().call(context, function, *args, **named))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401 - see Jinja
        """Return the method `format` of a text, which Jinja puts in place of Python's."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        text = _size(value.__self__)

        @functools.wraps(wrapped)
        def bounded(*args: Any, **named: Any) -> str:  # noqa: ANN401 - whatever is formatted
            _foresee("format", text, [*args, *named.values()])
            return wrapped(*args, **named)

        return bounded

    def _bound_parts(self, tree: nodes.Node) -> None:
        """Have the sizes looked at of what `~` and filters make in *tree*."""
        for call in list(tree.find_all(nodes.Filter)):
            if call.name in _SIZED:
                call.args = [_filtered(value, "_size") for value in call.args]
                for named in call.kwargs:
                    named.value = _filtered(named.value, "_size")
                call.node = _filtered(call.node, "_size") if call.name == "format" and call.node else call.node
        _replace(tree)

    def _part(self, value: Any, per: int = 1) -> Any:  # noqa: ANN401 - any value of a template
        """Return *value*, if it and what was made before it are of a bearable size."""
        if isinstance(value, str | bytes | list | tuple | dict):
            weight = _weight(value)
            _counts(weight)
            self._work += (weight + _ITEM * len(value) * (not isinstance(value, str))) // per
            if self._work > _MOST_WORK:
                _refuse("works on too many characters or items")
        return value

    def _cheap(self, value: Any) -> Any:  # noqa: ANN401 - as above
        return self._part(value, _CHEAP)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            _refuse(f"takes more than {_MOST_STEPS:,} steps")


def _replace(node: nodes.Node) -> None:
    """Put a filter that looks at the size around each `~` and filter below *node*."""
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            _replace(value)
            if _grows(value):
                setattr(node, field, _filtered(value, _bound(value)))
        elif isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, nodes.Node):
                    _replace(item)
                    if _grows(item):
                        value[position] = _filtered(item, _bound(item))


def _grows(node: nodes.Node) -> bool:
    """Tell whether *node* makes a value. A filter without a node is that of a block, and has its text from there."""
    return isinstance(node, nodes.Concat) or (
        isinstance(node, nodes.Filter) and node.node is not None and not node.name.startswith("_")
    )


def _bound(node: nodes.Node) -> str:
    return "_joined" if isinstance(node, nodes.Concat) else "_part"


def _filtered(node: Any, name: str) -> nodes.Filter:  # noqa: ANN401 - an expression
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)


class _Missing(jinja2.StrictUndefined):
    """What has no value: an error in a list as well, whose text has the `repr` of its items."""

    def __repr__(self) -> str:
        self._fail_with_undefined_error()


def _shown(value: Any) -> Any:  # noqa: ANN401 - any value of a template
    """Return *value*, which is to be a part of the SQL, unless its text would be a function's name and address."""
    if callable(value) and not isinstance(value, jinja2.Undefined):
        _refuse(f"has a {type(value).__name__} where a value is to stand", "Call it, or take it out.")
    return value


def _weight(value: Any, known: dict[int, int] | None = None) -> int:  # noqa: ANN401 - any value of a template
    """Return how many characters and items are in *value*, at any depth; a list that occurs twice counts twice."""
    if isinstance(value, str | bytes):
        return len(value)
    if not isinstance(value, list | tuple | dict):
        return 1
    known = {} if known is None else known
    if id(value) not in known:
        items = [*value, *value.values()] if isinstance(value, dict) else value
        known[id(value)] = sum(_weight(item, known) for item in items)
    return known[id(value)]


def _size(value: Any) -> Any:  # noqa: ANN401 - any argument
    if isinstance(value, int):
        _counts(value, _MOST_SIZE)
    if isinstance(value, str) and _WIDE.search(value):
        _refuse(f"has the width of a format {value[:20]!r}")
    return value


def _foreseen(name: str, jinjas: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter *name* of Jinja's, which looks at what is to come before it makes it."""

    @jinja2.pass_eval_context
    def bounded(context: nodes.EvalContext, value: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - a filter
        if name == "join":
            value = value if isinstance(value, str) else list(value)
            _foresee(name, str(args[0] if args else named.get("d", "")), [value])
        else:
            _foresee(name, str(value), [*args, *named.values()])
        return jinjas(context, value, *args, **named)

    return bounded


def _foresee(name: str, text: str, args: Sequence[Any]) -> None:
    """Refuse a method *name* of *text* that would put too much together out of *args*."""
    match name, args:
        case "replace", [str() as old, str() as new, *_]:
            _counts(len(text) + text.count(old) * len(new))
        case "join", [str() | list() | tuple() as items, *_]:
            _counts(len(text) * len(items) + _weight(items))
        case (("format" | "format_map"), [*_]):
            _counts(text.count("{") * max(map(_weight, args), default=0))


def _counts(count: int, most: int = _MOST_PART) -> None:
    if count > most:
        _refuse(f"makes a value of {count:,} characters or items, of which {most:,} are possible")


def _whole(bits: int) -> None:
    if bits > _MOST_BITS:
        _refuse(f"makes a number of {bits:,} bits, of which {_MOST_BITS:,} are possible")


def _refuse(what: str, instead: str = "Build large SQL in Python, and run it with --file.") -> NoReturn:
    message = f"--jinja: the template {what}. {instead}"
    raise ParameterError(message)
