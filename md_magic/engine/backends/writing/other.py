"""Writing to a database about which nothing is assumed, by pandas, on a connection of its own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa

from md_magic.engine.backends.waiting import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy

    from md_magic.engine.cancellation import Execution
    from md_magic.sql.statement import How

_CHUNK = 10_000
"""Rows sent in one batch."""


_AFTER = "what was sent is rolled back as soon as the driver returns, and the connection is still usable"


def write(
    engine: sqlalchemy.Engine,
    table: Sequence[str],
    value: Any,  # noqa: ANN401 - any table
    how: How,
    execution: Execution | None = None,
) -> int:
    """Write *value* to *table*, a name in parts, in one transaction; return the number of rows.

    Driver errors pass through; raises `ValueError` for a table that exists. If *execution* is stopped meanwhile, its
    error is raised at once, and what was sent is rolled back when the driver returns.
    """
    waiter = Waiter(after=_AFTER)

    def work() -> int:
        return _written(engine, table, value, how, lambda: waiter.has_given_up)

    with contextlib.nullcontext() if execution is None else execution.stopped_by(waiter.give_up):
        return waiter.call(work, execution)


def _written(
    engine: sqlalchemy.Engine,
    table: Sequence[str],
    value: Any,  # noqa: ANN401 - any table
    how: How,
    is_stopped: Callable[[], bool],
) -> int:
    frame = value if isinstance(value, pd.DataFrame) else pa.table(value).to_pandas(types_mapper=pd.ArrowDtype)
    schema = table[-2] if len(table) > 1 else None
    mode: Literal["fail", "replace", "append"] = "fail" if how == "create" else how
    with engine.begin() as connection:
        frame.to_sql(table[-1], connection, schema=schema, if_exists=mode, index=False, chunksize=_CHUNK)
        if is_stopped():
            connection.rollback()
    return len(frame)
