"""`[tool.md_magic]` of the nearest `pyproject.toml`: targets, the default target and settings of a project, as a value.

It is a file that many people share. So a secret in it is warned about, with what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from md_magic.auth.secret import MaskedURI, is_secret_name, secrets_typed, secrets_within
from md_magic.auth.token import tokens_in
from md_magic.sql import placeholders
from md_magic.sql.target import anchored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE = "pyproject.toml"
_TABLE = "md_magic"
_DEFAULT = "default_target"
_MENTIONED = re.compile(r"md_magic")
_ALIAS = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Project:
    """What a project says."""

    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings by name, as TOML has them; they have not been checked."""

    targets: Mapping[str, str] = field(default_factory=dict)
    """URIs by alias. A relative path in one counts from the file's folder, wherever a notebook of the project is."""

    problems: tuple[str, ...] = ()
    """Sentences for a person: what cannot be read, and what must not stand there."""


NONE = Project()
"""What there is without such a file."""


def nearest(folder: Path | None = None) -> Project:
    """Return what the nearest `pyproject.toml` says, from *folder*, by default the current one, upwards."""
    try:
        here = folder or Path.cwd()
        path = next(path for parent in (here, *here.parents) if (path := parent / _FILE).is_file())
        text = path.read_text(encoding="utf-8")
    except (OSError, StopIteration):  # the current folder was deleted, no such file, or not ours to read
        return NONE
    except UnicodeDecodeError:
        return Project(problems=(f"{path} is not UTF-8 text, and was not read.",))
    return read(path, text) if _MENTIONED.search(text) else NONE


def read(path: Path, text: str) -> Project:
    """Return what *text*, the content of *path*, says."""
    import tomllib  # 5 ms, and few folders have such a table

    try:
        tools = tomllib.loads(text).get("tool", {})
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError, and a number or a nesting beyond Python's limits
        return Project(path, problems=(f"{path} cannot be read: {error}. Its [tool.{_TABLE}] was not taken.",))
    if not isinstance(tools, dict):
        return Project(path, problems=(f"{path}: tool is a table of tables, of which one is written [tool.{_TABLE}].",))
    table = tools.get(_TABLE, {})
    if not isinstance(table, dict):
        return Project(path, problems=(f"{path}: tool.{_TABLE} is a table of settings, written [tool.{_TABLE}].",))
    settings = {name: value for name, value in table.items() if name != "targets"}
    targets = table.get("targets", {})
    problems = [*_wrong_targets(path, targets), *_secrets(path, settings, targets)]
    if not isinstance(targets, dict):
        targets = {}
    usable = {
        name: MaskedURI(anchored(uri, path.parent))
        for name, uri in targets.items()
        if isinstance(uri, str) and _ALIAS.fullmatch(name)
    }
    if isinstance(default := settings.get(_DEFAULT), str):
        settings[_DEFAULT] = anchored(default, path.parent)
    return Project(path, settings, usable, tuple(problems))


def _wrong_targets(path: Path, targets: object) -> Iterator[str]:
    if not isinstance(targets, dict):
        yield f"{path}: [tool.{_TABLE}.targets] is a table of URIs by alias, such as prod = 'md:prod'."
        return
    for name, uri in targets.items():
        if not isinstance(uri, str):
            yield f"{path}: the target {name!r} is a {type(uri).__name__}, where a URI is needed: {name} = 'md:prod'."
        elif not _ALIAS.fullmatch(name):
            yield f"{path}: {name!r} is no alias. An alias has letters, digits, `_`, `-` and `.`."


def _secrets(path: Path, settings: Mapping[str, Any], targets: object) -> Iterator[str]:
    """Yield a warning for each value that holds a secret."""
    named = {f"the target {name!r}": uri for name, uri in targets.items()} if isinstance(targets, dict) else {}
    named |= {f"the setting {name!r}": value for name, value in settings.items()}
    secret_settings = {f"the setting {name!r}" for name in settings if is_secret_name(name)}
    for what, value in named.items():
        if isinstance(value, str) and (what in secret_settings or _holds_secret(value)):
            yield (
                f"{path}: {what} has a secret in it, and whoever has that file has it. Write ${{NAME}} in its place and"
                " set the environment variable NAME; for MotherDuck leave the token out, and sign in. Then change it."
            )


def _holds_secret(value: str) -> bool:
    """Whether a secret stands in *value* other than as `${NAME}`."""
    value = placeholders.without(value)
    secrets = (*secrets_within(value), *secrets_typed(value, ""), *tokens_in(value))
    return any(secret.reveal() for secret in secrets)
