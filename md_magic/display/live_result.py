"""A result that follows controls: when one of them changes, the cell runs again, and the output is replaced in place.

The invariants: one query runs at a time, in a thread of its own; a change stops it, and what runs next reads the values
that the controls have then. So a slider that is dragged makes no queue, and the last change is what is shown.
"""

from __future__ import annotations

import contextlib
import contextvars
import html
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from md_magic import threads
from md_magic.errors import MdMagicError, QueryCancelled, QueryTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from md_magic.engine.cancellation import Execution

logger = logging.getLogger(__name__)

_LEAVING = 2.0
"""Seconds after which a replaced output has left the screen."""

_ENDING = 2.0
"""Seconds that the thread is waited for when the kernel ends: one that returns from C++ later crashes the process."""

Bundle: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
"""What is shown in place of a value, by its type, and the metadata of each type."""


class LiveResult:
    """The handle of a live result: `.value` is the newest one, `.stop()` ends the following."""

    def __init__(
        self,
        value: object,
        *,
        run: Callable[[Execution], object],
        execution: Callable[[], Execution],
        format: Callable[[object], Bundle],  # noqa: A002 - as IPython calls it
        controls: Sequence[tuple[Any, object]],
    ) -> None:
        """Take the first *value*. When one of *controls* changes, *run* gives the next one, in a new *execution*.

        Each control comes with what it held before the first run. *format* returns a value's MIME bundle,
        with its metadata, such as the size at which a picture is shown.
        """
        self.value = value
        self._run = run
        self._new_execution = execution
        self._format = format
        self._controls = tuple(control for control, _ in controls)
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._closed = False
        self._running: Execution | None = None
        self._display: Any = None
        self._retired: deque[tuple[float, object]] = deque()
        self._bundle: Bundle | None = None
        context = contextvars.copy_context()  # ipykernel keeps in it which cell an output belongs to
        self._thread = threading.Thread(target=context.run, args=(self._follow,), daemon=True, name="mdsql-live")
        self._thread.start()
        for control in self._controls:
            control.observe(self._on_change, names="value")
        if any(control.value != before for control, before in controls):  # while the first query ran
            self._changed.set()
        threads.end_at_exit(self._end)

    def __repr__(self) -> str:
        """Return the state, and the newest value."""
        state = "stopped" if self._closed else "live"
        return f"<{state} result, of {len(self._controls)} control{'s' * (len(self._controls) != 1)}>\n{self.value!r}"

    def stop(self) -> None:
        """End the following, and stop what runs. The newest value stays; a second call does nothing."""
        with self._lock:
            was_closed, self._closed, running = self._closed, True, self._running
            self._changed.set()
        for control in () if was_closed else self._controls:
            with contextlib.suppress(ValueError):  # somebody has taken every observer off
                control.unobserve(self._on_change, names="value")
        if running is not None:
            running.cancel()

    def _end(self) -> None:
        if threads.available():
            self.stop()
            self.wait(_ENDING)

    def close(self) -> None:
        """End it, and release what its results own, such as a grid's file."""
        self.stop()
        for value in (self.value, *(old for _, old in self._retired)):
            _close(value)

    def wait(self, seconds: float) -> None:
        """Wait for at most *seconds* until nothing runs."""
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _ipython_display_(self) -> None:
        """Display the newest value, where the next ones take its place."""
        from IPython.display import display  # loaded anyway wherever there is a screen

        with self._lock:
            bundle, metadata = self._bundle or self._format(self.value)
            self._display = display(bundle, metadata=metadata, raw=True, display_id=True)  # type: ignore[no-untyped-call] # of IPython's

    # ---- following --------------------------------------------------------------------------------------------------

    def _on_change(self, _change: object) -> None:
        """Stop what runs, and have it run again. The values are read by the thread: those of that moment count."""
        with self._lock:
            running = self._running
            self._changed.set()
        if running is not None:
            running.cancel()

    def _follow(self) -> None:
        """Run again after each change, until it is closed."""
        while True:
            self._changed.wait()
            with self._lock:
                if self._closed:
                    return
                self._changed.clear()
                self._running = execution = self._new_execution()
            try:
                self._take(self._run(execution))
            except QueryCancelled as error:
                if isinstance(error, QueryTimeout):
                    self._show(_error_bundle(error))
            except Exception as error:  # noqa: BLE001 - an error in a thread is invisible
                self._show(_error_bundle(error))
            finally:
                with self._lock:
                    self._running = None

    def _take(self, value: object) -> None:
        if self._changed.is_set():  # there is a newer one to come
            _close(value)
            return
        old, self.value = self.value, value
        self._show(self._format(value))
        self._retire(old)

    def _retire(self, old: object) -> None:
        """Release *old*, and what came before it, once the browser has surely taken it away.

        JupyterLab fails to show the new output where a widget closes itself while it is being replaced.
        """
        now = time.monotonic()
        self._retired.append((now, old))
        while self._retired and self._retired[0][0] < now - _LEAVING:
            _close(self._retired.popleft()[1])

    def _show(self, bundle: Bundle) -> None:
        with self._lock:
            self._bundle = bundle
            shown = self._display
        if shown is not None:
            with contextlib.suppress(Exception):  # a kernel that ends closes its sockets first
                shown.update(bundle[0], metadata=bundle[1], raw=True)


def _error_bundle(error: Exception) -> Bundle:
    """Return how *error* is shown in place of the result: the next change may be right again."""
    logger.debug("a live result failed: %s", type(error).__name__)
    if isinstance(error, MdMagicError):
        text = "\n".join(error._render_traceback_())
    else:
        text = f"{type(error).__name__}: {error}"
    return {"text/plain": text, "text/html": f"<pre style='white-space: pre-wrap'>{html.escape(text)}</pre>"}, {}


def _close(value: object) -> None:
    """Release a result that is no longer shown: a grid has a file."""
    close = getattr(value, "close", None)
    if close is not None and hasattr(value, "_ipython_display_"):
        close()
