"""Mistakes while typing: a front end asks over a comm what is wrong in a cell's source, and gets places and messages.

JupyterLab's side is `labextension/`. The comm's messages come in on a subshell, so that cells are checked while another
one runs. Nothing is opened, run, displayed or saved.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from md_magic import options
from md_magic.auth.secret import scrub
from md_magic.auth.token import tokens_in
from md_magic.display import host
from md_magic.errors import MdMagicError
from md_magic.notebook import connecting
from md_magic.notebook import names as magic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from md_magic.notebook.magics import MdsqlMagics
    from md_magic.options import Request

logger = logging.getLogger(__name__)

COMM_TARGET = "md_magic.check"
_LONGEST_CELL = 200_000
"""Characters of a cell that is checked; a longer one is no longer typed by hand."""

_SUGGESTED = re.compile(r"Did you mean (\S+)\?")


@dataclass(frozen=True, slots=True)
class Found:
    """A mistake in a cell's source."""

    start: int
    """Offset in the source, in characters."""

    end: int
    message: str
    names: tuple[str, ...] = ()
    """What could stand there instead, likeliest first."""


def check(magics: MdsqlMagics, source: str, variables: Mapping[str, Any]) -> tuple[list[Found], bool]:
    """Return the mistakes in *source*, a whole cell, and whether everything was checked that can be.

    A cell that is not of our magic has none.
    """
    begin = magic.cell_magic(magics.names).match(source)
    if begin is None or not magics.check or len(source) > _LONGEST_CELL:
        return [], True
    line, newline, body = source[begin.end() :].partition("\n")
    try:
        request = options.parse(line, body if newline else None)
        target = connecting.target_of_cell(magics, request, variables)
    except MdMagicError as error:
        return [_in_line(line, begin.end(), str(error))], True
    if target is None or not _is_sql(request):
        return [], True
    start = begin.end() + len(line) + 1 - (len(request.sql) - len(body) if request.sql != body else 0)
    checked = magics.session.checks.check(
        request.sql,
        target,
        variables,
        unvalued=frozenset(name for name, _ in request.parameters),
        saving=request.save,
    )
    secrets = tokens_in(source)
    found = [
        Found(start + mark.start, start + mark.end, scrub(mark.message, secrets), mark.names) for mark in checked.marks
    ]
    return found, checked.is_whole


def _is_sql(request: Request) -> bool:
    """Whether the text below the line is SQL that runs as it stands."""
    is_name = request.mode == "profile" and not re.search(r"\s", request.sql.strip())
    return request.action == "run" and not (request.jinja or request.file or is_name)


def _in_line(line: str, start: int, message: str) -> Found:
    """Return the mistake that *message* is about: the first word of *line* that it names, or else the whole line."""
    words = [match for match in options.WORD.finditer(line) if len(match[0]) > 1]
    word = next((match for match in words if match[0].partition("=")[0] in message), None)
    suggested = tuple(_SUGGESTED.findall(message))
    if word is None:
        blank = len(line) - len(line.lstrip())
        return Found(start + blank, start + max(len(line.rstrip()), blank + 1), message)
    is_flag = bool(suggested) and word[0].startswith("-")
    length = len(word[0].partition("=")[0]) if is_flag else len(word[0])
    return Found(start + word.start(), start + word.start() + length, message, suggested if is_flag else ())


# ---- the comm ---------------------------------------------------------------------------------------------------


def _manager(magics: MdsqlMagics) -> Any:  # noqa: ANN401 - ipykernel's
    """Return the kernel's comm manager; `None` where there is no kernel."""
    return getattr(getattr(magics.shell, "kernel", None), "comm_manager", None)


def install(magics: MdsqlMagics) -> None:
    """Answer front ends that ask. Without a kernel nobody does."""
    manager = _manager(magics)
    if manager is None:
        return

    def opened(comm: Any, _message: object) -> None:  # noqa: ANN401 - a comm
        host.listen_while_busy(comm)
        comm.on_msg(lambda message: comm.send(answer(magics, message["content"]["data"])))

    manager.register_target(COMM_TARGET, opened)


def remove(magics: MdsqlMagics) -> None:
    """Answer nobody any more."""
    manager = _manager(magics)
    if manager is not None and COMM_TARGET in manager.targets:
        manager.unregister_target(COMM_TARGET, manager.targets[COMM_TARGET])


def answer(magics: MdsqlMagics, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a front end's *question*: its `id`, and a cell's `source`.

    The offsets are in UTF-16 units, as JavaScript counts. Whatever goes wrong is logged: nobody has asked for it.
    """
    source = str(question.get("source", ""))
    found: list[Found] = []
    is_whole = True
    try:
        found, is_whole = check(magics, source, dict(magics.shell.user_ns))
    except Exception:
        logger.debug("a cell cannot be checked", exc_info=True)
    marks = [
        {"from": _units(source, each.start), "to": _units(source, each.end), "message": each.message}
        | {"names": list(each.names)}
        for each in found
    ]
    return {"id": question.get("id"), "marks": marks, "whole": is_whole}


def _units(text: str, offset: int) -> int:
    """Return *offset* of *text*, in characters, in UTF-16 units."""
    return offset if text.isascii() else len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2
