"""The display of plain values, registered with IPython's formatters while the extension is loaded.

Types are registered by name, so that neither they nor their views are imported before the first one is displayed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.lib.pretty import RepresentationPrinter

_VIEWS = {
    ("md_magic.engine.plans.plan", "Plan"): "md_magic.display.plan_view",
    ("md_magic.session.diff.value", "Diff"): "md_magic.display.diff_view",
    ("md_magic.session.platform", "Repair"): "md_magic.display.repair_view",
    ("md_magic.session.profile.values", "Profile"): "md_magic.display.profile_view",
}
"""For each type, as its module and name, the module whose `as_text` and `as_html` draw it."""


def install(shell: InteractiveShell) -> None:
    """Register our types with the formatters of *shell*."""
    if shell.display_formatter is None:
        return
    formatter = shell.display_formatter.formatters
    for (module, name), view in _VIEWS.items():
        formatter["text/plain"].for_type_by_name(module, name, _text_printer(view))
        formatter["text/html"].for_type_by_name(module, name, _html_printer(view))


def remove(shell: InteractiveShell) -> None:
    """Remove our types from the formatters of *shell*."""
    if shell.display_formatter is None:
        return
    for module, name in _VIEWS:
        for mime_type in ("text/plain", "text/html"):
            shell.display_formatter.formatters[mime_type].pop(f"{module}.{name}", None)


def _text_printer(view: str) -> Any:  # noqa: ANN401 - IPython's functions for text and for HTML differ, and have no types
    def draw(value: object, printer: RepresentationPrinter, _cycle: bool) -> None:  # noqa: FBT001 - as IPython calls it
        for number, line in enumerate(import_module(view).as_text(value).split("\n")):
            if number:
                printer.break_()  # type: ignore[no-untyped-call] # of IPython's
            printer.text(line)  # type: ignore[no-untyped-call] # of IPython's

    return draw


def _html_printer(view: str) -> Any:  # noqa: ANN401 - see above
    return lambda value: import_module(view).as_html(value)
