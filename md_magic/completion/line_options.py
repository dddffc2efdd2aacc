"""Completion of a magic line: options, their values, and targets, from the table in `options`."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from md_magic.completion.menu import MOST, Suggested, Suggestion
from md_magic.completion.paths import paths
from md_magic.completion.suggestions import parameters, result_columns
from md_magic.completion.words import STATEMENTS
from md_magic.options import ASSIGNMENT, BY_FLAG, FLAG, WORD, unquoted
from md_magic.sql import tokens
from md_magic.sql.target import is_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from md_magic.catalog.snapshot import Table
    from md_magic.completion.menu import Word
    from md_magic.completion.suggestions import Surroundings
    from md_magic.option import Completes, Option

_DUCKDB_FILE = "duckdb:///"


@dataclass(frozen=True, slots=True)
class LineContext:
    """The context at the end of a half-typed magic line."""

    fragment: str = ""
    """The word being typed."""

    option: Option | None = None
    """The option whose value is being typed."""

    has_target: bool = False
    sql: int | None = None
    """Offset in the line at which SQL begins, if the word belongs to it."""


def context_at_end(line: str) -> LineContext:
    """Return the context of the last word of *line*, which may be empty or half-typed. Never raises."""
    assigned = ASSIGNMENT.match(line)
    position = assigned.end() if assigned else 0
    waiting: Option | None = None
    has_target = False
    while True:
        position += len(line[position:]) - len(line[position:].lstrip())
        match = WORD.match(line, position)
        word = match[0] if match else ""
        is_last = match is None or match.end() == len(line)
        is_begun = waiting is not None and is_last and any(choice.startswith(word) for choice in waiting.choices)
        if waiting is not None and (waiting.takes(word, BY_FLAG) or not word or is_begun):
            if is_last:
                return LineContext(word, waiting, has_target=has_target)
            waiting = None
        elif is_last:
            return _last_word(word, position, has_target=has_target)
        elif FLAG.match(word):
            waiting = _waiting(word)
        elif is_target(unquoted(word)) and not has_target:
            has_target = True
        else:
            return LineContext(has_target=has_target, sql=position)
        position += len(word)


def _waiting(word: str) -> Option | None:
    """Return the option that *word* is, if its value comes next."""
    option = BY_FLAG.get(word)
    return option if option is not None and option.value else None


def _last_word(word: str, position: int, *, has_target: bool) -> LineContext:
    flag, equals, value = word.partition("=")
    option = BY_FLAG.get(flag)
    if equals and option is not None and option.value:
        return LineContext(value, option, has_target=has_target)
    if "<<" in word and not word.startswith("-"):
        return LineContext(sql=position)
    return LineContext(word, has_target=has_target)


# ---- suggestions ----------------------------------------------------------------------------------------------------


def suggest(context: LineContext, sql: str, around: Surroundings, *, is_line_magic: bool) -> Suggested:
    """Suggest how a line continues: an option, an option's value, or a target.

    *sql* is the SQL below the line. *is_line_magic* says that the line is one of `%mdsql`, which can contain SQL.
    """
    if context.option is not None:
        return _value(context.option, context.fragment, sql, around)
    choices: list[tuple[str, Word]] = []
    if not context.fragment.startswith("-") and not context.has_target:
        choices += [(target, "target") for target in around.targets]
        choices += [(path, "path") for path in _database_files(context.fragment)]
    flags = [flag for flag in BY_FLAG if flag.startswith("--")]
    choices += [(flag, "option") for flag in flags if is_line_magic or BY_FLAG[flag].goes_with_sql(BY_FLAG)]
    if not context.fragment.startswith("-") and is_line_magic:
        choices += [(word, "keyword") for word in STATEMENTS]
    return _starting(context.fragment, choices)


def _starting(fragment: str, choices: Iterable[tuple[str, Word]]) -> Suggested:
    """Return the *choices* that begin with *fragment*, without duplicates; keywords in the case of *fragment*."""
    by_text: dict[str, Suggestion] = {}
    for text, kind in choices:
        if text.lower().startswith(fragment.lower()):
            cased = text.lower() if kind == "keyword" and fragment and fragment.islower() else text
            by_text.setdefault(cased, Suggestion(cased, kind))
    return Suggested(fragment, tuple(by_text.values())[:MOST])


def _database_files(fragment: str) -> Iterator[str]:
    if fragment.startswith(_DUCKDB_FILE):
        yield from (_DUCKDB_FILE + path for path in paths(fragment.removeprefix(_DUCKDB_FILE)))


def _value(option: Option, fragment: str, sql: str, around: Surroundings) -> Suggested:
    """Suggest the value of *option*."""
    if option.completes is None:
        return Suggested(fragment)
    if option.completes == "choice":
        return _starting(fragment, [(choice, "option") for choice in option.choices])
    if option.completes == "file":
        return _files(fragment)
    return _starting(fragment, _VALUES[option.completes](fragment, sql, around))


def _files(fragment: str) -> Suggested:
    opening = fragment[:1] if fragment[:1] in {"'", '"'} else ""
    words = [opening + path if opening else _quoted(path) for path in paths(fragment.removeprefix(opening))]
    return Suggested(fragment, tuple(Suggestion(word, "path") for word in words))


def _quoted(path: str) -> str:
    """Return *path* as one word of the line."""
    if not any(char.isspace() or char in "'\"" for char in path):
        return path
    quote = "'" if "'" not in path else '"'
    return f"{quote}{path}{quote}"


def _tables(fragment: str, around: Surroundings) -> Iterator[tuple[str, Word]]:
    names, start = around.names, fragment.lower().lstrip('"')

    def fits(table: Table) -> bool:
        return table.name.lower().startswith(start) or names.short(table).lower().startswith(start)

    for table in heapq.nsmallest(MOST, filter(fits, names.tables), key=lambda table: table.name.lower()):
        yield names.short(table), table.kind


def _saved_names(around: Surroundings) -> Iterator[str]:
    """Yield the names of the saved queries, which come as `CREATE VIEW name AS ...`."""
    for view in around.saved:
        words, _ = tokens.tokens(view)
        yield words[2].name or words[2].text


def _columns(sql: str, around: Surroundings) -> Iterator[tuple[str, Word]]:
    """Yield the columns of the last statement of *sql*, as far as they are known."""
    yield from ((_quoted(column.name), "column") for column in result_columns(sql, around))


_VALUES: Mapping[Completes, Callable[[str, str, Surroundings], Iterable[tuple[str, Word]]]] = {
    "column": lambda _fragment, sql, around: _columns(sql, around),
    "dict": lambda _fragment, _sql, around: [(name, "variable") for name in around.dicts],
    "engine": lambda _fragment, _sql, around: [(name, "variable") for name in around.engines],
    "frame": lambda _fragment, _sql, around: [(name, "variable") for name in around.frames],
    "parameter": lambda _fragment, sql, _around: [(f"{name}=", "variable") for name in parameters(sql)],
    "running query": lambda _fragment, _sql, around: [(name, "variable") for name in around.running],
    "saved query": lambda _fragment, _sql, around: [(name, "view") for name in _saved_names(around)],
    "table": lambda fragment, _sql, around: _tables(fragment, around),
    "target": lambda _fragment, _sql, around: [(name, "target") for name in around.targets],
}
