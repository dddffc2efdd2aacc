"""The magic line: one table of options, and how a line is read with it into one frozen `Request`.

`TABLE` is the only list of options. The parser, the conflicts between options, `--help` and completion read it. A new
option is a row in it and the code that does what it asks for: a field of `Request`; or, for a row whose field is `mode`
or `action`, an entry in `notebook.cell.MODES` or `notebook.commands.COMMANDS`.

A line has options, a target, and SQL, in this order. From the first word of SQL on, the text is unchanged.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from md_magic import jupysql
from md_magic import option_values as values
from md_magic.auth.secret import mask_uris
from md_magic.auth.token import tokens_in
from md_magic.errors import OptionError
from md_magic.option import Conflict, Need, Option
from md_magic.session.chart.values import KINDS
from md_magic.sql import target as targets
from md_magic.sql.keywords import duckdb_keywords
from md_magic.sql.statement import Form, How
from md_magic.wording import did_you_mean, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED_FIELDS = frozenset({"action", "mode", "how"})
"""Fields set to the name of the option itself; its value, if any, goes into `argument`."""

WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*'|["'])+""")
"""A word of the line; blanks in quotes are a part of it."""

FLAG = re.compile(r"--?[A-Za-z]")
"""The beginning of an option."""

ASSIGNMENT = re.compile(r"""\A\s*(?!--|/\*)([^\s'"();,<]+)\s*<<(?!<)""")
"""`NAME <<` at the beginning of a line or of SQL."""


class Request(NamedTuple):
    """A parsed magic line and its cell. A tuple, because `replace` of a frozen dataclass takes 12 µs, in every cell."""

    sql: str = ""
    target: str | None = None
    action: str = "run"
    """`run`, or the name of the option that stands on the line alone."""

    mode: str | None = None
    """The name of the option that asks for something other than the result."""

    argument: str | None = None
    """The value of the option that `action` or `mode` names: a target, a pattern, a table."""

    other: str | None = None
    """The second value of that option, where it takes two."""

    on: tuple[str, ...] = ()
    """Columns that say which rows belong together."""

    out: str | None = None
    """The variable that is bound to the result."""

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
    x: str | None = None
    """The column of a chart's x axis."""

    y: str | None = None
    color: str | None = None
    facet: str | None = None
    every: bool = False
    quiet: bool = False
    jinja: bool = False
    live: bool = False
    frame: str | None = None
    """The variable that is written to a table."""

    how: How = "create"
    save: str | None = None
    """The name under which the SELECT is kept."""

    in_cell: bool = False
    """Whether it is a cell magic, whose value is displayed; that of a line magic may be assigned."""


_A_CHART = Need("--chart", "it says what is drawn where")
_KEEPS_ONE = "--save keeps one SELECT"
_OF_A_RESULT = frozenset({"mode", "form", "limit", "every", "jinja", "file", "live"})
"""Fields of options for a result of SQL, which cannot stand beside one that stands alone."""

_HOW_IT_IS_WRITTEN = Need("--to", "it says how that table is written")

TAKES_TABLE = ("chart", "profile")
"""The modes in which a table's name may stand in place of SQL."""

TABLE: dict[str, tuple[Option, ...]] = {
    "running": (
        Option(
            "-o, --out NAME",
            "bind the result to NAME and display nothing; also `NAME << SELECT ...`",
            read=values.python_name,
        ),
        Option(
            "--as FORM",
            f"form of the result: {', '.join(get_args(Form))}; reader streams Arrow batches",
            "form",
            choices=get_args(Form),
            completes="choice",
            conflicts=(Conflict("--grid", "a result is a frame or a grid"),),
        ),
        Option("--limit N", "fetch at most N rows, and say when there were more", read=values.row_count),
        Option(
            "--param NAME=EXPR",
            "value of :NAME; may be given several times",
            "parameters",
            repeats=True,
            read=values.parameter,
            completes="parameter",
        ),
        Option("--jinja", "render the SQL with Jinja and the notebook's variables first; filters: identifier, literal"),
        Option("--file PATH", "run the SQL of a file", completes="file"),
        Option(
            "--all",
            "display the result of every statement, not only of the last",
            "every",
            conflicts=(Conflict("--background", "--background gives one handle, of the last result"),),
        ),
        Option(
            "--save NAME",
            "keep the cell's SELECT under NAME once it has run (with --dry-run: without running it); later cells that"
            " name NAME get it as a common table expression, before a table of that name",
            read=values.python_name,
            conflicts=(Conflict("action", _KEEPS_ONE), Conflict("--file", _KEEPS_ONE, only_with_sql=True)),
        ),
        Option("--dry-run", "names and types of the result's columns; nothing is run", "mode"),
        Option(
            "--grid",
            "the result as a table to scroll, sort, filter, search and copy from; `g = _` gives what is seen",
            "mode",
        ),
        Option(
            "--chart [KIND]",
            f"the query, or the table whose name stands in its place, as a chart: {', '.join(KINDS)}; without a KIND,"
            " what the columns' types suggest",
            "mode",
            choices=KINDS,
            completes="choice",
            conflicts=(
                Conflict("--as", "the value is an altair.Chart"),
                Conflict("--all", "a chart is drawn of the last statement"),
            ),
        ),
        Option("--x COLUMN", "with --chart: the column of the x axis", completes="column", needs=_A_CHART),
        Option("--y COLUMN", "with --chart: the column of the y axis", completes="column", needs=_A_CHART),
        Option("--color COLUMN", "with --chart: the column of the colours", completes="column", needs=_A_CHART),
        Option("--facet COLUMN", "with --chart: a chart for each value of COLUMN", completes="column", needs=_A_CHART),
        Option(
            "--live",
            "run the cell again when a control of ipywidgets that :NAME binds changes; the result is replaced in place",
            conflicts=(
                Conflict("--background", "a live result runs again, a background query once"),
                Conflict("--all", "a live result is that of the last statement"),
            ),
        ),
        Option("--explain", "the plan of the last statement as a tree; nothing is run", "mode"),
        Option(
            "--analyze",
            "the plan with rows and times: the statement is run, an INSERT, UPDATE or DELETE too, its result dropped",
            "mode",
        ),
        Option(
            "--profile", "a card for each column of the query, or of the table whose name stands in its place", "mode"
        ),
        Option(
            "--background",
            "run on a connection of its own and give a handle at once: .done, .progress, .result(), .cancel(), await",
            "mode",
        ),
        Option(
            "--timeout SECONDS",
            "cancel what runs when the cell's queries have taken longer than this, together",
            read=values.seconds,
        ),
        Option("--quiet", "no progress, no status line"),
    ),
    "connecting": (
        Option("--alias NAME", "name the target, to write @NAME later", read=values.alias),
        Option(
            "--engine NAME",
            "run on a SQLAlchemy Engine or a DuckDB connection held in a variable",
            read=values.python_name,
            completes="engine",
            conflicts=(Conflict("target", "a cell runs on one of them"),),
        ),
        Option(
            "--config NAME",
            "a dict variable with DuckDB's configuration, for opening the target",
            read=values.python_name,
            completes="dict",
        ),
    ),
    "on the line alone": (
        Option("--connections", "what is open, and what has a name, as a frame", "action"),
        Option("--close [TARGET]", "close TARGET, or the current one", "action", completes="target"),
        Option("--close-all", "close every connection", "action"),
        Option("--databases", "databases of the target, as a frame", "action"),
        Option(
            "--tables [PATTERN]", "tables and views, as a frame; % stands for any text", "action", completes="table"
        ),
        Option("--describe TABLE", "columns of TABLE, as a frame", "action", completes="table"),
        Option("--browse", "databases, tables and columns as a tree to click", "action"),
        Option("--login [TARGET]", "sign in to MotherDuck, by default to md:", "action", completes="target"),
        Option("--logout", "forget the MotherDuck token and close what it opened", "action"),
        Option("--whoami", "MotherDuck account, kind and expiry of the token, and where it came from", "action"),
        Option("--running", "what runs on MotherDuck's server for the account, as a frame", "action"),
        Option("--stop ID", "stop one of them; the beginning of its ID is enough", "action", completes="running query"),
        Option(
            "--fix",
            "after an error: the cell with the right names, or MotherDuck's repair; nothing is run",
            "action",
        ),
        Option(
            "--to TABLE",
            "with --frame NAME: write a DataFrame variable to TABLE, which must not be there yet",
            "action",
            completes="table",
            needs=Need("--frame", "the variable whose rows are written"),
        ),
        Option(
            "--diff A B",
            "what differs between two tables, saved queries, frames or quoted SELECTs, here or on @target:NAME",
            "action",
            completes="table",
            second=True,
        ),
        Option(
            "--on COLUMNS",
            "the columns, such as id or a,b, by which rows belong together; by default a declared key",
            read=values.names,
            needs=Need("--diff", "it says which rows are compared"),
        ),
        Option("--jobs", "background queries, as a frame", "action"),
        Option(
            "--history [TEXT]",
            "what ran in this kernel and has TEXT in its SQL, as a frame: when, where, seconds, rows, state, SQL",
            "action",
        ),
        Option(
            "--forget NAME",
            "forget what was saved with --save NAME",
            "action",
            read=values.python_name,
            completes="saved query",
        ),
        Option("--tour", "put the tour, a notebook with real data, beside this one", "action"),
        Option("--version", "what a bug report needs: versions, host, kernel; nothing secret", "action"),
        Option(
            "-h, --help [OPTION]", "this text; of one option what it does, and an example", "action", takes_options=True
        ),
    ),
    "with --to": (
        Option(
            "--frame NAME",
            "the pandas, Polars or Arrow variable",
            read=values.python_name,
            completes="frame",
            needs=Need("--to", "it is written to that table"),
        ),
        Option("--replace", "in place of the table that is there", "how", needs=_HOW_IT_IS_WRITTEN),
        Option("--append", "add to its rows, by the columns' names", "how", needs=_HOW_IT_IS_WRITTEN),
    ),
}
"""Every option, by the headings of `--help`."""

OPTIONS: tuple[Option, ...] = tuple(option for options in TABLE.values() for option in options)

BY_FLAG: dict[str, Option] = {flag: option for option in OPTIONS for flag in option.flags}
"""The options by each of their flags."""


# ---- reading a line -------------------------------------------------------------------------------------------------


_NO_SQL = re.compile(r"""\A(?!--|/\*|\\)[^\s('"{}*;,=<]*?(?:\.[^\W\d]|[@\\/](?!\*))""")
"""What a word has that goes on a file's name or an address, and that no statement begins with."""


class _Given(NamedTuple):
    """An option of the line."""

    option: Option
    words: str
    """The option as an error names it."""

    value: Any = True


def parse(line: str, cell: str | None = None) -> Request:
    """Read a magic *line* and the *cell* below it. Raises `OptionError`; nothing has been run then."""
    read = _read.__wrapped__ if _holds_secret(line) else _read  # the cache keeps what it has read in memory
    request, rest, refusal = read(line)
    if request.mode == "chart" and request.argument is None:
        _check_kind(rest, cell)
    if request.target and request.mode not in TAKES_TABLE:
        _check_blank(request.target, rest, cell)
    sql = rest if cell is None else f"{rest}\n{cell}" if rest else cell
    if refusal is not None and sql.strip():
        message = f"{refusal} The SQL that was given: {shortened(sql.strip(), 40)!r}."
        raise OptionError(message)
    out = request.out
    if (assigned := ASSIGNMENT.match(sql)) is not None:
        sql = re.sub(r"\S", " ", assigned[0]) + sql[assigned.end() :]
        out = _one_name(out, values.python_name(assigned[1]))
    return request._replace(sql=sql, out=out, in_cell=cell is not None)


def _check_kind(rest: str, cell: str | None) -> None:
    """Raise `OptionError` where the word after `--chart` can be nothing but a kind that there is not.

    On a line alone, a word may be a table.
    """
    word, _, following = rest.partition(" ")
    if word.isalpha() and (FLAG.match(following.lstrip()) or (cell is not None and cell.strip() and not following)):
        message = f"--chart: {word!r} is not a choice; choose from {', '.join(KINDS)}."
        raise OptionError(message)


def _check_blank(target: str, rest: str, cell: str | None) -> None:
    """Raise `OptionError` where *target* was cut at a blank: what follows on its line cannot begin SQL.

    The message shows neither half: a password may have been cut.
    """
    word = rest.partition("\n")[0].strip()
    alone = bool(cell and cell.strip()) and word.isidentifier() and target.lower().startswith("duckdb:")
    if _NO_SQL.match(word) or (alone and word.lower() not in duckdb_keywords()):
        message = (
            "The target ends at its first blank, and what follows on the line cannot begin SQL. Quote a target that has"
            ' a blank in it, as in %%mdsql "duckdb:///my file.duckdb".'
        )
        raise OptionError(message)


def _holds_secret(line: str) -> bool:
    """Whether a token or a password is in *line*."""
    return ("?" in line or "://" in line or "ey" in line) and bool(tokens_in(line) or mask_uris(line) != line)


@functools.lru_cache(maxsize=64)  # most cells have the line of the cell before: reading it takes 0.1 ms
def _read(line: str) -> tuple[Request, str, str | None]:
    """Return what *line* asks for, the SQL at its end, and why SQL cannot follow it: `None` where it can."""
    assigned = ASSIGNMENT.match(line)  # `df << md:my_db SELECT 1`: the name may stand before the target
    given, rest = _options(line[assigned.end() :] if assigned else line)
    word, target = WORD.match(rest), None
    if word and targets.is_target(unquoted(word[0])):
        target = unquoted(word[0])
        more, rest = _options(rest[word.end() :])
        given += more
    refusal = _check(given, target)
    fields = _fields(given)
    out = _one_name(fields.pop("out", None), values.python_name(assigned[1]) if assigned else None)
    return Request(target=target, out=out, **fields), rest, refusal


def _options(line: str) -> tuple[list[_Given], str]:
    """Return the options that *line* begins with, and the text after them."""
    given: list[_Given] = []
    rest = line.lstrip()
    while (match := WORD.match(rest)) and FLAG.match(match[0]):
        flag, equals, text = match[0].partition("=")
        rest = rest[match.end() :].lstrip()
        if flag not in BY_FLAG:
            here = (
                f" Here {jupysql.COUNTERPARTS[flag]}." if flag in jupysql.COUNTERPARTS else did_you_mean(flag, BY_FLAG)
            )
            message = f"There is no option {flag}.{here} `%mdsql --help` lists the options."
            raise OptionError(message)
        option, following = BY_FLAG[flag], WORD.match(rest)
        if not equals and following and option.takes(following[0], BY_FLAG):
            equals, text = "=", following[0]
            rest = rest[following.end() :].lstrip()
        given.append(_given(option, _value(option, text) if equals else None))
        if option.second:
            other, rest = _second(option, text, rest)
            given[-1] = given[-1]._replace(words=f"{given[-1].words} {other}", value=(given[-1].value, other))
    return given, rest


def _second(option: Option, first: str, rest: str) -> tuple[str, str]:
    """Return the second value of *option*, at the beginning of *rest*, and what is left. Raises `OptionError`."""
    following = WORD.match(rest)
    if following is None or FLAG.match(following[0]):
        message = f"{option.flag} needs two: {option.flag} {option.value}; {first!r} alone was given."
        raise OptionError(message)
    return _value(option, following[0]), rest[following.end() :].lstrip()


def _given(option: Option, text: str | None) -> _Given:
    """Return *option* with the value that *text* stands for; there is none where *text* is `None`."""
    words = f"{option.flag} {text}" if text else option.flag
    required = bool(option.value) and not option.value_is_optional
    if text is None and not required:
        return _Given(option, words)
    if text is None or (required and not text.strip()):
        message = f"{option.flag} needs an argument: {option.flag} {option.value}."
    elif not option.value:
        message = f"{option.flag} takes no value, and {text!r} was given."
    elif option.choices and text not in option.choices:
        message = f"{option.flag}: {text!r} is not a choice; choose from {', '.join(option.choices)}."
    else:
        return _Given(option, words, option.read(text))
    raise OptionError(message)


def _fields(given: Sequence[_Given]) -> dict[str, Any]:
    """Return the fields of `Request` that the options fill."""
    fields: dict[str, Any] = {}
    for option, _, value in given:
        if option.repeats:
            fields[option.field] = (*fields.get(option.field, ()), value)
        elif option.field in _NAMED_FIELDS:
            fields[option.field] = option.name
            if isinstance(value, tuple):
                value, fields["other"] = value  # noqa: PLW2901 - an option with two values
            fields |= {"argument": value or None} if value is not True else {}
        else:
            fields[option.field] = value
    return fields


def _check(given: Sequence[_Given], target: str | None) -> str | None:
    """Raise `OptionError` where options exclude each other or one is missing; return why no SQL can follow them."""
    words = {"target": f"the target {target}"} if target else {}
    for option, written, _ in given:
        if option.field in words and option.flag not in words:
            raise OptionError(_conflict(written, words[option.field], "one is not allowed with the other"))
        words[option.flag] = words[option.field] = written
    refusal = None
    for option, written, _ in given:
        if option.needs and option.needs.other not in words:
            needed = BY_FLAG[option.needs.other]
            message = f"{written} needs {needed.flag} {needed.value}: {option.needs.why}."
            raise OptionError(message)
        if option.stands_alone:
            refusal = f"{option.flag} stands on the line alone, without SQL."
        for other, why, only_with_sql in (conflict for conflict in option.conflicts if conflict.other in words):
            if not only_with_sql:
                raise OptionError(_conflict(written, words[other], why))
            refusal = _conflict(written, f"{other} and SQL below it", why)
        if option.field in _OF_A_RESULT and "action" in words:
            raise OptionError(_conflict(written, words["action"], "it is for a result of SQL"))
    return refusal


def _conflict(option: str, other: str, why: str) -> str:
    return f"{option} was given with {other}, and {why}."


def _one_name(first: str | None, second: str | None) -> str | None:
    if first and second and first != second:
        message = f"The result is to be bound to two names, {first!r} and {second!r}: give one."
        raise OptionError(message)
    return first or second


def _value(option: Option, word: str) -> str:
    """Return *word* without its quotes, but those of a name in SQL: `--describe "s1.t"` is one name."""
    is_name = option.completes == "table" and re.fullmatch(r'"(?:[^"]|"")+"', word)
    return word if is_name else unquoted(word)


def unquoted(word: str) -> str:
    """Return *word* without the quotes around it."""
    whole = re.fullmatch(r"""(["'])((?:(?!\1).)*)\1""", word)
    return whole[2] if whole else word
