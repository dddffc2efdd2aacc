"""What a database says when something fails: the defaults, for one about which nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from md_magic.engine import driver_errors

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from md_magic.auth.diagnosis import Diagnosis
    from md_magic.sql.statement import Statement


class UnknownName(NamedTuple):
    """A name that a database does not know."""

    kind: Literal["table", "column"]
    name: str


class Faults:
    """Reads the errors of a driver."""

    unknown_tables: Sequence[re.Pattern[str]] = ()
    """How the database says that it does not know a table, the group `name`."""

    unknown_columns: Sequence[re.Pattern[str]] = ()
    """The same of a column."""

    suggestion: re.Pattern[str] | None = None
    """How an error suggests names itself; `None` where none does."""

    def error_text(self, cause: BaseException) -> str:
        """Return the message of *cause*, a driver's exception, without rows of the user's data."""
        return driver_errors.text_of(cause)

    def diagnosis(self, statement: Statement, text: str) -> Diagnosis | None:  # noqa: ARG002 - MotherDuck's reads them
        """Return what *text*, an error of *statement*, means for the service behind; `None` if it is not about it."""
        return None

    def was_stopped(self, cause: BaseException | None) -> bool:  # noqa: ARG002 - DuckDB's looks at it
        """Whether *cause* is the driver's error for a stopped statement."""
        return False

    def hint(
        self,
        statement: Statement,  # noqa: ARG002 - subclasses look at them
        cause: BaseException,  # noqa: ARG002
        text: str,  # noqa: ARG002
        diagnosis: Diagnosis | None,  # noqa: ARG002
    ) -> str:
        """Return a hint about *cause*, the error of *statement*, whose *text* is scrubbed; empty if there is none."""
        return ""

    def unknown_name(self, text: str) -> UnknownName | None:
        """Return the name that the database does not know, as *text*, its error, says; `None` where it says other."""
        kinds: tuple[tuple[Literal["table", "column"], Sequence[re.Pattern[str]]], ...] = (
            ("table", self.unknown_tables),
            ("column", self.unknown_columns),
        )
        matches = ((kind, pattern.search(text)) for kind, patterns in kinds for pattern in patterns)
        return next((UnknownName(kind, match["name"]) for kind, match in matches if match is not None), None)

    def suggests(self, text: str) -> bool:
        """Whether *text*, an error about an unknown name, has the near names already."""
        return self.suggestion is not None and self.suggestion.search(text) is not None

    def answers(self, cause: BaseException | None) -> bool:  # noqa: ARG002 - a service's looks at it
        """Whether *cause*, the error of a failed `probe`, proves that the service works."""
        return False
