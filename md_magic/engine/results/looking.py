"""Looking into a result on disk: one whole value, and the next place where a text stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from md_magic.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from md_magic.engine.results.seen import Part
    from md_magic.engine.results.store import ResultStore

_FIRST_WINDOW, _LARGEST_WINDOW = 32_768, 2_097_152
"""Rows that are searched at once: few at first, because the next place is often near."""

_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
"""How the files of images begin that every browser draws."""

_NESTED = re.compile(r"\]\Z|\A(?:STRUCT|MAP|UNION)\(")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of any length."""

    form: Literal["null", "text", "json", "bytes", "image"]
    """`json` is a nested value, or a text that is said to be JSON."""

    content: bytes = b""
    """UTF-8 of a text or of JSON, or the bytes themselves."""

    mime: str = ""
    """The type of an image."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands."""

    row: int
    position: int
    """Among the columns that are shown, from 0."""

    wrapped: bool = False
    """Whether the search went on at the other end."""


def value(store: ResultStore, part: Part) -> Value:
    """Return the first value of *part*. Raises `FrameError` where there is none."""
    at = part.columns[0]
    kind = store.columns[at].kind
    is_nested = _NESTED.search(kind) is not None
    wanted = f"c{at}" if kind == "BLOB" else f"to_json(c{at})::VARCHAR" if is_nested else f"c{at}::VARCHAR"
    sql, values = store.select(part.view, [wanted], first=part.first, count=1)
    with store.cursor() as cursor:
        row = cursor.execute(sql, values).fetchone()
    if row is None:
        message = f"There is no row {part.first + 1:,}."
        raise FrameError(message)
    found = row[0]
    if found is None:
        return Value("null")
    if isinstance(found, bytes):
        mime = image_type(found)
        return Value("image" if mime else "bytes", found, mime)
    return Value("json" if is_nested or kind == "JSON" else "text", found.encode(errors="replace"))


def image_type(content: bytes) -> str:
    """Return the MIME type of *content* if it is an image that browsers draw; else nothing."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in _IMAGES if content.startswith(start)), "")


def find(
    store: ResultStore, part: Part, text: str, *, start: tuple[int, int], back: bool, check: Callable[[], object]
) -> Place | None:
    """Return the next place behind *start*, a row and a position, where a value contains *text*, in any case.

    With *back* it is the place before. The search goes on at the other end, up to *start* itself; `None` where the text
    stands nowhere. *check* is called between steps, to stop it.
    """
    source, total = store.ordered(part.view)
    row, position = start
    wanted = [f"contains(lower(c{at}::VARCHAR), lower($text))" for at in part.columns]
    hits = ", ".join(f"coalesce({condition}, false)" for condition in wanted)
    with store.cursor() as cursor:
        for wrapped, low, high in _windows(row, total, back=back):
            check()
            within = f"FROM {source} WHERE n >= $low AND n < $high AND ({' OR '.join(wanted)})"
            sql = f"SELECT n, [{hits}] {within} ORDER BY n {'DESC' if back else 'ASC'} LIMIT 2"
            for at, found in cursor.execute(sql, {"text": text, "low": low, "high": high}).fetchall():
                places = [place for place, is_hit in enumerate(found) if is_hit]
                if at == row and not wrapped:
                    places = [place for place in places if (place < position if back else place > position)]
                if places:
                    return Place(at, places[-1] if back else places[0], wrapped)
    return None


def _windows(row: int, total: int, *, back: bool) -> Iterator[tuple[bool, int, int]]:
    """Give the rows to search, as half-open ranges, and whether the other end is behind."""
    ahead = (0, min(row + 1, total)) if back else (row, total)
    behind = (row, total) if back else (0, min(row + 1, total))
    for wrapped, (begin, end) in ((False, ahead), (True, behind)):
        low, high, size = begin, end, _FIRST_WINDOW
        while low < high:
            first = max(low, high - size) if back else low
            last = high if back else min(high, low + size)
            yield wrapped, first, last
            low, high = (low, first) if back else (last, high)
            size = min(size * 4, _LARGEST_WINDOW)
