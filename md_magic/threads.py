"""Whether this Python has threads, what they load, and how they end with it.

JupyterLite's, in the browser, has none: what needs them is not there then.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import sys
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@functools.cache
def available() -> bool:
    """Return whether a thread can be started, which is tried once."""
    thread = threading.Thread(target=int, name="md_magic trial", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # can't start new thread
        return False
    thread.join()
    return True


def load_early(module: str) -> None:
    """Begin to import *module* in a thread, for an import of it that is to come. What goes wrong, that one raises."""
    if module in sys.modules or not available():
        return

    def load() -> None:
        with contextlib.suppress(Exception):
            importlib.import_module(module)

    threading.Thread(target=load, name=f"md_magic loads {module}").start()


def end_at_exit(end: Callable[[], object]) -> None:
    """Call *end*, a method that ends a thread, when Python exits: one that returns from C++ after that aborts it.

    The method's object is not kept alive for it.
    """
    reference = weakref.WeakMethod(end)

    def call() -> None:
        if (alive := reference()) is not None:
            alive()

    atexit.register(call)


NEEDED = "needs a thread, and this Python can start none, as in JupyterLite."
"""The end of a sentence about what is not there."""
