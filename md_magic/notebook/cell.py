"""Running one cell: opening its target, running its SQL under one clock, and returning its value.

`MODES` has the functions for options that ask for something other than the result.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from IPython.display import display

from md_magic import threads
from md_magic.display import host, progress
from md_magic.engine.cancellation import Execution, Limit
from md_magic.engine.results.spec import ResultSpec
from md_magic.errors import OptionError, SignInRequired, StatementError
from md_magic.notebook import connecting, live, names
from md_magic.sql import quoting as quotings
from md_magic.sql import template
from md_magic.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from md_magic.display.grid import Grid
    from md_magic.engine.execute import Outcome
    from md_magic.engine.results.batches import Batches
    from md_magic.engine.results.columns import Column
    from md_magic.engine.results.spec import Sink
    from md_magic.notebook.magics import MdsqlMagics
    from md_magic.options import Request
    from md_magic.session.background.job import Job
    from md_magic.session.chart.values import Kind
    from md_magic.session.session import Session
    from md_magic.sql.statement import Form

T = TypeVar("T")

_MOST_SQL = 64 * 10**6
"""Bytes of SQL that are read from a file. A cell is kept in memory several times over."""

_UNKNOWN = re.compile(r"(?:Binder|Catalog) Error: .*(?:not found|does not exist|does not have a column)")
"""DuckDB's errors about a name that it does not know. Others are about types, say."""

_SCHEMES = {".duckdb": "duckdb", ".ddb": "duckdb", ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "duckdb"}
"""What opens files, by how their names end."""


class Cell:
    """One run of a cell or a line."""

    def __init__(self, magics: MdsqlMagics, request: Request, variables: Mapping[str, Any]) -> None:
        """Make the cell of *request*; *variables* are those visible to a Python expression at its position."""
        self.magics: MdsqlMagics = magics
        self.request: Request = request
        self.variables: Mapping[str, Any] = variables
        self._outcome: Outcome | None = None
        self._size = ""
        """What there is to say of the size of a result that is no outcome of a statement's own."""

        self._parameters: dict[str, Any] | None = None

    @property
    def session(self) -> Session:
        """The session of the kernel."""
        return self.magics.session

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of `--param`, computed once."""
        if self._parameters is None:
            self._parameters = {name: self._evaluate(name, text) for name, text in self.request.parameters}
        return self._parameters

    # ---- running ----------------------------------------------------------------------------------------------------

    def run(self) -> Any:  # noqa: ANN401 - a result in any form
        """Open the target, run the SQL of the file and then of the cell, and return the last value."""
        connecting.open_target(self.magics, self.request, self.variables)
        texts = self._texts()
        if self.request.mode == "background":
            return self._start(texts)
        controls = live.controls_of(self, [self._rendered(sql) for sql in texts]) if self.request.live else ()
        value = None
        with self.watched():
            for sql in texts:
                self._print_line(self._outcome)
                if self.request.every and value is not None:
                    display(value)  # type: ignore[no-untyped-call] # of IPython's
                value = self._answer(sql)
        if not self.request.live:
            return value
        following = live.follow(self, texts, controls, value)
        return value if self.request.out else following

    def again(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - a result in any form
        """Run *texts* once more, without a live line and a status, and return the last value."""
        value, self._parameters = None, None
        for sql in texts:
            value = MODES.get(self.request.mode or "", Cell.result)(self, self._rendered(sql))
        self._outcome = None
        return value

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Give everything within the block one clock, one time limit and one live line, which ends as a status."""
        magics, request = self.magics, self.request
        execution = Execution(limit=self.limit(), after=magics.progress_after)
        line = progress.Live(lambda: host.host(magics.shell), lambda: _view(execution), execution.cancel)
        execution.on_slow = None if request.quiet else line.start
        try:
            with self.session.one_cell(execution):
                yield
        except BaseException:
            self._outcome = None
            line.finish("", only_output=self._is_only_output())
            raise
        finally:
            execution.on_slow = None  # break the reference cycle with the line, so that both are freed at once
        outcome, self._outcome = self._outcome, None  # its value is the caller's alone
        status = said = ""
        try:
            if not request.quiet:
                if request.every:  # below the results before it, where the status of a slow cell is above them
                    self._print_line(outcome)
                else:
                    said = outcome.line if outcome is not None else ""
                status = self._status(outcome, execution)
        finally:
            line.finish(status, said=said, always=magics.status == "always")

    def timed(self, act: Callable[[Cell], T]) -> T:
        """Return the result of *act*, which asks the current target for a list, with a status as that of a cell."""
        magics, began = self.magics, time.monotonic()
        value = act(self)
        elapsed = time.monotonic() - began
        is_told = magics.status == "always" or (magics.status == "slow" and elapsed >= magics.progress_after)
        if is_told and not self.request.quiet and self.session.current is not None:
            status = progress.status(progress.size(value), elapsed, self.session.current.name)
            progress.print_status(status, "", host.host(magics.shell), always=magics.status == "always")
        return value

    def read(self, rows: int) -> None:
        """Say at the end of the cell that *rows* were read."""
        self._size = count(rows, "row")

    def _answer(self, sql: str) -> Any:  # noqa: ANN401 - a result in any form
        """Return the result of *sql*, or what the cell's mode makes of it."""
        sql = self._rendered(sql)
        try:
            return self._signed_in(MODES.get(self.request.mode or "", Cell.result), sql)
        except StatementError as error:
            self.session.platform.note_failure(sql, error)
            self._tell_of_fix(error)
            self._tell_of_target(sql, error)
            if self.request.jinja:
                error.add_note("\nThe lines are those of the SQL that Jinja has rendered.")
            raise

    def _tell_of_fix(self, error: StatementError) -> None:
        """Have the first *error* about a name, where a person reads it, lead on to `--fix`."""
        magics = self.magics
        if _UNKNOWN.match(str(error)) and not magics.has_told_of_fix and host.host(magics.shell) != "batch":
            error.add_note("\n`%mdsql --fix` looks for the name that was meant.")
            magics.has_told_of_fix = True

    def _tell_of_target(self, sql: str, error: StatementError) -> None:
        """Have the *error* of *sql* that begins with a connection of Python's, or a file, lead on to the target."""
        word = sql.split(maxsplit=1)[0] if sql.strip() else ""
        if word.isidentifier() and _is_connection(self.variables.get(word)):
            error.add_note(f"\n{word} is a Python variable: --engine {word} runs on what it holds.")
        elif (scheme := _SCHEMES.get(Path(word).suffix.lower())) and re.fullmatch(r"[^\s'\"();]+", word):
            error.add_note(f"\n{word} looks like a database in a file: {scheme}:///{word} names it.")

    def _signed_in(self, act: Callable[[Cell, str], T], sql: str) -> T:
        """Call *act* with *sql*; if the token is refused, sign in and call it again."""
        try:
            return self._saved(act, sql)
        except SignInRequired as required:  # refused while the notebook was open; nothing of the cell has run
            connecting.sign_in(self.magics, self.session.current, required)
            return self._saved(act, sql)

    def _saved(self, act: Callable[[Cell, str], T], sql: str) -> T:
        """Call *act* with *sql*, and save *sql* if the cell asks for it."""
        if not self.request.save:
            return act(self, sql)
        with self.session.saving(self.request.save, sql):
            return act(self, sql)

    def result(self, sql: str, sink: Sink | None = None, note: Callable[[Outcome], object] | None = None) -> Any:  # noqa: ANN401 - a result in any form
        """Run *sql* and return the last result, or the value of *sink*; with `--all`, display the earlier results.

        *note* is called with each outcome.
        """
        every = self.request.every
        spec = ResultSpec(
            form=self.request.form or cast("Form", self.magics.format), limit=self.request.limit, sink=sink
        )
        outcome = None
        for following in self.session.run(sql, self.variables, parameters=self.parameters, spec=spec, every=every):
            if every and outcome is not None:
                self._print_line(outcome)
                if outcome.value is not None:
                    display(outcome.value)  # type: ignore[no-untyped-call] # of IPython's
            outcome = following
            if note is not None:
                note(outcome)
            if outcome.plan_column:
                self._show_plan(outcome)
        self._outcome = outcome
        return outcome.value if outcome is not None else None

    def _show_plan(self, outcome: Outcome) -> None:
        """Have the value of *outcome*, a typed EXPLAIN, shown as text; it stays what it is."""
        from md_magic.display import typed_plan  # only an EXPLAIN needs it

        reads_plans = self.session.use().backend.reads_plans
        begin = outcome.statement.text[:100]
        option = "--analyze" if re.search(r"(?i)\banalyze\b", begin) else "--explain"
        words = "EXPLAIN QUERY PLAN" if re.search(r"(?i)\bexplain\s+query\s+plan\b", begin) else "EXPLAIN"
        drawn_by = option if reads_plans else ""
        typed_plan.show_as_text(outcome.value, outcome.plan_column, drawn_by=drawn_by, words=words)

    def _start(self, texts: Sequence[str]) -> Job:
        """Start the *texts* as a background query, and return its handle, ready for display."""
        from md_magic.display import job_view  # only a background query needs it

        texts = [self._rendered(sql) for sql in texts]
        spec = ResultSpec(form=self.request.form or cast("Form", self.magics.format), limit=self.request.limit)

        def start(cell: Cell, _: str) -> Job:
            return cell.session.start(
                texts,
                cell.variables,
                name=cell.request.out,
                parameters=cell.parameters,
                spec=spec,
                time_limit=cell.limit(),
            )

        job = self._signed_in(start, texts[0])
        job.show = functools.partial(job_view.show, host.host(self.magics.shell), self.keeper())
        if self.request.out is not None and not self.request.quiet:
            display(job)  # type: ignore[no-untyped-call] # of IPython's
        return job

    # ---- inputs -----------------------------------------------------------------------------------------------------

    def _texts(self) -> list[str]:
        """Return the SQL of the file, then that of the cell."""
        texts = [_read_file(self.request.file)] if self.request.file else []
        return [*texts, self.request.sql] if self.request.sql.strip() or not texts else texts

    def _rendered(self, sql: str) -> str:
        """Return *sql*, rendered with Jinja if the cell asks for it."""
        if not self.request.jinja:
            return sql
        target = self.session.current
        quoting = quotings.of(target.dialect) if target is not None else quotings.DUCKDB
        return template.render(sql, {**self.variables, **self.parameters}, quoting=quoting)

    def _evaluate(self, name: str, expression: str) -> Any:  # noqa: ANN401 - any value
        """Return the value of a Python *expression* of `--param`. Raises `OptionError`."""
        try:
            return eval(expression, dict(self.variables))  # noqa: S307 - the user's own; as globals: lambdas see no other
        except Exception as error:
            hint = " An expression with blanks is quoted: --param 'x=[1, 2]'." if isinstance(error, SyntaxError) else ""
            message = f"--param {name}={expression}: {type(error).__name__}: {error}.{hint}"
            if isinstance(error, SyntaxError):  # it holds the text, with whatever secret is in it
                raise OptionError(message) from None
            raise OptionError(message) from error

    def limit(self) -> Limit | None:
        """Return how long the cell may run."""
        if (self.request.timeout or self.magics.timeout) and not threads.available():
            message = f"A time limit {threads.NEEDED} Without --timeout and the setting timeout the cell runs."
            raise OptionError(message)
        if self.request.timeout is not None:
            return Limit(self.request.timeout, f"--timeout {self.request.timeout:g}")
        seconds = self.magics.timeout
        return Limit(seconds, f"the setting MdsqlMagics.timeout = {seconds:g}") if seconds else None

    # ---- outputs ----------------------------------------------------------------------------------------------------

    def bound(self, value: T) -> T | None:
        """Bind *value* to the name given on the line; without a name, return it for display."""
        if self.request.out is None:
            return value
        self.magics.shell.user_ns[self.request.out] = value
        return None

    def keeper(self) -> Callable[..., None]:
        """Return `OnScreen.add` for an output of this run of the notebook's cell."""
        return functools.partial(self.magics.on_screen.add, run=host.running_cell(self.magics.shell))

    def _print_line(self, outcome: Outcome | None) -> None:
        if outcome is not None and outcome.line and not self.request.quiet:
            print(outcome.line)

    def _status(self, outcome: Outcome | None, execution: Execution) -> str:
        """Return the line at the end of a cell; that of a slow one has the result's size, the time and the target.

        Of several results that are shown it has no size.

        The setting `status` says which cells have it. On MotherDuck that of a slow one also has what the service noted,
        if it says so at once. A stream must not be disturbed.
        """
        line = outcome.line if outcome is not None and not self.request.every else ""
        wanted = self.magics.status
        if wanted == "never" or (wanted == "slow" and not execution.is_slow):
            return line
        is_stream = (self.request.form or self.magics.format) == "reader"
        asks = execution.is_slow and outcome is not None and not is_stream
        took = self.session.platform.last_query() if asks else None
        line = self._size or line
        if outcome is not None and not outcome.rowless and not self.request.every:
            line = progress.size(outcome.value)
            is_part = outcome.limited_to is not None and "there are more" not in line
            line = f"the first {line}; there are more" if is_part else line
        return progress.status(line, execution.elapsed, execution.target, progress.took(took) if took else "")

    def _is_only_output(self) -> bool:
        """Whether the notebook's cell has no output other than this magic's."""
        if self.request.every or self.request.action != "run" or self.magics.has_spoken:
            return False
        if self.request.in_cell:
            return True
        source = host.request(self.magics.shell).get("content", {}).get("code", "").strip()
        return bool(source) and "\n" not in source and names.line_magic(self.magics.names).match(source) is not None


# ---- modes ----------------------------------------------------------------------------------------------------------


def _columns(cell: Cell, sql: str) -> Any:  # noqa: ANN401 - a frame
    return cell.session.describe_result(sql, cell.variables, cell.parameters)


def _plan(cell: Cell, sql: str) -> Any:  # noqa: ANN401 - a plan, or a frame
    from md_magic.display import typed_plan  # only a plan needs it

    run = cell.request.mode == "analyze"
    plan = cell.session.plan(sql, cell.variables, cell.parameters, run=run)
    typed_plan.show_as_text(plan, cell.session.use().backend.plan_column)
    return plan


def _profile(cell: Cell, sql: str) -> Any:  # noqa: ANN401 - a profile
    profile = cell.session.profile(sql, cell.variables, cell.parameters)
    cell.read(profile.rows)
    return profile


def _grid(cell: Cell, sql: str) -> Any:  # noqa: ANN401 - a grid, or a plain table
    from md_magic.display import grid, kept, still  # pyarrow, duckdb and anywidget: only a grid needs them
    from md_magic.engine.results.restated import Origin  # see above

    def note(outcome: Outcome) -> None:
        if isinstance(outcome.value, kept.Kept):
            syntax = cell.session.use().backend.syntax
            outcome.value.origin = Origin(outcome.statement, syntax, outcome.limited_to, cell.parameters)

    if host.host(cell.magics.shell) not in host.GETS_WIDGETS:
        return cell.result(sql, still.still if cell.request.out is None else kept.plain, note)
    keep = cell.keeper()
    early = cell.request.in_cell and cell.request.out is None and not cell.request.live

    def fill(columns: Sequence[Column], batches: Batches) -> Grid:
        filled = grid.fill(columns, batches, early=early)
        keep(filled, hold=filled.on_screen)
        return filled

    return cell.result(sql, fill, note)


def _chart(cell: Cell, sql: str) -> Any:  # noqa: ANN401 - an altair.Chart
    from md_magic.display import chart  # only a chart needs it
    from md_magic.session.chart.values import Wish

    chart.check_installed()
    request = cell.request
    wish = Wish(cast("Kind | None", request.argument), request.x, request.y, request.color, request.facet)
    threads.load_early("md_magic.display.chart.build")  # Altair: up to seconds, in which the query can run
    drawing = cell.session.chart(sql, cell.variables, cell.parameters, wish, request.limit)
    cell.read(drawing.rows)
    from md_magic.display.chart import build  # see above

    return build.chart(drawing)


MODES: dict[str, Callable[[Cell, str], Any]] = {
    "dry_run": _columns,
    "explain": _plan,
    "analyze": _plan,
    "profile": _profile,
    "grid": _grid,
    "chart": _chart,
}
"""The functions that handle a cell's SQL by `Request.mode`, instead of `Cell.result`; `background` is `Cell._start`."""


def _view(execution: Execution) -> progress.View:
    return progress.View(
        target=execution.target,
        elapsed=execution.elapsed,
        percent=execution.percent,
        rows=execution.rows,
        statement=execution.statement,
        of=execution.of,
        stopping=execution.stopped is not None,
    )


def _no_end(path: str) -> str:
    return f"--file {path}: this is a pipe or a device, which may have no end. Name a file."


def _at_once(path: str, flags: int) -> int:
    """Open a file whose reading does not wait: some below /proc say that they are files, and wait as a pipe does."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _is_connection(value: object) -> bool:
    """Whether *value* looks like a DuckDB connection, a SQLAlchemy engine, or another connection of Python's."""
    return hasattr(value, "close" if hasattr(value, "execute") else "connect")


def _read_file(path: str) -> str:
    try:
        file = Path(path).expanduser()
        if file.is_file():  # a pipe or a device may have no end
            with open(file, "rb", opener=_at_once) as opened:
                content = opened.read(_MOST_SQL + 1)
            if content is None:  # it waits
                raise OptionError(_no_end(path))
            if len(content) <= _MOST_SQL:
                return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
            message = (
                f"--file {path}: the file has more than {_MOST_SQL // 10**6} MB, which no SQL has. Load data with COPY."
            )
        elif file.is_dir():
            message = f"--file {path}: this is a directory. Name a file with SQL in it."
        elif file.exists():
            message = _no_end(path)
        else:
            message = f"--file {path}: No such file or directory. The path is relative to {Path.cwd()}."
    except UnicodeDecodeError:
        message = f"--file {path}: the file is not UTF-8 text."
    except (OSError, RuntimeError, ValueError) as error:  # the last two: ~nobody, and a null byte
        message = f"--file {path}: {getattr(error, 'strerror', None) or error}. The path is relative to {Path.cwd()}."
    raise OptionError(message)
