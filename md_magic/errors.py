"""Every error that md_magic raises on purpose.

::

    MdMagicError                one message, no traceback through our code
    ├── OptionError             the magic line or a setting cannot be understood
    ├── TargetError             a target cannot be understood: URI, alias, variable, missing driver
    ├── ConnectError            a target is understood and cannot be opened
    │   └── SignInError         MotherDuck: no token, refused, denied, cancelled, timed out
    │       └── SignInRequired  no token is known yet: a person may sign in and try again
    ├── ParameterError          a parameter of the SQL has no value, or one that cannot be bound
    ├── FrameError              a Python variable cannot be used as a table
    ├── StatementError          the database refused a statement; `__cause__` is the driver's error
    │   └── ConnectionLost      the connection is gone, and with it what lived in it
    ├── QueryCancelled          a query was cancelled, by a button or a handle; the connection stays usable
    │   └── QueryTimeout        by a time limit; it is a `TimeoutError` as well
    └── StillRunning            a background query has not ended within the time that was waited for it

    KeyboardInterrupt
    └── QueryInterrupted        the kernel's interrupt stopped the cell; the connection stays usable

`MdMagicError` renders through IPython's documented `_render_traceback_` hook, so that a failed cell
shows one message and nbclient still sees the failure.
"""

from __future__ import annotations


class MdMagicError(Exception):
    """The base of every error that md_magic raises on purpose.

    The text is whole sentences that say what was got, what is possible and what to do next.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows: the message first, the notes after it."""
        return _rendered(self, str(self))


class OptionError(MdMagicError):
    """The magic line, an option's value or a setting cannot be understood. Nothing was run."""


class TargetError(MdMagicError):
    """A target cannot be understood: its URI, its alias, its variable or its driver. Nothing was opened."""


class ConnectError(MdMagicError):
    """A target was understood and could not be opened. The pool is as it was before."""


class SignInError(ConnectError):
    """MotherDuck could not be signed in to: refused, denied, cancelled or timed out."""


class SignInRequired(SignInError):
    """A MotherDuck target was named and no token is known. Raised before anything is opened."""


class ParameterError(MdMagicError):
    """A parameter of the SQL has no value, or one that the database cannot bind. Nothing was run."""


class FrameError(MdMagicError):
    """A Python variable cannot be used as a table, or a result cannot take the form asked for."""


class StatementError(MdMagicError):
    """The database refused a statement. The text begins with the database's own; `__cause__` is the driver's error."""


class ConnectionLost(StatementError):
    """The connection went away before or while the statement ran: the next one needs another connection."""


class QueryCancelled(MdMagicError):
    """Somebody cancelled a query: with the Cancel button, or through its handle. The connection stays usable.

    Not raised for the kernel's interrupt, which is `QueryInterrupted`.
    """


class QueryTimeout(QueryCancelled, TimeoutError):
    """A query ran for longer than `--timeout`, or the setting, allows. The connection stays usable."""


class StillRunning(MdMagicError, TimeoutError):
    """A background query has not ended within the time that was waited for it. It runs on."""


class QueryInterrupted(KeyboardInterrupt):
    """The kernel's interrupt stopped the cell. The connection stays usable.

    It is a `KeyboardInterrupt`, so that *Run All* and a loop around `%mdsql` stop as well.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the one line that IPython shows."""
        return _rendered(self, f"KeyboardInterrupt: {self}")


def _rendered(error: BaseException, message: str) -> list[str]:
    return [message, *getattr(error, "__notes__", [])]
