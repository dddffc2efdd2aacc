"""Every error that md_magic raises on purpose.

::

    MdMagicError                one message, no traceback through our code
    ├── OptionError             the magic line or a setting is invalid
    ├── TargetError             a target is invalid: its URI, alias, variable or driver
    ├── ConnectError            a valid target cannot be opened
    │   ├── ServiceUnavailable  MotherDuck cannot be reached, or does not answer: try again later
    │   ├── UnknownDatabase     MotherDuck has no database or share of that name
    │   └── SignInError         MotherDuck: no token, refused, denied, cancelled, timed out
    │       ├── LoginImpossible the web login cannot run on this machine: a token can be given instead
    │       └── SignInRequired  there is no token yet: a person can sign in and try again
    ├── ParameterError          a parameter of the SQL has no value, or one that cannot be bound
    ├── FrameError              a Python variable cannot be used as a table
    ├── StatementError          the database refused a statement; `__cause__` is the driver's error
    │   └── ConnectionLost      the connection is gone, and its state with it
    ├── QueryCancelled          a query was cancelled, by a button or a handle; the connection stays usable
    │   └── QueryTimeout        by a time limit; it is a `TimeoutError` as well
    └── StillRunning            a background query did not end within the time given to wait for it

    KeyboardInterrupt
    └── QueryInterrupted        the kernel's interrupt stopped the cell; the connection stays usable

`MdMagicError` renders through IPython's documented `_render_traceback_` hook, so that a failed cell
shows one message and nbclient still sees the failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Error = TypeVar("Error", bound=BaseException)

STOPS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a cell and is no error. Whatever else a driver raises is one: Rust's panics are no `Exception`."""


class MdMagicError(Exception):
    """The base of every error that md_magic raises on purpose.

    The message says in whole sentences what was given, what is allowed and what to do next.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows: the message first, the notes after it."""
        return _rendered(self, str(self))


class OptionError(MdMagicError):
    """The magic line, an option's value or a setting is invalid. Nothing was run."""


class TargetError(MdMagicError):
    """A target is invalid: its URI, its alias, its variable or its driver. Nothing was opened."""


class ConnectError(MdMagicError):
    """A valid target could not be opened. The pool is unchanged."""


class ServiceUnavailable(ConnectError):
    """MotherDuck cannot be reached, or does not answer as it should. The token is kept; trying again may work."""


class UnknownDatabase(ConnectError):
    """MotherDuck has no database or share of that name, or none that the account sees. The token is good."""


class SignInError(ConnectError):
    """Signing in to MotherDuck failed: refused, denied, cancelled or timed out."""


class LoginImpossible(SignInError):
    """The web login's process cannot be started on this machine, or is killed at once. A token still works.

    Not raised for a login that was denied, cancelled or refused.
    """


class SignInRequired(SignInError):
    """A MotherDuck target needs a token and there is none. Raised before anything is opened."""


class ParameterError(MdMagicError):
    """A parameter of the SQL has no value, or one that the database cannot bind. Nothing was run."""

    missing: str = ""
    """The name of the parameter, where it has no value."""


class FrameError(MdMagicError):
    """A Python variable cannot be used as a table, or a result cannot take the form asked for."""


class StatementError(MdMagicError):
    """The database refused a statement. The text begins with the database's own; `__cause__` is the driver's error."""


class ConnectionLost(StatementError):
    """The connection was lost before or while the statement ran. The next statement needs a new one."""


class QueryCancelled(MdMagicError):
    """A query was cancelled with the Cancel button or through its handle. The connection stays usable.

    Not raised for the kernel's interrupt, which is `QueryInterrupted`.
    """


class QueryTimeout(QueryCancelled, TimeoutError):
    """A query ran for longer than `--timeout`, or the setting, allows. The connection stays usable."""


class StillRunning(MdMagicError, TimeoutError):
    """A background query did not end within the time given to wait for it. It continues."""


class QueryInterrupted(KeyboardInterrupt):
    """The kernel's interrupt stopped the cell. The connection stays usable.

    It is a `KeyboardInterrupt`, so that *Run All* and a loop around `%mdsql` stop as well.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the one line that IPython shows."""
        return _rendered(self, f"KeyboardInterrupt: {self}")


def without_tracebacks(error: Error) -> Error:
    """Remove the tracebacks of *error* and its cause: they are never shown, and would keep DataFrames alive."""
    if error.__cause__ is not None:
        error.__cause__.__traceback__ = error.__cause__.__context__ = None
    error.__context__ = None
    return error.with_traceback(None)


def reworded(error: Error, change: Callable[[str], str]) -> Error:
    """Pass every text of *error*, its notes and those of its cause included, through *change*."""
    both: tuple[BaseException | None, ...] = (error, error.__cause__)
    for each in filter(None, both):
        each.args = tuple(change(arg) if isinstance(arg, str) else arg for arg in each.args)
        if notes := getattr(each, "__notes__", None):
            notes[:] = map(change, notes)
    return error


def _rendered(error: BaseException, message: str) -> list[str]:
    return [message, *getattr(error, "__notes__", [])]
