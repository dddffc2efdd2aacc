"""MotherDuck's web login, in a process of its own: `python -P login_child.py CHANNEL USER_AGENT`.

The login blocks for minutes, cannot be interrupted, and prints to the process's own file descriptors, so it never runs
in a kernel. Some drivers start it in `duckdb.connect("md:")`, others at the first statement that needs the service, so
such a statement is run before the token is asked for. The driver's output goes to stdout and stderr, which `login`
reads. The answer, one JSON object with `token` or `error`, goes to CHANNEL, a pipe that nothing else writes to. When
stdin ends, the kernel is gone or has cancelled, and the process exits.

The file is run by its path and imports nothing from md_magic: the child may not find the package.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

_ASSIGNED = re.compile(r"motherduck_token\s*=\s*'?(?P<token>[\w.-]{16,})", re.IGNORECASE)
_WORD = re.compile(r"[\w.-]{16,}")
_NEEDS_SERVICE = ("SELECT username FROM md_user_info()", "FROM md_all_databases()")
"""Statements that only the service can answer; the second is for drivers that do not know the first."""

_PIPE = 1 << 16
_LONGEST = 4000


def main() -> NoReturn:
    """Sign in, answer, and exit at once: the driver's threads could block the interpreter's normal shutdown."""
    channel = _channel(int(sys.argv[1]))
    threading.Thread(target=_leave_with_the_kernel, daemon=True).start()
    answer = json.dumps(_answer(sys.argv[2])).encode()
    with os.fdopen(channel, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)


def _channel(number: int) -> int:
    if sys.platform == "win32":
        import msvcrt  # exists there only

        return msvcrt.open_osfhandle(number, os.O_WRONLY)
    os.set_inheritable(number, False)  # noqa: FBT003 - the browser that the driver starts would hold the pipe open for hours
    return number


def _leave_with_the_kernel() -> None:
    while os.read(0, _PIPE):
        pass
    os._exit(1)


def _answer(user_agent: str) -> dict[str, str]:
    try:
        import duckdb  # inside the try block: a missing package is reported like any other error

        connection = duckdb.connect("md:", config={"custom_user_agent": user_agent})
        _ask_service(connection)
        token = _from_pragma(connection) or _from_setting(connection)
    except BaseException as error:  # noqa: BLE001 - every error is reported to the kernel
        return {"error": f"{type(error).__name__}: {error}"[:_LONGEST]}
    return {"token": token} if token else {"error": "The login succeeded, and no token could be read after it."}


def _ask_service(connection: duckdb.DuckDBPyConnection) -> None:
    """Run one statement that needs the service, which may start the login. Its prompt must reach the kernel.

    The second statement is only for drivers that do not know the first: after a denial it would start another login.
    """
    import duckdb  # imported by now

    for statement in _NEEDS_SERVICE:
        with suppress(duckdb.BinderException, duckdb.CatalogException):
            connection.execute(statement).fetchall()
            return


def _from_pragma(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Return the token that the pragma gives as a row or, with no row, prints as a shell command."""
    import duckdb  # imported by now

    rows: list[tuple[object, ...]] = []
    with _printed() as printed, suppress(duckdb.Error):  # a driver without the pragma may still have the setting
        rows = connection.execute("PRAGMA PRINT_MD_TOKEN").fetchall()
    texts = [str(value) for row in rows for value in row]
    return next(filter(_WORD.fullmatch, texts), None) or _assigned("\n".join([*texts, *printed]))


def _from_setting(connection: duckdb.DuckDBPyConnection) -> str | None:
    row = connection.execute("SELECT current_setting('motherduck_token')").fetchone()
    return str(row[0]) if row and row[0] else None


def _assigned(text: str) -> str | None:
    match = _ASSIGNED.search(text)
    return match["token"] if match else None


@contextmanager
def _printed() -> Iterator[list[str]]:
    """Capture stdout and stderr, C++ output included, so that it does not reach the kernel; it ends up in the list."""
    kept: list[str] = []
    source, sink = os.pipe()
    outputs = {number: os.dup(number) for number in (1, 2)}
    for number in outputs:
        os.dup2(sink, number)
    os.close(sink)
    try:
        yield kept
    finally:
        for number, output in outputs.items():
            os.dup2(output, number)
            os.close(output)
        kept.append(os.read(source, _PIPE).decode(errors="replace"))  # its last writer is closed: this cannot block
        os.close(source)


if __name__ == "__main__":
    main()
