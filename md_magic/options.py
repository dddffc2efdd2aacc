"""The spelling of the magic line: words in, one frozen `Request` out.

Options come first, then a target, then SQL; from the first word of SQL on, the text is left exactly as it was typed.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import keyword
import math
import re
import threading
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, NoReturn, get_args

from md_magic import target as targets
from md_magic.errors import OptionError
from md_magic.statement import Form, How

Action = Literal[
    "run",
    "help",
    "connections",
    "close",
    "close_all",
    "databases",
    "tables",
    "describe",
    "browse",
    "login",
    "logout",
    "whoami",
    "to",
    "jobs",
    "forget",
]

Mode = Literal[
    "dry_run",  # names and types of the result's columns
    "grid",  # the result as a table to scroll
    "explain",  # the plan as a tree; nothing is run
    "analyze",  # the plan with what was measured while the statement ran
    "profile",  # a card for each column
    "background",  # a handle of the query, which runs on
]

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*'|["'])+""")
_ASSIGNED = re.compile(r"""\A\s*(?!--|/\*)([^\s'"();,<]+)\s*<<(?!<)""")
_AS_GIVEN = (
    "form",
    "limit",
    "timeout",
    "file",
    "alias",
    "engine",
    "config",
    "every",
    "quiet",
    "mode",
    "jinja",
    "frame",
    "save",
)
_USAGE = "%%%%mdsql [TARGET] [options]   with SQL below, or   %%mdsql [options] [TARGET] [SQL]"  # argparse formats it
_EPILOG = """\
TARGET is md:my_db, duckdb:///file.duckdb, duckdb:///:memory: (the default), any SQLAlchemy URL, or @alias. Naming one
makes it current. In SQL, :name binds the Python variable of that name and FROM name reads a DataFrame variable, where
the database has no such table. `%config MdsqlMagics` shows the settings.
"""


class Request(NamedTuple):
    """What a magic line and its cell ask for. A tuple: of a frozen dataclass `replace` takes 12 µs, in every cell."""

    sql: str = ""
    target: str | None = None
    action: Action = "run"
    argument: str | None = None
    """What the action is about: a target, a pattern, a table."""

    out: str | None = None
    form: Form | None = None
    limit: int | None = None
    timeout: float | None = None
    """Seconds."""

    parameters: tuple[tuple[str, str], ...] = ()
    """Names and Python expressions of `--param`."""

    file: str | None = None
    alias: str | None = None
    engine: str | None = None
    config: str | None = None
    every: bool = False
    quiet: bool = False
    jinja: bool = False
    frame: str | None = None
    """The variable that is written to a table."""

    save: str | None = None
    """The name under which the SELECT is kept."""

    how: How = "create"
    in_cell: bool = False
    """Whether it is the line of a cell, whose value is displayed; that of a line may be assigned."""

    mode: Mode | None = None
    """What is wanted instead of the result."""

    @property
    def opens(self) -> bool:
        """Whether something is said about where to run."""
        return bool(self.target or self.engine or self.alias or self.config)


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises `OptionError`, instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        text = f"{message[:1].upper()}{message[1:].rstrip('.')}. `%mdsql --help` lists the options."
        raise OptionError(text)


@functools.cache  # making it takes 1 ms, three times what a trivial cell costs
def parser() -> argparse.ArgumentParser:
    """Declare every option. Their help is the help of the magic."""
    made = _Parser(
        prog="%mdsql",
        usage=_USAGE,
        add_help=False,
        allow_abbrev=False,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run = made.add_argument_group("running")
    run.add_argument(
        "-o",
        "--out",
        metavar="NAME",
        type=variable,
        help="bind the result to NAME and display nothing; also `NAME << SELECT ...`",
    )
    run.add_argument(
        "--as", dest="form", choices=get_args(Form), help="form of the result; reader streams Arrow batches"
    )
    run.add_argument("--limit", metavar="N", type=_count, help="fetch at most N rows, and say when there were more")
    run.add_argument(
        "--param",
        dest="parameters",
        metavar="NAME=EXPR",
        type=_assignment,
        action="append",
        default=[],
        help="value of :NAME; may be given several times",
    )
    run.add_argument(
        "--jinja",
        action="store_true",
        help="render the SQL with Jinja and the notebook's variables first; filters: identifier, literal",
    )
    run.add_argument("--file", metavar="PATH", help="run the SQL of a file")
    run.add_argument(
        "--all", dest="every", action="store_true", help="display the result of every statement, not only of the last"
    )
    run.add_argument(
        "--save",
        metavar="NAME",
        type=variable,
        help="keep the cell's SELECT under NAME once it has run (with --dry-run: without running it); later cells that"
        " name NAME get it as a common table expression, before a table of that name",
    )
    instead = run.add_mutually_exclusive_group()  # of the result
    instead.add_argument(
        "--dry-run",
        dest="mode",
        action="store_const",
        const="dry_run",
        help="names and types of the result's columns; nothing is run",
    )
    instead.add_argument(
        "--grid",
        dest="mode",
        action="store_const",
        const="grid",
        help="the result as a table to scroll, sort and filter, of which only what is looked at is fetched",
    )
    instead.add_argument(
        "--explain",
        dest="mode",
        action="store_const",
        const="explain",
        help="the plan of the last statement as a tree; nothing is run",
    )
    instead.add_argument(
        "--analyze",
        dest="mode",
        action="store_const",
        const="analyze",
        help="the plan with rows and times: the statement is run, an INSERT, UPDATE or DELETE too, its result dropped",
    )
    instead.add_argument(
        "--profile",
        dest="mode",
        action="store_const",
        const="profile",
        help="a card for each column of the query, or of the table whose name stands in its place",
    )
    instead.add_argument(
        "--background",
        dest="mode",
        action="store_const",
        const="background",
        help="run on a connection of its own and give a handle at once: .done, .progress, .result(), .cancel(), await",
    )
    run.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        help="cancel what runs when the cell's queries have taken longer than this, together",
    )
    run.add_argument("--quiet", action="store_true", help="no progress, no status line")
    where = made.add_argument_group("connecting")
    where.add_argument("--alias", metavar="NAME", type=_alias, help="name the target, to write @NAME later")
    where.add_argument(
        "--engine",
        metavar="NAME",
        type=variable,
        help="run on a SQLAlchemy Engine or a DuckDB connection held in a variable",
    )
    where.add_argument(
        "--config",
        metavar="NAME",
        type=variable,
        help="a dict variable with DuckDB's configuration, for opening the target",
    )
    alone = made.add_argument_group("on the line alone").add_mutually_exclusive_group()
    alone.add_argument("--connections", action="store_true", help="what is open, as a frame")
    alone.add_argument("--close", metavar="TARGET", nargs="?", const="", help="close TARGET, or the current one")
    alone.add_argument("--close-all", action="store_true", help="close every connection")
    alone.add_argument("--databases", action="store_true", help="databases of the target, as a frame")
    alone.add_argument(
        "--tables", metavar="PATTERN", nargs="?", const="", help="tables and views, as a frame; %% stands for any text"
    )
    alone.add_argument("--describe", metavar="TABLE", help="columns of TABLE, as a frame")
    alone.add_argument("--browse", action="store_true", help="databases, tables and columns as a tree to click")
    alone.add_argument(
        "--login", metavar="TARGET", nargs="?", const="", help="sign in to MotherDuck, by default to md:"
    )
    alone.add_argument("--logout", action="store_true", help="forget the MotherDuck token and close what it opened")
    alone.add_argument(
        "--whoami", action="store_true", help="MotherDuck account, kind and expiry of the token, and where it came from"
    )
    alone.add_argument(
        "--to",
        metavar="TABLE",
        help="with --frame NAME: write a DataFrame variable to TABLE, which must not be there yet",
    )
    alone.add_argument("--jobs", action="store_true", help="background queries, as a frame")
    alone.add_argument("--forget", metavar="NAME", type=variable, help="forget what was saved with --save NAME")
    alone.add_argument("-h", "--help", action="store_true", help="this text")
    write = made.add_argument_group("with --to")
    write.add_argument("--frame", metavar="NAME", type=variable, help="the pandas, Polars or Arrow variable")
    exists = write.add_mutually_exclusive_group()
    exists.add_argument(
        "--replace", dest="how", action="store_const", const="replace", help="in place of the table that is there"
    )
    exists.add_argument(
        "--append", dest="how", action="store_const", const="append", help="add to its rows, by the columns' names"
    )
    return made


def parse(line: str, cell: str | None = None) -> Request:
    """Read a magic *line* and the *cell* below it. Raises `OptionError`; nothing has been run then."""
    request, rest = _request(line)
    sql = rest if cell is None else f"{rest}\n{cell}" if rest else cell
    assigned = _ASSIGNED.match(sql)
    if request.action != "run" and sql.strip():
        message = (
            f"--{request.action.replace('_', '-')} stands on the line alone, and {sql.strip()[:40]!r} stands after it."
        )
        raise OptionError(message)
    if request.save and (request.action != "run" or (request.file and sql.strip())):
        other = "--file and SQL below it" if request.action == "run" else f"--{request.action.replace('_', '-')}"
        message = f"--save {request.save} keeps one SELECT, and it was given with {other}: leave one of them out."
        raise OptionError(message)
    out = request.out
    if assigned is not None:
        sql = re.sub(r"\S", " ", assigned[0]) + sql[assigned.end() :]
        out = _one_name(out, variable(assigned[1]))
    return request._replace(sql=sql, out=out, in_cell=cell is not None)


@functools.lru_cache(maxsize=64)  # most cells have the line of the cell before: reading it takes 0.1 ms
def _request(line: str) -> tuple[Request, str]:
    """Return what *line* asks for, and the SQL at its end."""
    assigned = _ASSIGNED.match(line)  # `df << md:my_db SELECT 1`: the name may stand before the target
    options, rest = _options(line[assigned.end() :] if assigned else line)
    word = _WORD.match(rest)
    target = None
    if word and targets.is_target(_unquoted(word[0])):
        target = _unquoted(word[0])
        more, rest = _options(rest[word.end() :])
        options = [*options, *more]
    given = vars(parser().parse_args(options))
    if given["engine"] and target:
        message = f"Both --engine {given['engine']} and the target {target} were given: a cell runs on one of them."
        raise OptionError(message)
    if given["form"] and given["mode"] == "grid":
        message = f"Both --as {given['form']} and --grid were given: a result is a frame or a grid."
        raise OptionError(message)
    if given["every"] and given["mode"] == "background":
        message = (
            "--all displays each result as it comes, and --background gives one handle, whose result is the last"
            " statement's: leave one of them out."
        )
        raise OptionError(message)
    action, argument = _action(given)
    _check_writing(given)
    request = Request(
        target=target,
        action=action,
        argument=argument,
        out=_one_name(given["out"], variable(assigned[1]) if assigned else None),
        parameters=tuple(given["parameters"]),
        how=given["how"] or "create",
        **{name: given[name] for name in _AS_GIVEN},
    )
    return request, rest


def _check_writing(given: dict[str, Any]) -> None:
    """Raise `OptionError` where of the options that write a table one is missing, or stands alone."""
    if given["to"] is not None and not given["to"].strip():
        message = "--to: the name of a table is missing."
    elif given["to"] is not None and given["frame"] is None:
        message = f"--to {given['to']} needs --frame NAME, the variable whose rows are written."
    elif given["to"] is None and (given["frame"] or given["how"]):
        word = f"--frame {given['frame']}" if given["frame"] else f"--{given['how']}"
        message = f"{word} needs --to TABLE: it says what is written to that table, and how."
    else:
        return
    raise OptionError(message)


def _one_name(first: str | None, second: str | None) -> str | None:
    if first and second and first != second:
        message = f"The result is to be bound to two names, {first!r} and {second!r}: give one."
        raise OptionError(message)
    return first or second


def _options(line: str) -> tuple[list[str], str]:
    """Split *line* into the words that are options, with their values, and the text after them."""
    declared = parser()._option_string_actions  # noqa: SLF001 - argparse has no public list of what takes a value
    words: list[str] = []
    rest = line.lstrip()
    while match := _WORD.match(rest):
        word = match.group()
        name, equals, value = word.partition("=")
        if not re.match(r"--?[A-Za-z]", word):
            break
        rest = rest[match.end() :].lstrip()
        words.append(f"{name}={_unquoted(value)}" if equals else name)
        if name not in declared:
            raise OptionError(_unknown(name, list(declared)))
        action = declared[name]
        following = _WORD.match(rest)
        takes = not equals and action.nargs != 0 and following is not None
        if takes and following and (action.nargs is None or not following.group().startswith("--")):
            words[-1] = f"{name}={_unquoted(following.group())}" if name.startswith("--") else name
            words += [] if name.startswith("--") else [_unquoted(following.group())]
            rest = rest[following.end() :].lstrip()
    return words, rest


def _action(given: dict[str, Any]) -> tuple[Action, str | None]:
    for action in get_args(Action):
        value = given.get(action)
        if value is True:
            return action, None
        if isinstance(value, str):
            return action, value or None
    return "run", None


def variable(name: str) -> str:
    """Return *name*, which must be one that a Python variable can have. Raises `OptionError`."""
    if name.isidentifier() and not keyword.iskeyword(name):
        return name
    why = "is a Python keyword" if keyword.iskeyword(name) else "is not a Python name"
    message = f"{name!r} {why}. A variable's name has letters, digits and underscores, and no digit first."
    raise OptionError(message)


def _alias(name: str) -> str:
    name = name.removeprefix("@")
    if re.fullmatch(r"[\w.-]+", name):
        return name
    message = f"{name!r} is no alias. An alias has letters, digits, `_`, `-` and `.`, and is written @name later."
    raise OptionError(message)


def _count(text: str) -> int:
    if text.replace("_", "").isdecimal():
        return int(text)
    message = f"--limit: got {text!r}, where a number of rows is needed, such as --limit 1000."
    raise OptionError(message)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 < seconds < threading.TIMEOUT_MAX:
        return seconds
    message = f"--timeout: got {text!r}, where a number of seconds above 0 is needed, such as --timeout 30."
    raise OptionError(message)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, expression = text.partition("=")
    if not (equals and expression.strip()):
        message = f"--param: got {text!r}, where NAME=EXPRESSION is needed, such as --param day=7 or --param ids=[1,2]."
        raise OptionError(message)
    return variable(name.strip().removeprefix(":")), expression.strip()


def _unknown(name: str, declared: list[str]) -> str:
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no option {name}.{hint} `%mdsql --help` lists the options."


def _unquoted(word: str) -> str:
    whole = re.fullmatch(r"""(["'])((?:(?!\1).)*)\1""", word)
    return whole[2] if whole else word


def declared() -> dict[str, argparse.Action]:
    """Return every option by each of its spellings, with all that is declared of it."""
    return dict(parser()._option_string_actions)  # noqa: SLF001 - argparse has no public list


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the end of a magic line that is being typed stands."""

    fragment: str = ""
    """The word that is being typed."""

    option: argparse.Action | None = None
    """The option whose value that word is."""

    has_target: bool = False
    sql: int | None = None
    """Where SQL has begun, as an offset in the line; the word is a part of it."""


def spot(line: str) -> Spot:
    """Tell what the last word of *line* is, which may be empty or half typed. Raises nothing."""
    assigned = _ASSIGNED.match(line)
    place = assigned.end() if assigned else 0
    waiting: argparse.Action | None = None
    has_target = False
    while True:
        place += len(line[place:]) - len(line[place:].lstrip())
        match = _WORD.match(line, place)
        word = match[0] if match else ""
        last = match is None or match.end() == len(line)
        name, equals, value = word.partition("=")
        action = declared().get(name) if re.match(r"--?[A-Za-z]", word) else None
        if waiting is not None and not (waiting.nargs == "?" and word.startswith("-")):
            if last:
                return Spot(word, waiting, has_target=has_target)
            waiting = None
        elif last:
            takes = action is not None and equals and action.nargs != 0
            if takes or not word or word.startswith("-") or "<<" not in word:
                return Spot(value if takes else word, action if takes else None, has_target=has_target)
            return Spot(sql=place)
        elif word.startswith("-") and re.match(r"--?[A-Za-z]", word):
            waiting = action if action is not None and not equals and action.nargs != 0 else None
        elif targets.is_target(_unquoted(word)) and not has_target:
            has_target = True
        else:
            return Spot(has_target=has_target, sql=place)
        place = match.end() if match else len(line)
