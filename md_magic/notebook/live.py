"""`--live`: which controls a cell binds, and running it again when one of them changes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from md_magic import threads
from md_magic.engine import variables
from md_magic.engine.cancellation import Execution
from md_magic.errors import OptionError, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.display.live_result import LiveResult
    from md_magic.notebook.cell import Cell
    from md_magic.sql.target import Target


def controls_of(cell: Cell, texts: Sequence[str]) -> list[tuple[Any, object]]:
    """Return the widgets that the parameters of *texts* take their values from, and these values.

    Raises `OptionError` where there is none.
    """
    if not threads.available():
        message = f"--live {threads.NEEDED} Without it the cell runs once."
        raise OptionError(message)
    names = dict.fromkeys(name for text in texts for name in cell.session.parameter_names(text))
    given = {**cell.variables, **cell.parameters}
    controls: dict[int, Any] = {id(value): value for name in names if variables.is_control(value := given.get(name))}
    if controls:
        return [(control, control.value) for control in controls.values()]
    bound = f"{', '.join(f':{name}' for name in names)} {'is' if len(names) == 1 else 'are'} none" if names else ""
    message = (
        "--live runs the cell again when a control of ipywidgets changes that a :name of the SQL binds, and"
        f" {bound or 'there is no :name'}. Make one, such as `n = ipywidgets.IntSlider()`, display it, and write :n."
    )
    raise OptionError(message)


def follow(cell: Cell, texts: Sequence[str], controls: Sequence[tuple[Any, object]], value: object) -> LiveResult:
    """Return the live result of *texts*, whose first *value* is there, following *controls*."""
    from md_magic.display.live_result import LiveResult  # only a live result needs it

    target = cell.session.current
    assert target is not None  # noqa: S101 - the cell has run on it
    live = LiveResult(
        value,
        run=functools.partial(_again, cell, texts, target),
        execution=lambda: Execution(limit=cell.limit()),
        format=functools.partial(_formatted, cell),
        controls=controls,
    )
    cell.keeper()(live, hold=True)
    return live


def _again(cell: Cell, texts: Sequence[str], target: Target, execution: Execution) -> object:
    """Run *texts* on *target* once more, as *execution*, and bind what they give where the cell has a name for it."""
    session = cell.session
    if session.pool.find(target) is None:
        message = f"{target.name} was closed. Run the cell again."
        raise TargetError(message)
    with session.selection.aside(target), session.one_cell(execution):
        value = cell.again(texts)
    cell.bound(value)
    return value


def _formatted(cell: Cell, value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return MIME bundle and metadata of *value*, also of a grid, which displays itself in two outputs elsewhere."""
    bundle: Callable[[], dict[str, Any]] | None = getattr(value, "as_bundle", None)
    if bundle is not None:
        return bundle(), {}
    formatter = cell.magics.shell.display_formatter
    if value is None or formatter is None:
        return {"text/plain": "" if value is None else repr(value)}, {}
    data, metadata = formatter.format(value)  # type: ignore[no-untyped-call] # of IPython's
    return dict(data), dict(metadata)
