"""What a grid's browser asks for beside pages: things to take along. Each is one answer, of any length."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from md_magic.engine.results import looking, seen
from md_magic.engine.results.views import View
from md_magic.errors import FrameError, MdMagicError
from md_magic.wording import data_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.engine.results.store import ResultStore

MOST_BYTES = 50_000_000
"""What is sent to the browser; more stays in a file in the kernel's folder."""

_PIECE = 4_000_000
"""Bytes of one message."""

_TOGETHER = 0.5
"""Seconds for which histograms are collected: the answer to what a browser sends just after a message has come may wait
for 40 ms on its way, because Jupyter's server (2.21) leaves Nagle's algorithm on."""

_QUICK = 200_000
"""Values of a block that are copied on the quick thread."""


class Requests:
    """Answers requests, in three threads: for what takes a moment, for histograms, and for the rest."""

    def __init__(self, store: ResultStore, send: Callable[..., object]) -> None:
        """Read *store*; *send* takes a message and, as `buffers`, bytes."""
        self._store = store
        self._send = send
        self._quick = ThreadPoolExecutor(1, thread_name_prefix="mdsql-grid-quick")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="mdsql-grid-slow")
        self._bars = ThreadPoolExecutor(1, thread_name_prefix="mdsql-grid-bars")
        self._threads: dict[str, int] = {}
        self._stopped: set[str] = set()

    def receive(self, content: dict[str, Any]) -> bool:
        """Take a message, and return whether it is a request, or stops one."""
        kind, request = content.get("type"), str(content.get("id"))
        if kind == "stop" and "id" in content:
            self._stopped.add(request)
            if (thread := self._threads.get(request)) is not None:
                self._store.stop(thread)
            return True
        if kind not in _KINDS:
            return False
        pool = self._bars if kind == "histograms" else self._quick if _is_quick(content) else self._slow
        pool.submit(self._answer, request, content)
        return True

    def _answer(self, request: str, content: dict[str, Any]) -> None:
        self._threads[request] = threading.get_ident()
        try:
            self._check(request)
            answer = _KINDS[content["type"]](self, content)
        except (MdMagicError, TypeError, ValueError, KeyError, OSError) as error:
            if request not in self._stopped:
                self._send({"type": "failed", "id": request, "text": str(error)})
        else:
            self._send({"type": "done", "id": request} | answer)
        finally:
            del self._threads[request]
            self._stopped.discard(request)

    def _check(self, request: str) -> None:
        if request in self._stopped:
            message = "stopped"
            raise FrameError(message)

    def take(self, content: dict[str, Any]) -> dict[str, object]:
        """Write what is wanted to a file and send it, or keep it where it is too large."""
        request, form = str(content["id"]), content["form"]
        part = part_of(self._store, content)
        path = self._store.folder / f"taken-{threading.get_ident()}.{form}"
        try:
            if form == "csv":
                rows = seen.write_csv(self._store, part, path)
            elif form == "parquet":
                rows = seen.write_parquet(self._store, part, path)
            elif form == "tsv":
                headers = bool(content.get("headers"))
                rows = seen.write_text(self._store, part, path, headers=headers, check=lambda: self._check(request))
            else:
                message = f"There is no form {form!r}."
                raise ValueError(message)
            size = path.stat().st_size
            answer: dict[str, object] = {"rows": rows, "bytes": size, "size": data_size(size)}
            if size > MOST_BYTES:
                return answer | {"file": _kept(path, form)}
            self._send_file(request, path)
            return answer
        finally:
            path.unlink(missing_ok=True)

    def value(self, content: dict[str, Any]) -> dict[str, object]:
        """Send one whole value; of one that is larger than what a browser is sent, the beginning."""
        value = looking.value(self._store, part_of(self._store, content))
        size = len(value.content)
        for at in range(0, min(size, MOST_BYTES), _PIECE):
            piece = value.content[at : min(at + _PIECE, MOST_BYTES)]
            self._send({"type": "piece", "id": content["id"]}, buffers=[piece])
        answer: dict[str, object] = {"form": value.form, "mime": value.mime, "bytes": size, "size": data_size(size)}
        return answer | {"isWhole": size <= MOST_BYTES}

    def find(self, content: dict[str, Any]) -> dict[str, object]:
        """Return the next place where a text stands."""
        request = str(content["id"])
        place = looking.find(
            self._store,
            part_of(self._store, content),
            str(content["text"]),
            start=(max(int(content["row"]), 0), int(content["position"])),
            back=bool(content["back"]),
            check=lambda: self._check(request),
        )
        if place is None:
            return {"row": None}
        return {"row": place.row, "position": place.position, "wrapped": place.wrapped}

    def histograms(self, content: dict[str, Any]) -> dict[str, object]:
        """Return the bars of the columns; those of the first ones are sent before, where all of them take long.

        A column that has none is left out.
        """
        request = str(content["id"])
        part = part_of(self._store, content)
        computed: list[dict[str, object]] = []
        sent = time.monotonic()
        with self._store.sparing():
            for at in part.columns:
                self._check(request)
                with contextlib.suppress(FrameError, ArithmeticError, ValueError):  # the other columns have theirs
                    computed.append(self._bars_of(part.view, at))
                if computed and time.monotonic() - sent >= _TOGETHER:
                    self._send({"type": "piece", "id": content["id"], "histograms": computed})
                    computed, sent = [], time.monotonic()
        self._check(request)
        return {"histograms": computed}

    def _bars_of(self, view: View, at: int) -> dict[str, object]:
        from md_magic.session.profile.histogram import histogram  # only a grid with all of its rows has them

        found = histogram(self._store, view, at)
        bars = [[bar.label, bar.rows, bar.seen, bar.low, bar.high] for bar in found.bars]
        answer: dict[str, object] = {"bars": bars, "ordered": found.ordered, "different": found.different}
        return answer | {"rows": found.rows, "nulls": found.nulls, "column": at}

    def _send_file(self, request: str, path: Path) -> None:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                self._check(request)
                self._send({"type": "piece", "id": request}, buffers=[piece])


_KINDS: dict[object, Callable[[Requests, dict[str, Any]], dict[str, object]]] = {
    "take": Requests.take,
    "value": Requests.value,
    "find": Requests.find,
    "histograms": Requests.histograms,
}


def view_of(store: ResultStore, content: dict[str, Any]) -> View:
    """Return the view that a message names. Raises TypeError, ValueError or KeyError for a malformed one."""
    most = len(store.columns)
    sort = tuple((_within(at, most), bool(down)) for at, down in content["sort"])
    return View(sort, tuple((_within(at, most), str(text)) for at, text in content["filters"]))


def columns_of(store: ResultStore, content: dict[str, Any]) -> tuple[int, ...]:
    """Return the columns that a message names; raises as `view_of`."""
    columns = tuple(_within(at, len(store.columns)) for at in content["columns"])
    if not columns:
        message = "The grid was asked for no column."
        raise ValueError(message)
    return columns


def part_of(store: ResultStore, content: dict[str, Any]) -> seen.Part:
    """Return the part of what is seen that a message names; raises as `view_of`."""
    count = content.get("count")
    return seen.Part(
        view_of(store, content),
        columns_of(store, content),
        max(int(content.get("first") or 0), 0),
        None if count is None else max(int(count), 0),
    )


def _within(at: object, most: int) -> int:
    if isinstance(at, int) and 0 <= at < most:
        return at
    message = f"The grid was asked for column {at!r}, and has {most}."
    raise ValueError(message)


def _is_quick(content: dict[str, Any]) -> bool:
    if content["type"] != "take":
        return bool(content["type"] == "value")
    count, columns = content.get("count"), content.get("columns")
    return isinstance(count, int) and isinstance(columns, list) and count * len(columns) <= _QUICK


def _kept(path: Path, form: str) -> str:
    """Move a file to the kernel's folder under a name that is free, and return the name."""
    number = 0
    while True:
        number += 1
        target = Path(f"result{f'-{number}' if number > 1 else ''}.{form}")
        try:
            target.open("xb").close()
        except FileExistsError:
            continue
        try:
            shutil.copyfile(path, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target.name
