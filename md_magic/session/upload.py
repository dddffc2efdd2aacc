"""Writing a Python table to a database table, atomically."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from md_magic.engine.backends.base import FRAME
from md_magic.engine.driver_errors import translated
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.engine.database import Database
    from md_magic.sql.statement import How

__all__ = ["FRAME", "write_other"]


def write_other(database: Database, table: Sequence[str], value: Any, how: How) -> int:  # noqa: ANN401 - any table
    """Write *value* to *table* of a database whose SQL cannot name it; return the number of rows.

    Raises `StatementError`, or `FrameError` for columns that have one name, and nothing is written then.
    """
    _check_names(value)
    with translated(database):
        return database.backend.upload(table, value, how, database.execution)


def _check_names(table: Any) -> None:  # noqa: ANN401 - any table
    """Raise `FrameError` where two columns have one name: one would be written over the other.

    To pandas the labels 1 and True are one, and to a database 1 and '1' are.
    """
    labels = list(getattr(table, "columns", ())) if hasattr(table, "dtypes") else _arrow_names(table)
    for at, label in enumerate(labels):
        twin = next((other for other in labels[:at] if other == label or str(other) == str(label)), None)
        if twin is not None:
            message = (
                f"The columns {twin!r} and {label!r} have one name for the database, so that one would be lost. Nothing"
                " was written. Rename one: df.columns = [str(n) + '_' + str(c) for n, c in enumerate(df.columns)]."
            )
            raise FrameError(message)


def _arrow_names(table: Any) -> list[str]:  # noqa: ANN401 - any table
    return list(getattr(getattr(table, "schema", None), "names", None) or ())
