"""MotherDuck's web login, in a process of its own: `python -P login_child.py CHANNEL USER_AGENT`.

`duckdb.connect("md:")` blocks for minutes, cannot be interrupted and prints to the process's own file descriptors, so
it never runs in a kernel. Whatever is printed goes to this process's stdout and stderr, which `login` reads. The
answer, one JSON object with `token` or `error`, goes to CHANNEL, a pipe that nothing else writes to. The end of stdin
means that the kernel has gone or has lost interest, and the process leaves at once.

The file is run by its path and imports nothing of md_magic: a child need not find the package where the kernel did.
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
_PIPE = 1 << 16
_LONGEST = 4000


def main() -> NoReturn:
    """Sign in, answer, and leave without the clean-up of an interpreter that a driver's threads could hold up."""
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
        import duckdb  # its absence is an answer too

        connection = duckdb.connect("md:", config={"custom_user_agent": user_agent})
        token = _from_pragma(connection) or _from_setting(connection)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the kernel is to hear of it
        return {"error": f"{type(error).__name__}: {error}"[:_LONGEST]}
    return {"token": token} if token else {"error": "The login succeeded, and no token could be read after it."}


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
    """Keep from the kernel what is printed to stdout and stderr, by C++ too; the list has it afterwards."""
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
