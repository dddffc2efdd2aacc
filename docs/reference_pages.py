"""The pages of the reference, from the code: options and their examples, settings, functions and handles, errors."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from md_magic import errors, options
from md_magic.notebook.magics import MdsqlMagics
from md_magic.option_examples import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from md_magic.option import Option

HANDLES = {
    "A background query": (
        "md_magic.session.background.job.Job",
        "name, state, done, progress, elapsed, summary, wait, result, exception, cancel",
    ),
    "A grid": ("md_magic.display.grid.Grid", "frame, arrow, reader, sql, close"),
    "A difference": ("md_magic.session.diff.value.Diff", "same, schema_differs, rows_differ, compared, frame"),
    "A plan": ("md_magic.engine.plans.plan.Plan", ""),
    "An operator of a plan": ("md_magic.engine.plans.plan.Operator", ""),
    "A live result": ("md_magic.display.live_result.LiveResult", "stop, wait"),
}
"""Values of cells that are no frames, with the members that are for users: all, where none are named."""


def write(folder: Path) -> None:
    """Write the pages into *folder*."""
    folder.mkdir(exist_ok=True)
    pages = {"options": _options(), "settings": _settings(), "functions": _functions(), "errors": _errors()}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _options() -> str:
    parts = [
        "# Options",
        "`%%mdsql [TARGET] [options]` with SQL below, or `%mdsql [options] [TARGET] [SQL]` on one line. Settings stand in"
        " [](settings.md), targets in [](../howto/targets.md).",
    ]
    for heading, rows in options.TABLE.items():
        parts += [f"## {heading.capitalize()}", *map(_option, rows)]
    return "\n\n".join(parts) + "\n"


def _option(option: Option) -> str:
    # The search leaves out short words such as `as` and `on`; what stands in the index it finds.
    entry = f"```{{index}} single: {option.flag}\n```"
    lines = [f"### `{option.spelling}`", entry, f"{_prose(option.help[0].upper() + option.help[1:])}."]
    if option.choices:
        lines.append(f"One of {', '.join(f'`{choice}`' for choice in option.choices)}.")
    if option.needs is not None:
        lines.append(f"Needs `{option.needs.other}`: {_prose(option.needs.why)}.")
    others = [conflict for conflict in option.conflicts if conflict.other.startswith("--")]
    lines += [f"Not with `{conflict.other}`: {_prose(conflict.why)}." for conflict in others]
    example = EXAMPLES[option.flag]
    lines.append(f"```sql\n{example}\n```" if example.startswith("%%") else f"```python\n{example}\n```")
    return "\n\n".join(lines)


def _prose(text: str) -> str:
    """Return *text* with the words of code in it marked, as far as they are not."""
    words = text.split(" ")
    marked = [
        f"`{word.rstrip(',.;:)')}`{word[len(word.rstrip(',.;:)')) :]}" if word.startswith("--") else word
        for word in words
    ]
    return " ".join(marked).replace("*", r"\*")


def _settings() -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for name, trait in sorted(MdsqlMagics.class_traits(config=True).items()):
        choices = getattr(trait, "values", None)
        more = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        rows.append(f"| `{name}` | `{trait.default()!r}` | {_prose(trait.help).replace('|', chr(92) + '|')}{more} |")
    return (
        "# Settings\n\n`%config MdsqlMagics.NAME = VALUE` sets one for the kernel, and `%config MdsqlMagics` shows them all;"
        " `c.MdsqlMagics.NAME = VALUE` in IPython's configuration sets one for you, and `[tool.md_magic]` of the nearest"
        " `pyproject.toml` for a project, below yours. A relative path of `default_target` counts from that file's folder"
        " there, and from the current one elsewhere.\n\n" + "\n".join(rows) + "\n"
    )


def _functions() -> str:
    parts = [
        "# Python functions and handles",
        "```{eval-rst}\n.. py:module:: md_magic\n\n.. autofunction:: md_magic.api.sql\n.. autofunction:: md_magic.api.engine\n```",
        "Both are written `md_magic.sql` and `md_magic.engine`.",
        "## What a cell can give besides a frame",
    ]
    for heading, (path, members) in HANDLES.items():
        directive = f".. autoclass:: {path}()\n   :members: {members}"
        parts.append(f"### {heading}\n\n```{{eval-rst}}\n{directive}\n```")
    return "\n\n".join(parts) + "\n"


def _errors() -> str:
    tree = textwrap.dedent((errors.__doc__ or "").partition("::\n")[2].partition("\n`MdMagicError`")[0].strip("\n"))
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == errors.__name__
    ]
    parts = [
        "# Errors",
        "All are in `md_magic.errors`. A failed cell shows one message, and a run by papermill or nbclient fails.",
        f"```text\n{tree}\n```",
        "```{eval-rst}\n"
        + "\n".join(
            f".. autoexception:: md_magic.errors.{value.__name__}()\n   :show-inheritance:\n" for value in classes
        )
        + "```",
    ]
    return "\n\n".join(parts) + "\n"
