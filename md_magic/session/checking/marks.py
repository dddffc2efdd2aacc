"""Marks: where in a cell's SQL a problem stands, and what could stand there instead."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.engine import variables as python
from md_magic.sql.quoting import DUCKDB
from md_magic.sql.tokens import tokens
from md_magic.wording import near_names, near_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from md_magic.errors import ParameterError
    from md_magic.session.checking.known import Known
    from md_magic.session.checking.shadow import Problem
    from md_magic.sql.statement import Statement

_NEAR = 3
"""At most this many names are offered."""

_SURE = 0.7
"""Two words that are at least this much alike, of 1, are the same one misspelt."""

_WORD = re.compile(r'"(?:[^"]|"")*"|\w+')
_DOT = re.compile(r"\s{0,9}\.\s{0,9}")
_QUALIFIERS = re.compile(r'(?<![\w"])(?:(?:"(?:[^"]|""){0,200}+"|\b\w++)\s{0,9}\.\s{0,9}){1,2}\Z')
_QUOTED = re.compile(r'"((?:[^"\n]|"")+)"')
_NAMED = re.compile(r'column (?:named|with name) "([^"]+)"|Referenced update column (.+?) not found')
_SUGGESTED = re.compile(r"(?:Did you mean|Candidate \w+)\W{1,4}(\"[^\n]+)")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something in a cell's SQL that DuckDB does not accept."""

    start: int
    """Offset in the SQL, in characters."""

    end: int
    message: str
    names: tuple[str, ...] = ()
    """What could stand there instead, quoted where SQL needs it, likeliest first."""


def of_problem(sql: str, statement: Statement, found: Problem, known: Known) -> Mark:
    """Return the mark of *found* in *sql*, the cell that *statement* is of."""
    message, names = _missing_table(found, known) or (found.text, _suggested(found))
    for parameter in statement.parameters:
        if parameter.sign == ":":
            message = message.replace(f"${parameter.name}", f":{parameter.name}")
    name = found.detail("name") or _first_quoted(found.message)
    if found.position is None:
        place = _only_place(sql, statement, name)
    else:
        place = _extent(sql, _character(sql, statement.position_in_cell(found.position)), name)
    if place is None:
        return Mark(*_first_word(sql, statement), message)
    if found.detail("type") in {"Table", "View"} and (qualified := _QUALIFIERS.search(sql, 0, place[0])):
        place = qualified.start(), place[1]  # the names that are offered are whole
    return Mark(*place, message, names)


def of_parameter(sql: str, statement: Statement, error: ParameterError, known: Known) -> list[Mark]:
    """Return the mark of the parameter that has no value; none for other reasons, which are said when it runs."""
    for parameter in statement.parameters:
        if parameter.name == error.missing and parameter.sign == ":":
            before = len(statement.text[: parameter.start].encode())
            start = _character(sql, statement.position_in_cell(before))
            bindable = [name for name, value in known.variables.items() if python.is_bindable(value)]
            near = near_names(parameter.name, (name for name in bindable if not name.startswith("_")), most=_NEAR)
            names = tuple(f":{name}" for name in near)
            return [Mark(start, start + 1 + len(parameter.name), str(error), names)]
    return []


def only_near(word: str, names: Sequence[str]) -> str | None:
    """Return the one of *names* that *word* is a misspelling of; `None` where there is none, or more than one."""
    folded = word.strip('"').casefold()
    near = [
        name
        for name in names
        if difflib.SequenceMatcher(None, folded, name.rpartition(".")[2].strip('"').casefold()).ratio() >= _SURE
    ]
    return near[0] if len(near) == 1 else None


# ---- what could stand there -------------------------------------------------------------------------------------


def _missing_table(found: Problem, known: Known) -> tuple[str, tuple[str, ...]] | None:
    """Return the message of a missing table and the names that are near, of all that can be read; else `None`.

    DuckDB looks among its own tables, and in the shadow there are only a few of the user's.
    """
    if found.detail("type") != "Table" or found.detail("error_subtype") != "MISSING_ENTRY":
        return None
    tables = known.snapshot.tables if known.snapshot is not None else ()
    readable = [table.name for table in tables] + [*python.names(known.variables), *known.saved]
    names = near_tables(found.detail("name"), readable, most=_NEAR)
    line = f'\nDid you mean "{names[0]}"?' if names else ""
    shown = {table.name: known.snapshot.short(table) for table in tables} if known.snapshot is not None else {}
    found_text = found.text.partition("\n")[0]
    return found_text + line, tuple(shown.get(name) or DUCKDB.where_needed(name) for name in names)


def _suggested(found: Problem) -> tuple[str, ...]:
    """Return the names that DuckDB suggests, those most like the one that is wrong first."""
    suggested = [name for name in found.detail("candidates").split(",") if name and not name.startswith("pg_")]
    if any("(" in name for name in suggested):  # ways to call a function
        return ()
    if not suggested and (match := _SUGGESTED.search(found.message)):
        suggested = _QUOTED.findall(match[1])
    wrong = (found.detail("name") or _first_quoted(found.message)).casefold()
    suggested.sort(key=lambda name: -difflib.SequenceMatcher(None, wrong, name.casefold()).ratio())
    suggested = [name.partition(" or ")[0] for name in suggested]
    is_function = found.detail("type").endswith("Function")
    return tuple(name if "." in name or is_function else DUCKDB.where_needed(name) for name in suggested[:_NEAR])


def _first_quoted(message: str) -> str:
    """Return the name that *message* is about: the column that is named, or the first name in quotes."""
    line = message.partition("\n")[0]
    match = _NAMED.search(line) or _QUOTED.search(line)
    return (match[1] or match[2] if match.re is _NAMED else match[1]) if match else ""


# ---- where ------------------------------------------------------------------------------------------------------


def _extent(sql: str, start: int, name: str) -> tuple[int, int]:
    """Return where the word at *start* begins and ends; in `a.b.c` the part that is *name*, or else all of it."""
    if start >= len(sql.rstrip()):  # at the end of the input: its last character
        last = max(len(sql.rstrip()) - 1, 0)
        return last, min(last + 1, len(sql))
    first = last = end = start
    while word := _WORD.match(sql, end):
        if name and word[0].strip('"').replace('""', '"').lower() == name.lower():
            return word.start(), word.end()
        last = word.end()
        dot = _DOT.match(sql, last)
        if dot is None:
            break
        end = dot.end()
    return first, max(last, first + 1)


def _only_place(sql: str, statement: Statement, name: str) -> tuple[int, int] | None:
    """Return where *name* stands in *statement*, if at one place only."""
    if statement.inserted is not None or not name:
        return None
    start = _character(sql, statement.offset)
    read, _ = tokens(statement.text)
    places = [token for token in read if token.name is not None and token.name.lower() == name.lower()]
    return (start + places[0].start, start + places[0].end) if len(places) == 1 else None


def _first_word(sql: str, statement: Statement) -> tuple[int, int]:
    start = _character(sql, statement.offset)
    read, _ = tokens(sql[start:])
    return (start + read[0].start, start + read[0].end) if read else (start, start + 1)


def _character(sql: str, byte: int) -> int:
    """Return the offset in characters of what stands at *byte* of *sql*."""
    return byte if sql.isascii() else len(sql.encode()[:byte].decode(errors="ignore"))
