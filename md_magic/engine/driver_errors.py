"""Translating driver errors into ours: located in the cell, without secrets, with a hint on what to do next.

The invariant: whatever a driver raises becomes a `MdMagicError`, and neither its text nor its cause contains bound
values.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import duckdb
import sqlalchemy

from md_magic.auth.secret import scrub, secrets_told
from md_magic.auth.token import tokens_in
from md_magic.engine import utf8
from md_magic.errors import (
    STOPS,
    ConnectError,
    ConnectionLost,
    FrameError,
    MdMagicError,
    ParameterError,
    SignInError,
    StatementError,
)
from md_magic.sql import habits
from md_magic.sql.statement import Statement
from md_magic.wording import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from md_magic.auth.secret import Secret
    from md_magic.engine.backends.base import Backend
    from md_magic.engine.database import Database
    from md_magic.sql.target import Target

_LINE = re.compile(r"\nLINE (\d+): (.*)\n( *)\^")
_POSITION = re.compile(r'\A([\w ]+) Error: (\{"exception_type":"\1",.*?"position":")(\d+)')
"""The position of an error, in bytes, in DuckDB's JSON format (`SET errors_as_json = true`)."""

_UNBINDABLE = re.compile(r"(?i)adapt type|type '[^']*' is not supported|used as parameter|bind\w* parameter")
"""Drivers' messages about a value that they cannot bind."""

_LARGEST = 2**63
"""Integers from here on exceed the 64 bits that most databases have."""

_SYNTAX = re.compile(r"(?i)syntax|unrecognized token")
"""Drivers' messages about SQL that is none."""

_NO_ARROW = re.compile(r"Unsupported Arrow type \"?([\w ]+)")
_SPEAKS = (RuntimeError, ValueError, OverflowError, OSError)
"""Python exceptions whose text is understandable without the name of the class."""

_LONGEST = 10_000
"""Characters of a driver's text; one of some has the whole SQL in it, or a page of HTML."""

_NOWHERE = Statement(text="")


@contextlib.contextmanager
def translated(
    database: Database, statement: Statement = _NOWHERE, values: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Within the block, which runs *statement* with *values*, whatever the driver raises becomes one of our errors."""
    try:
        yield
    except (MdMagicError, *STOPS):
        raise
    except BaseException as error:  # noqa: BLE001 - SQLAlchemy wraps what a driver declares, and drivers raise more
        cause = driver_error(error)
    else:
        return
    raise translate(database.backend, statement, cause, values or {}) from clean(
        cause, secrets_of(database.backend, statement)
    )


def driver_error(error: BaseException) -> BaseException:
    """Return the driver's exception behind *error*: the messages of SQLAlchemy and pandas repeat the bound values."""
    cause: BaseException = error
    if isinstance(error.__cause__, sqlalchemy.exc.StatementError):  # pandas raises a DatabaseError of its own from it
        cause = error.__cause__
    while isinstance(cause, sqlalchemy.exc.StatementError) and isinstance(cause.orig, BaseException):
        cause = cause.orig
    return cause


def clean(error: BaseException, secrets: Iterable[Secret]) -> BaseException | None:
    """Return *error* if it holds no secret and no data, else an error of the same class with a scrubbed text."""
    if isinstance(error, (UnicodeError, sqlalchemy.exc.StatementError)):  # they keep the value, or the parameters
        return None
    text = _words(error)
    scrubbed = scrub(text, secrets)
    if scrubbed == text:
        return error
    return type(error)(scrubbed) if isinstance(error, duckdb.Error) else None


def secrets_of(backend: Backend, statement: Statement) -> list[Secret]:
    """Return what is masked in an error of *statement*: the secrets of *backend*, and those typed into the SQL."""
    return [*backend.secrets, *tokens_in(statement.text), *secrets_told(statement.text)]


def translate(backend: Backend, statement: Statement, cause: BaseException, values: Mapping[str, Any]) -> MdMagicError:
    """Return our error for *cause*, which the driver of *backend* raised when *statement* ran with *values*.

    It is a `SignInError` if a token is no longer valid, a `ConnectionLost` if the connection is gone, a
    `ParameterError` if a value cannot be bound, a `FrameError` if Arrow lacks a type, and else a `StatementError`.
    """
    text = shortened(backend.error_text(cause) or _without_words(cause), _LONGEST)
    text = scrub(text, secrets_of(backend, statement))
    text = backend.target.as_typed(text) if backend.target.label else text
    if said := utf8.said_in(text):
        return FrameError(said)
    diagnosis = backend.diagnosis(statement, text)
    if diagnosis is not None and diagnosis.asks_for_token:
        refused = SignInError(diagnosis.advice + _progress(statement))
        refused.add_note(f"\nMotherDuck said: {diagnosis.words}")
        return refused
    if (parameter := _unbindable(cause, values)) is not None:
        return ParameterError(_not_bound(backend, parameter, values[parameter], text))
    if isinstance(cause, duckdb.NotImplementedException) and (match := _NO_ARROW.search(text)):
        return FrameError(
            f"{text}. Cast the column in SQL, as in `v::VARCHAR` for one of type {match[1].strip()}, or ask for"
            " `--as pandas` or `--as dict`."
        )
    kind = ConnectionLost if backend.is_lost(statement, cause, diagnosis) else StatementError
    error = kind(_located(text, statement) + _progress(statement))
    hint = backend.hint(statement, cause, text, diagnosis)
    is_syntax = _SYNTAX.search(text) or isinstance(cause, KeyError)  # SQLAlchemy's oldest, of `%(x)s`
    if hint or (is_syntax and (hint := habits.hint(statement.text, text))):
        error.add_note(f"\n{hint}")
    return error


def connect_error(
    kind: type[Backend], target: Target, config: Mapping[str, Any], cause: BaseException, secrets: Iterable[Secret]
) -> ConnectError:
    """Return our error for *cause*, raised by the driver of *kind* when opening *target*. Its text is never empty."""
    text = scrub(shortened(_words(cause) or _without_words(cause), _LONGEST), secrets)
    text = target.as_typed(text)
    refusal = kind.connect_refusal(target, config, text)
    if refusal is not None:
        return refusal
    if target.variable:
        return ConnectError(f"{text} It is held in your own variable: open it again there.")
    error = ConnectError(f"{target.name} cannot be opened. {text}")
    if hint := kind.connect_hint(target, text):
        error.add_note(f"\n{target.as_typed(hint)}")
    return error


def text_of(cause: BaseException) -> str:
    """Return the text of *cause*, with the name of its class if Python's text alone does not say what happened."""
    text = _words(cause)
    of_python = type(cause).__module__ == "builtins" and type(cause) is not Exception
    if text and of_python and not isinstance(cause, _SPEAKS):
        return f"{type(cause).__name__}: {text}"
    return text


def _words(error: BaseException) -> str:
    """Return the text of *error*, without the SQL and the parameters that SQLAlchemy adds; empty if there is none."""
    try:
        if isinstance(error, sqlalchemy.exc.StatementError):
            return str(error.args[0]).strip()
        code, words = (*error.args, None, None)[:2]
        if isinstance(code, int) and isinstance(words, str) and not isinstance(error, OSError):  # MySQL's drivers
            return f"{words.strip()} ({code})"
        return str(error).strip()
    except Exception:  # noqa: BLE001 - a driver's `__str__` can fail as well
        return ""


def _without_words(cause: BaseException) -> str:
    return f"The driver raised {type(cause).__name__}, and says no more."


def _unbindable(cause: BaseException, values: Mapping[str, Any]) -> str | None:
    """Return the parameter whose value the driver could not bind; `None` if *cause* is about something else."""
    if not values or isinstance(cause, duckdb.Error):
        return None
    if isinstance(cause, OverflowError):
        return next((name for name, value in values.items() if isinstance(value, int) and abs(value) >= _LARGEST), None)
    if isinstance(cause, UnicodeEncodeError):
        return next((name for name, value in values.items() if value == cause.object), None)
    text = _words(cause)
    if not (isinstance(cause, TypeError) or _UNBINDABLE.search(text)):
        return None
    return next((name for name, value in values.items() if _is_named(value, text)), None)


def _is_named(value: object, text: str) -> bool:
    """Whether *text* names the type of *value* or, if it is a list, of one of its items."""
    kinds = {type(item).__name__ for item in (value, *(value if isinstance(value, list) else ()))}
    return any(re.search(rf"\b{kind}\b", text) for kind in kinds)


def _not_bound(backend: Backend, name: str, value: object, text: str) -> str:
    """Return the error message for a *value* that cannot be bound, without the value itself."""
    kind = type(value).__name__
    message = f"The driver of {backend.dialect} cannot bind the parameter :{name}, whose type is {kind}:"
    if isinstance(value, dict | list):
        return f"{message} {text}. Bind it as text: json.dumps({name})."
    if isinstance(value, str):
        return f"{message} it holds a character that is no text, such as a lone surrogate."
    if isinstance(value, int):
        return f"{message} it is too large. Bind it as text, and CAST it in SQL."
    return f"{message} {text}. Bind it as text: str({name})."


# ---- where in the cell ---------------------------------------------------------------------------------------------


def _progress(statement: Statement) -> str:
    if statement.of == 1:
        return ""
    before = "; those before it have run." if statement.number > 1 else "; nothing was run."
    return f"\n\nStatement {statement.number} of {statement.of} failed{before}"


def _located(text: str, statement: Statement) -> str:
    """Rewrite the `LINE` and position in *text* relative to the cell, and our parameters as typed."""
    for parameter in statement.parameters:
        if parameter.sign == ":":
            text = re.sub(rf"\${parameter.name}\b", f":{parameter.name}", text)

    text = _LINE.sub(lambda match: _moved(match, statement), text) if statement.line or statement.inserted else text
    return _POSITION.sub(lambda match: f"{match[1]} Error: {match[2]}{statement.position_in_cell(int(match[3]))}", text)


def _moved(match: re.Match[str], statement: Statement) -> str:
    """Return DuckDB's `LINE` with its number in the cell, or in a saved query."""
    line, shown, number = int(match[1]) + statement.line, match[2], ""
    added = statement.inserted
    if added is not None and added.line <= line < added.line + added.lines:
        name, first, _ = next(query for query in reversed(added.queries) if query[1] <= line)
        number = f"{max(line - first, 1)} of the saved query {name}"
    elif added is not None and line >= added.line + added.lines:
        blank = re.sub(r"\S", " ", added.head)
        if blank and line == added.line + added.lines and shown.startswith(blank):
            shown = added.head + shown[len(blank) :]
        line -= added.lines + bool(added.head)
    elif added is not None and added.head and line == added.line - 1 and shown == added.head:
        shown += added.tail
    number = number or str(line)
    caret = " " * (len(match[3]) + len(number) - len(match[1]))
    return f"\nLINE {number}: {shown}\n{caret}^"
