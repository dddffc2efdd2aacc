"""The targets that have a name, what a word of the line means, and the list of connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from md_magic.auth.secret import mask_uris
from md_magic.catalog import listing
from md_magic.errors import TargetError
from md_magic.sql import placeholders
from md_magic.sql import target as targets
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from md_magic.engine.database import Database
    from md_magic.engine.pool import EnginePool
    from md_magic.session.project import Project
    from md_magic.sql.target import Target


class KnownTargets:
    """The targets of one session by name."""

    def __init__(self, pool: EnginePool) -> None:
        """Start without names. *pool* has what is open."""
        self._pool = pool
        self.aliases: dict[str, Target] = {}
        self.declared: Mapping[str, str] = {}
        """The URIs of settings and projects by alias: they are read when they are used."""

        self.default = targets.MEMORY
        """Where Python code outside of IPython runs when nothing was named."""

        self.variables: Callable[[], Mapping[str, Any]] = dict
        """Returns the variables of a notebook."""

    def take(self, project: Project) -> None:
        """Take the targets of *project*, and its default one."""
        self.declared = project.targets
        default = project.settings.get("default_target")
        if isinstance(default, str):
            self.default = default

    def resolve(self, word: str, variables: Mapping[str, Any] | None = None) -> Target:
        """Return the target that *word* names: see `Session.resolve`."""
        given, seen = self.variables() if variables is None else variables, [word]
        while True:
            if (name := placeholders.name_in(word)) is not None:
                value = placeholders.value_of(name, given, word=word).strip()
                if not value.startswith("@"):
                    return placeholders.read(word, given)
                word = value
            elif word.startswith("@"):
                if (target := self.aliases.get(word[1:])) is not None:
                    return target
                word = self._declared(word)
            else:
                return placeholders.read(word, given)
            if word in seen:
                message = f"{seen[0]} names itself: {' → '.join([*seen, word])}. Change one of these in the settings."
                raise TargetError(message)
            seen.append(word)

    def _declared(self, word: str) -> str:
        """Return the URI that is declared for the alias *word*. Raises `TargetError` where there is none."""
        name = word.removeprefix("@")
        if name in self.declared:
            return self.declared[name]
        names = [*self.aliases, *(alias for alias in self.declared if alias not in self.aliases)]
        known = ", ".join(f"@{alias}" for alias in names) or "none yet"
        message = (
            f"No target has the alias {word!r}. Known aliases: {known}."
            f" Give one with `%mdsql duckdb:///my.duckdb --alias {name}`."
        )
        raise TargetError(message + did_you_mean(name, names, sign="@"))

    def connections(self, current: Target | None) -> pd.DataFrame:
        """Return a frame of what is open, and of what has a name and is not: see `Session.connections`."""
        named = {alias: self._known(alias) for alias in (*self.aliases, *self.declared)}
        opened = list(self._pool)
        rows = []
        for database in opened:
            names = [alias for alias, target in named.items() if _is_same(target, database.target)]
            rows.append(_connection(database, ", ".join(names), current))
        for alias, target in named.items():
            if not any(_is_same(target, database.target) for database in opened):
                name = mask_uris(self.declared[alias]) if target is None else target.name
                shown = target.shown_database if target is not None else ""
                rows.append({"name": name, "alias": alias, "state": "not open", "database": shown, "account": ""})
        frame = listing.frame(rows, ["name", "alias", "state", "database", "account", "age", "current"])
        return frame.assign(current=[target is True for target in frame["current"]])

    def _known(self, alias: str) -> Target | None:
        """Return the target of *alias*; `None` where a variable in it is missing, or it cannot be read."""
        try:
            return self.resolve(f"@{alias}")
        except TargetError:
            return None


def _is_same(named: Target | None, target: Target) -> bool:
    """Whether *target*, which is open, is the one that was *named*, in whatever account it was opened."""
    return named is not None and named in (target, target.signed_out())


def _connection(database: Database, alias: str, current: Target | None) -> dict[str, object]:
    return {
        "name": database.target.name,
        "alias": alias,
        "state": database.state,
        "database": database.target.shown_database,
        "account": database.account,
        "age": round(time.monotonic() - database.opened, 1),
        "current": database.target == current,
    }
