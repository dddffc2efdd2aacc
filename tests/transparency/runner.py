"""A differential runner: SQL statements through `%%mdsql` cells and natively, side by side, on two equal database files.

The invariant: both sides see the same texts, the same relative paths and the same file names, so whatever differs is
ours. The format of the corpus is that of DuckDB's own test-suite (sqllogictest), of which the expected values are
ignored: native DuckDB is the expectation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
from IPython.core.interactiveshell import InteractiveShell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NONDETERMINISTIC = re.compile(
    r"(?i)random|uuid|now\(|today\(|current_(date|time|localtime)|get_current_time|txid|setseed|latency|analyze|"
    r"database_size|storage_info|duckdb_(memory|temporary|logs|settings)|pg_backend|oid\b|current_query_id|memory_info"
)
"""Statements of which only the shape of the result can be compared."""

_ONE_THREAD = "SET threads = 1"
"""The order of rows without `ORDER BY` would be chance."""

_PIVOT = re.compile(r"__pivot_enum_.*(\n *\^)?")
"""DuckDB names the types of a `PIVOT` at random, and its caret depends on the letters' widths."""

_EXECUTE = re.compile(r"(?i)\b(execute|call)\b")
_OF_SEVERAL = re.compile(r"\n\nStatement \d+ of \d+ failed; .*\Z")
_PLACE = re.compile(r"\n+LINE \d+: ")

_UNKNOWN_TABLE = re.compile(r"((Table|View) with name|Catalog) .* does not exist")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_RESERVED = {"get_ipython", "In", "Out", "exit", "quit", "open", "display"}
"""Names that the shell itself needs."""


# ---- sqllogictest ----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One statement of a corpus file, or one of its commands (`restart`, `reconnect`)."""

    kind: str
    """`ok`, `error`, `maybe`, `query`, `restart` or `reconnect`."""

    sql: str
    line: int


def read_corpus(text: str) -> list[Record]:
    """Read the sqllogictest *text*, its loops unrolled; what needs another connection or an extension is left out."""
    lines = text.splitlines()
    return list(_read(lines, 0, len(lines), {}))


def _read(lines: list[str], start: int, end: int, names: Mapping[str, str]) -> Iterator[Record]:
    at = start
    skip = False
    while at < end:
        words = lines[at].split()
        head = words[0] if words else ""
        if head in {"loop", "foreach", "concurrentloop", "concurrentforeach"}:
            stop = _end_of_loop(lines, at)
            if not head.startswith("concurrent"):
                for value in _values(words):
                    yield from _read(lines, at + 1, stop, {**names, words[1]: value})
            at = stop + 1
        elif head in {"skipif", "onlyif"}:
            skip = (words[1] == "duckdb") == (head == "skipif")
            at += 1
        elif head == "require":
            if words[1] not in {
                "json",
                "parquet",
                "icu",
                "vector_size",
                "skip_reload",
                "no_vector_verification",
                "noforcestorage",
                "notwindows",
                "nothreadsan",
                "core_functions",
            }:
                return
            at += 1
        elif head == "mode" and words[1:] == ["skip"]:
            at = next((i for i in range(at, end) if lines[i].split() == ["mode", "unskip"]), end) + 1
        elif head in {"statement", "query"}:
            first = at
            at += 1
            body = []
            while at < end and lines[at].strip() and lines[at].strip() != "----":
                body.append(lines[at])
                at += 1
            while at < end and lines[at].strip():
                at += 1
            kind = words[1] if head == "statement" else "query"
            other = (head == "statement" and len(words) > 2) or (
                head == "query" and len(words) > 2 and words[-1].startswith("con")
            )
            if not skip and not other and body:
                yield Record(kind, _filled("\n".join(body), names), first + 1)
            skip = False
        else:
            if head in {"restart", "reconnect"}:
                yield Record(head, "", at + 1)
            at += 1


def _end_of_loop(lines: list[str], at: int) -> int:
    depth = 0
    for number in range(at, len(lines)):
        head = (lines[number].split() or [""])[0]
        depth += head in {"loop", "foreach", "concurrentloop", "concurrentforeach"}
        depth -= head == "endloop"
        if depth == 0:
            return number
    return len(lines)


def _values(words: list[str]) -> list[str]:
    if words[0] == "loop":
        return [str(i) for i in range(int(words[2]), min(int(words[3]), int(words[2]) + 3))]
    return [word for word in words[2:] if not word.startswith(("<", "!"))]


def _filled(sql: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        sql = sql.replace(f"${{{name}}}", value)
    return sql.replace("__TEST_DIR__", "files").replace("{TEST_DIR}", "files")


def identifiers(sql: str) -> set[str]:
    """Return every word of *sql* that could be a Python variable."""
    return set(_IDENTIFIER.findall(sql)) - _RESERVED


# ---- running ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Result:
    """What one side gave: a frame, or an error, and how it was said."""

    frame: Any = None
    error: BaseException | None = None
    printed: str = ""
    rowless: bool = False


class Pair:
    """An in-process IPython shell with `%%mdsql` and a native connection, on a database file each."""

    def __init__(self, root: Path) -> None:
        """Make both sides in folders below *root*."""
        self.ours, self.theirs = root / "1", root / "2"
        for folder in (self.ours, self.theirs):
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "files").mkdir(parents=True)
        self.shell = _shell()
        self._before = set(self.shell.user_ns)
        self.native: duckdb.DuckDBPyConnection
        self._open()

    def _open(self) -> None:
        with inside(self.theirs):
            self.native = duckdb.connect("db.duckdb")
            self.native.execute(_ONE_THREAD)
        with inside(self.ours):
            assert self._cell(f"%%mdsql duckdb:///db.duckdb\n{_ONE_THREAD}").error is None

    def restart(self) -> None:
        """Close both sides and open them again."""
        self._close()
        self._open()

    def _close(self) -> None:
        self.native.close()
        self._cell("%mdsql --close-all")

    def close(self) -> None:
        """Close both sides and take the variables out of the shell."""
        self._close()
        for name in set(self.shell.user_ns) - self._before:
            del self.shell.user_ns[name]

    def define(self, variables: Mapping[str, Any]) -> None:
        """Define *variables* in the notebook."""
        self.shell.user_ns.update(variables)

    def run_theirs(self, sql: str) -> Result:
        """Run *sql* natively."""
        with inside(self.theirs), _captured() as printed:
            result = _native(self.native, sql)
        result.printed = printed.getvalue()
        return result

    def run_ours(self, sql: str) -> Result:
        """Run *sql* in a cell."""
        with inside(self.ours):
            return self._cell(f"%%mdsql\n{sql}")

    def _cell(self, source: str) -> Result:
        with _captured() as printed:
            done = self.shell.run_cell(source, store_history=False)
        return Result(done.result, done.error_before_exec or done.error_in_exec, printed.getvalue())

    @property
    def our_connection(self) -> duckdb.DuckDBPyConnection:
        """The connection behind the cells."""
        magics = self.shell.magics_manager.registry["MdsqlMagics"]
        return magics.session.use().backend.native

    def compare(self, sql: str) -> str | None:
        """Run *sql* on both sides and return what differs."""
        return self.compare_with(self.run_theirs(sql), sql)

    def compare_with(self, theirs: Result, sql: str) -> str | None:
        """Run *sql* in a cell and return what differs from *theirs*, which native DuckDB gave for it."""
        return difference(theirs, self._moved(self.run_ours(sql)), sql)

    def prepare(self, sql: str) -> None:
        """Run *sql* on both sides, where it must succeed: two equal errors would leave a test nothing to compare."""
        theirs = self.run_theirs(sql)
        assert theirs.error is None, theirs.error
        assert self.compare_with(theirs, sql) is None

    def _moved(self, result: Result) -> Result:
        """Return *result* with the paths of their folder in place of ours."""
        if isinstance(result.frame, pd.DataFrame):
            result.frame = _replaced(result.frame, str(self.ours), str(self.theirs))
        if result.error is not None and str(self.ours) in str(result.error):
            cause = result.error.__cause__
            result.error = type(result.error)(str(result.error).replace(str(self.ours), str(self.theirs)))
            result.error.__cause__ = cause
        return result

    def state(self) -> list[str]:
        """Return what differs between the two databases: contents, catalogue, settings and variables."""
        with inside(self.theirs):
            theirs = _state(self.native)
        with inside(self.ours):
            ours = _state(self.our_connection)
        ours = {name: _replaced(frame, str(self.ours), str(self.theirs)) for name, frame in ours.items()}
        return [
            f"{name}: {_difference_of_frames(theirs.get(name), ours.get(name))}"
            for name in sorted({*theirs, *ours})
            if _difference_of_frames(theirs.get(name), ours.get(name))
        ]


def _shell() -> InteractiveShell:
    if InteractiveShell.initialized():
        shell = InteractiveShell.instance()
    else:
        shell = InteractiveShell.instance()
        shell.history_manager.enabled = False
    if "MdsqlMagics" not in shell.magics_manager.registry:
        shell.run_line_magic("load_ext", "md_magic")
    shell.display_formatter.format = lambda *_args, **_kwargs: ({}, {})  # rendering frames would be most of the time
    shell.displayhook.update_user_ns = lambda _result: None
    shell.showtraceback = lambda *_args, **_kwargs: None
    return shell


def _native(connection: duckdb.DuckDBPyConnection, sql: str) -> Result:
    """Run *sql* where DuckDB finds no Python variable at all."""
    try:
        eval("run(sql)", {"run": connection.execute, "sql": sql, "__builtins__": {}})  # noqa: S307
        columns = connection.description
        rowless = columns is None or (
            len(columns) == 1 and (columns[0][0], str(columns[0][1])) in {("Success", "BOOLEAN"), ("Count", "BIGINT")}
        )
        if columns is None:
            return Result(rowless=True)
        name = columns[0][0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # DuckDB's own use of what pandas deprecates
            frame = connection.df()
        return Result(frame, rowless=rowless and not _selects(connection, sql, name))
    except Exception as error:  # noqa: BLE001 - whatever native DuckDB raises is the expectation
        return Result(error=error)


def _selects(connection: duckdb.DuckDBPyConnection, sql: str, column: str) -> bool:
    """Tell whether the one *column* of *sql*, called `Success` or `Count`, is data."""
    kind = connection.extract_statements(sql)[-1].type.name
    return kind == "SELECT" or (column == "Count" and "returning" in _IDENTIFIER.findall(_without_strings(sql).lower()))


def _without_strings(sql: str) -> str:
    return re.sub(r"""'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/""", " ", sql, flags=re.DOTALL)


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(printed):
        yield printed


# ---- comparing -------------------------------------------------------------------------------------------------------


def difference(theirs: Result, ours: Result, sql: str) -> str | None:
    """Return in words how our result differs from theirs; `None` where it does not."""
    if theirs.error is not None:
        return _difference_of_errors(theirs.error, ours)
    if ours.error is not None:
        return f"native gives {_short(theirs.frame)}, the cell fails: {type(ours.error).__name__}: {ours.error}"
    if theirs.rowless and ours.frame is not None and _EXECUTE.search(sql):
        return _difference_of_frames(
            theirs.frame, ours.frame
        )  # what is prepared or called may have rows: not ours to know
    if theirs.rowless:
        return None if ours.frame is None else f"rowless: native has no rows, the cell gives {_short(ours.frame)}"
    if ours.frame is None:
        return f"native gives {_short(theirs.frame)}, the cell gives None and prints {ours.printed!r}"
    return _difference_of_frames(theirs.frame, ours.frame, shape_only=bool(NONDETERMINISTIC.search(sql)))


def _difference_of_errors(theirs: BaseException, ours: Result) -> str | None:
    if ours.error is None:
        return f"native fails, the cell gives {_short(ours.frame)}; native: {type(theirs).__name__}: {theirs}"
    if type(ours.error).__name__ not in {"StatementError", "ConnectionLost"}:
        return f"the error is a {type(ours.error).__name__}: {ours.error}; native: {theirs}"
    native, cell = (_PIVOT.sub("", str(error)) for error in (theirs, ours.error))
    if _OF_SEVERAL.search(cell):  # the place of an error in a later statement is ours: DuckDB has none, or a wrong one
        native, cell = (_PLACE.split(text)[0] for text in (native, _OF_SEVERAL.sub("", cell)))
    if cell != native:
        return f"error texts differ; native: {str(theirs)!r}; cell: {str(ours.error)!r}"
    if type(ours.error.__cause__) is not type(theirs):
        return f"the cause is a {type(ours.error.__cause__).__name__}, natively it is a {type(theirs).__name__}"
    return None


def _difference_of_frames(theirs: Any, ours: Any, *, shape_only: bool = False) -> str | None:
    if theirs is None or ours is None:
        return None if theirs is ours else f"native {_short(theirs)}, cell {_short(ours)}"
    if not isinstance(ours, pd.DataFrame):
        return f"the value is a {type(ours).__name__}"
    if list(theirs.columns) != list(ours.columns):
        return f"names differ: native {list(theirs.columns)}, cell {list(ours.columns)}"
    kinds = [
        f"{name}: {one!r} and {other!r}"
        for name, one, other in zip(theirs.columns, theirs.dtypes, ours.dtypes, strict=True)
        if one != other or repr(one) != repr(other)
    ]
    if kinds:
        return f"dtypes differ (native, cell): {kinds}"
    if shape_only:
        return None if len(theirs) == len(ours) else f"native has {len(theirs)} rows, the cell {len(ours)}"
    if not theirs.index.equals(ours.index) or type(theirs.index) is not type(ours.index):
        return f"the index differs: native {theirs.index}, cell {ours.index}"
    for i, name in enumerate(theirs.columns):
        one, other = theirs.iloc[:, i], ours.iloc[:, i]
        if not _equal_arrays(one, other):
            rows = [
                i
                for i in range(min(len(one), len(other)))
                if not _equal_arrays(one.iloc[i : i + 1], other.iloc[i : i + 1])
            ][:2]
            return (
                f"values of {name!r} differ: native {theirs.iloc[rows].to_dict('list')}, cell {list(other.iloc[rows])}"
            )
    return None


def _equal_arrays(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    if one.dtype == object:
        return all(map(same, one, other))
    return bool(one.equals(other))


def same(one: Any, other: Any) -> bool:
    """Tell whether two values of a frame are equal, of the same types, at any depth; missing values equal themselves."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ma.MaskedArray):
        return repr(one) == repr(other)  # a masked item is an array of itself
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and all(map(same, one.flat, other.flat))
    if isinstance(one, dict):
        return list(map(str, one)) == list(map(str, other)) and all(map(same, one.values(), other.values()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if (
        one is None
        or one is pd.NA
        or one is pd.NaT
        or (isinstance(one, (float, np.floating)) and one != one and other != other)
    ):
        return True
    return bool(one == other)


def _replaced(frame: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    for i, kind in enumerate(frame.dtypes):
        column = frame.iloc[:, i]
        if not (isinstance(kind, pd.StringDtype) or kind == np.dtype(object)):  # pandas 2.2 has text as objects
            continue
        moved = [value.replace(old, new) if isinstance(value, str) else value for value in column]
        if any(isinstance(value, str) and old in value for value in column):
            frame = frame.copy()
            frame.isetitem(i, pd.Series(moved, index=column.index, dtype=kind))
    return frame


def _short(frame: Any) -> str:
    if not isinstance(frame, pd.DataFrame):
        return repr(frame)
    return f"a frame of {len(frame)} rows, {list(frame.columns)[:5]}, first {[str(frame[name].tolist()[:2])[:60] for name in frame.columns[:1]]}"


_CATALOGUE = (
    "SELECT * FROM duckdb_{}",
    (
        "databases() WHERE NOT internal",
        "schemas()",
        "tables()",
        "views() WHERE NOT internal",
        "columns() WHERE NOT internal",
        "indexes()",
        "sequences()",
        "constraints()",
        "types() WHERE NOT internal AND type_name NOT LIKE '\\_\\_pivot%' ESCAPE '\\'",
        "functions() WHERE NOT internal",
        "variables()",
        "prepared_statements()",
        # ours counts its progress without a bar: natively, in a terminal, neither is on, and in Jupyter both are
        "settings() WHERE name NOT IN ('custom_user_agent', 'duckdb_api', 'enable_progress_bar', 'enable_progress_bar_print')",
    ),
)


def _state(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what *connection* holds: every catalogue function's rows, and the rows of every table."""
    state = {name: _rows(connection, _CATALOGUE[0].format(name)) for name in _CATALOGUE[1]}
    tables = _rows(connection, "SELECT database_name, schema_name, table_name FROM duckdb_tables()")
    for parts in tables.itertuples(index=False):
        name = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
        state[name] = _rows(connection, f"SELECT * FROM {name}")
    return state


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> pd.DataFrame:
    """Return the rows of *sql*, which asks for state: where that fails, the test fails, as two equal errors prove nothing."""
    result = _native(connection, sql)
    if result.error is not None:
        raise result.error
    # numbers of catalogue entries say how many transactions there were, not what they did
    numbers = [name for name in result.frame.columns if name.endswith("oid")]
    return result.frame.drop(columns=numbers)


# ---- whole files -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Report:
    """What came of a corpus: how many statements were compared, and every difference."""

    ran: int = 0
    skipped: int = 0
    unexpected: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    """Place, SQL and error of statements that native DuckDB treats otherwise than the corpus says."""

    differences: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    """Place, SQL, difference."""


def wrong_frame() -> pd.DataFrame:
    """Return a table that holds nothing that a statement could mean."""
    return pd.DataFrame({"wrong": ["content", "of", "a", "variable"], "i": [-1, -2, -3, -4]})


def hostile(records: list[Record], value: Callable[[], Any]) -> dict[str, Any]:
    """Return variables named like every identifier in *records*, all of the same *value*."""
    given = value()
    names = set(itertools.chain.from_iterable(identifiers(record.sql) for record in records))
    return dict.fromkeys(names, given)


def run_records(
    records: list[Record],
    root: Path,
    *,
    variables: Mapping[str, Any] | None = None,
    may_resolve: bool = False,
    change: Callable[[str], str] = str,
    name: str = "",
) -> Report:
    """Run *records* on both sides, each statement put through *change*, and compare each and the state at the end.

    With *may_resolve*, a statement whose table native DuckDB does not know is left out: a variable of that name is one.
    """
    report = Report()
    pair = Pair(root)
    try:
        pair.define(variables or {})
        for record in records:
            if record.kind in {"restart", "reconnect"}:
                pair.restart()
                continue
            sql = change(record.sql)
            theirs = pair.run_theirs(sql)
            if may_resolve and theirs.error is not None and _UNKNOWN_TABLE.search(str(theirs.error)):
                report.skipped += 1
                continue
            report.ran += 1
            if (theirs.error is not None) != (record.kind == "error") and record.kind != "maybe":
                report.unexpected.append((f"{name}:{record.line}", record.sql, str(theirs.error)))
            differs = pair.compare_with(theirs, sql)
            if differs:
                report.differences.append((f"{name}:{record.line}", record.sql, differs))
        report.differences += [(f"{name}:end", "", differs) for differs in pair.state()]
    finally:
        pair.close()
    return report
