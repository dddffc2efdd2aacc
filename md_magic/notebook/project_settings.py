"""The settings of a project, `[tool.md_magic]`: below IPython's own configuration, and above the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import TraitError

from md_magic.auth.secret import is_secret_name
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from md_magic.session.project import Project


def take(magics: Any, project: Project) -> Iterator[str]:  # noqa: ANN401 - the magics, whose module imports this one
    """Set the settings of *project* on *magics*, where IPython's configuration has none; yield what cannot be set."""
    names = [name for name in magics.trait_names(config=True) if name != "targets"]
    configured = magics.config.get(type(magics).__name__, {})
    for name, value in project.settings.items():
        where = f"{project.path}: [tool.md_magic] {name}"
        if name not in names:
            yield f"{where}: there is no such setting.{did_you_mean(name, names)} `%config MdsqlMagics` lists them."
        elif name not in configured:
            try:
                setattr(magics, name, value)
            except TraitError as error:
                shown = "" if is_secret_name(name) else f" {error}"
                yield f"{where} cannot be set.{shown}"
