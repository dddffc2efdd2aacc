"""The statements that insert the rows of a Python table: prepared ones for most, and literals for what is left over."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from md_magic.engine.backends.mysql import literals
from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from md_magic.engine.backends.mysql.prepared import Insert

logger = logging.getLogger(__name__)

_STATEMENT_SIZE = 1 << 20
"""Bytes of an INSERT of literals: the server takes larger ones, no faster."""

_IN_SESSION = "CONVERT_TZ({}, '+00:00', @@session.time_zone)"


class Inserts:
    """The statements for one table."""

    def __init__(
        self,
        head: str,
        fields: Sequence[pa.Field],
        in_zone: Sequence[bool],
        *,
        largest: int,
        backslash: bool,
        run: Callable[[bytes], object],
    ) -> None:
        """Write rows behind *head*, `INSERT INTO t (a) VALUES`, with *run*, as the session reads literals.

        *in_zone* says for each field whether its moments are to be those of the session's time zone; *largest* is the
        most bytes of a statement.
        """
        self._head, self._fields = head, fields
        self._within = [_IN_SESSION if is_in_zone else "{}" for is_in_zone in in_zone]
        self._largest, self._run = largest, run
        self._literals = literals.Literals(backslash=backslash)
        self._prepared: Insert | None = None

    def prepare(self, driver: Any) -> None:  # noqa: ANN401 - the driver's connection
        """Let the server prepare the INSERT if *driver* is PyMySQL's; literals do where it does not."""
        if not type(driver).__module__.startswith("pymysql"):
            return
        from md_magic.engine.backends.mysql.prepared import Insert  # needs PyMySQL

        values = [within.format("?") for within in self._within]
        try:
            self._prepared = Insert(driver, self._head, values, self._fields)
        except Exception:  # it has its most prepared statements, or there is an error that the literals will have too
            logger.debug("the INSERT was not prepared", exc_info=True)

    def of(self, batch: Sequence[pa.Array]) -> list[Callable[[], object]]:
        """Return what inserts the rows of *batch*, in order. Raises `FrameError` for values that do not fit."""
        steps: list[Callable[[], object]] = []
        first = 0
        if self._prepared is not None:
            for body in self._prepared.bodies(batch):
                if len(body) < self._largest:
                    steps.append(functools.partial(self._prepared.execute, body))
                else:
                    steps += self._texts([values.slice(first, self._prepared.rows) for values in batch])
                first += self._prepared.rows
        return steps + self._texts([values.slice(first) for values in batch])

    def close(self) -> None:
        """Let the server forget what it has prepared."""
        if self._prepared is not None:
            self._prepared.close()

    def _texts(self, batch: Sequence[pa.Array]) -> list[Callable[[], object]]:
        if not len(batch[0]):
            return []
        written = [
            self._literals.of(values, field, within=within)
            for values, field, within in zip(batch, self._fields, self._within, strict=True)
        ]
        head = f"{self._head} ".encode()
        parts = _parts(*literals.rows(written), self._largest - len(head))
        return [functools.partial(self._run, head + part) for part in parts]


def _parts(text: memoryview, starts: np.ndarray[Any, Any], most: int) -> Iterator[bytes]:
    """Give the rows of *text* in parts of about `_STATEMENT_SIZE` bytes, without the comma at the end of each."""
    first = 0
    while first < len(starts) - 1:
        wanted = int(starts[first]) + min(_STATEMENT_SIZE, most)
        last = max(int(np.searchsorted(starts, wanted, side="right")) - 1, first + 1)
        if starts[last] - starts[first] > most:
            message = (
                f"A row has {starts[last] - starts[first]:,} bytes, and the server takes statements of {most:,} (its"
                " setting max_allowed_packet). Nothing was written."
            )
            raise FrameError(message)
        yield bytes(text[starts[first] : starts[last] - 1])
        first = last
