"""What an option of the magic line is: its spelling, its value, what it goes with. `options.TABLE` has them all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

Completes = Literal[
    "choice",  # one of the option's own choices
    "column",  # a column of the SQL's result
    "dict",  # a Python variable that holds a dict
    "engine",  # a Python variable that holds a SQLAlchemy engine or a DuckDB connection
    "file",
    "frame",  # a Python variable that holds a table
    "parameter",  # NAME= of a parameter in the SQL
    "running query",  # the id of one that `--running` has listed
    "saved query",
    "table",
    "target",
]
"""How an option's value is completed."""


class Conflict(NamedTuple):
    """Something that an option cannot be combined with."""

    other: str
    """Another option, as `--name`; or a field of `Request`, whatever fills it: `target`, `action`."""

    why: str
    only_with_sql: bool = False
    """Whether the two exclude each other only if there is also SQL."""


class Need(NamedTuple):
    """Another option that an option requires."""

    other: str
    why: str


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table. Two options that fill the same field exclude each other."""

    spelling: str
    """Its flags, the last of which is its name, and the name of its value, in brackets if it is optional."""

    help: str
    fills: str = ""
    """The field of `Request` that it fills: by default, that of its name."""

    choices: tuple[str, ...] = ()
    """Its possible values, if there are only a few."""

    repeats: bool = False
    """Whether it may be given several times, and its values are collected."""

    read: Callable[[str], object] = str
    """Converts the text of the value. Raises `OptionError`."""

    completes: Completes | None = None
    conflicts: tuple[Conflict, ...] = ()
    needs: Need | None = None
    second: bool = False
    """Whether it takes a second value, which fills `other`."""

    takes_options: bool = False
    """Whether its value may be another option."""

    @property
    def flags(self) -> tuple[str, ...]:
        """All spellings of its flag."""
        return tuple(word for word in re.split(r",? ", self.spelling) if word.startswith("-"))

    @property
    def flag(self) -> str:
        """The long spelling of its flag."""
        return self.flags[-1]

    @property
    def name(self) -> str:
        """Its flag as an identifier."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def field(self) -> str:
        """The field of `Request` that it fills."""
        return self.fills or self.name

    @property
    def stands_alone(self) -> bool:
        """Whether it stands on the line alone, without SQL."""
        return self.field == "action"

    def goes_with_sql(self, options: Mapping[str, Option]) -> bool:
        """Whether it can stand above SQL: neither it nor what it needs, one of *options*, stands on the line alone."""
        return not (self.stands_alone or (self.needs is not None and options[self.needs.other].stands_alone))

    @property
    def value(self) -> str:
        """The name of its value; empty for an option without one."""
        return self.spelling.rpartition(self.flag)[2].strip()

    @property
    def value_is_optional(self) -> bool:
        """Whether its value may be missing."""
        return self.value.startswith("[")

    def takes(self, word: str, flags: Container[str]) -> bool:
        """Whether *word*, which follows the flag, is the option's value; *flags* are those of all options."""
        if self.takes_options:
            return bool(word)
        if self.choices and self.value_is_optional:
            return word in self.choices
        if not (self.value and word) or (self.value_is_optional and word.startswith("-")):
            return False
        return word.partition("=")[0] not in flags
