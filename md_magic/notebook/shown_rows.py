"""How many rows pandas shows, as long as a setting says so; the user's own number comes back after it."""

from __future__ import annotations

_OPTION = "display.max_rows"


class ShownRows:
    """pandas' `display.max_rows`."""

    def __init__(self) -> None:
        """Leave it alone."""
        self._own: tuple[int | None, int] | None = None
        """What it was, and what it was set to; `None` while it is left alone."""

    def set(self, rows: int | None) -> None:
        """Have pandas show *rows*; with `None`, as many as before, unless somebody has set others meanwhile."""
        if rows is None and self._own is None:
            return
        import pandas as pd  # 300 ms; only a person who changes the setting pays

        current = pd.get_option(_OPTION)
        before = self._own[0] if self._own is not None and self._own[1] == current else current
        pd.set_option(_OPTION, before if rows is None else rows)
        self._own = None if rows is None else (before, rows)
