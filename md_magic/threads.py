"""Whether this Python has threads. JupyterLite's, in the browser, has none: what needs them is not there then."""

from __future__ import annotations

import functools
import threading


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


NEEDED = "needs a thread, and this Python can start none, as in JupyterLite."
"""The end of a sentence about what is not there."""
