"""`%%mdsql` and `%mdsql`: read the line, call the session, bind or return. The only caller of IPython's shell."""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.display import display
from traitlets import Dict, Enum, Float, Int, TraitError, Unicode, observe, validate

from md_magic import auth, history, markup, options, progress, template, widgets
from md_magic.assist import Assistant
from md_magic.errors import MdMagicError, OptionError, QueryInterrupted, SignInRequired, StatementError
from md_magic.interrupt import Limit, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from md_magic import profile_view
    from md_magic.auth import Secret
    from md_magic.frames import Batches
    from md_magic.grid import Grid
    from md_magic.jobs import Job
    from md_magic.names import Names
    from md_magic.options import Request
    from md_magic.query import Outcome, Sink
    from md_magic.session import Session
    from md_magic.spill import Column
    from md_magic.statement import Form
    from md_magic.target import Target

_SCHEMES = ("md:", "duckdb:///:memory:", "duckdb:///", "sqlite:///", "postgresql+psycopg://")
"""How targets begin; suggested by Tab."""


@magics_class
class MdsqlMagics(Magics):
    """SQL on DuckDB, MotherDuck and every database that SQLAlchemy speaks to."""

    default_target = Unicode("duckdb:///:memory:", help="Where a cell runs when nothing has been named.").tag(
        config=True
    )
    format = Enum(
        ["pandas", "polars", "arrow", "reader", "dict"],
        "pandas",
        help="Form of a cell's value, unless --as says another.",
    ).tag(config=True)
    max_rows_displayed = Int(
        None,
        allow_none=True,
        help="Rows that pandas shows before it shortens a frame (its display.max_rows); None leaves pandas alone.",
    ).tag(config=True)
    progress_after = Float(
        0.5, help="Seconds for which a query runs before its progress is shown, and a status line when it ends."
    ).tag(config=True)
    timeout = Float(
        None, allow_none=True, help="Seconds after which a cell's queries are cancelled, unless --timeout says others."
    ).tag(config=True)
    remember = Enum(
        ["never", "ask", "always"],
        "ask",
        help="Whether the sign-in card offers to keep a token in the keyring: never (nor read it), ask, or ticked.",
    ).tag(config=True)
    targets = Dict(help="Targets by alias, to write @alias: {'prod': 'md:prod'}.").tag(config=True)

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        """Make the magics of *shell*; its session is made by the first cell."""
        super().__init__(shell)
        self._session: Session | None = None
        self._shown = widgets.Shown()
        self._warned = False
        self._cell = threading.local()
        self._spoke = False
        self.assistant = Assistant(shell, names=self._names, targets=self._known_targets, saved=self._saved)

    @property
    def session(self) -> Session:
        """The one session of this kernel."""
        if self._session is None:
            from md_magic.session import Session  # 600 ms of pandas, SQLAlchemy and duckdb; `%load_ext` costs none

            self._session = Session(notify=self._say, use_keyring=lambda: self.remember != "never")
        return self._session

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def mdsql(self, line: str, cell: str | None = None, local_ns: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Run SQL and return its result as a DataFrame."""
        try:
            return self._answer(line, cell, local_ns)
        except MdMagicError as error:
            raise _without_frames(error) from error.__cause__
        except QueryInterrupted:
            raise
        except KeyboardInterrupt:  # while no query ran: between the cell's beginning and its query's, say
            message = "the cell was interrupted; the connection is still usable."
            raise QueryInterrupted(message) from None

    def _say(self, line: str) -> None:
        """Print what must stay on the screen, whatever becomes of the cell."""
        print(line)
        self._spoke = True

    def _names(self) -> Names | None:
        return self._session.names() if self._session is not None else None

    def _saved(self) -> list[str]:
        return self._session.saved_views() if self._session is not None else []

    def _known_targets(self) -> list[str]:
        """Return what can be written for a target: schemes, aliases, and what is open."""
        session = self._session
        aliases = dict.fromkeys([*self.targets, *(session.aliases if session is not None else ())])
        opened = [database.target.name for database in session.pool] if session is not None else []
        written = [name for name in opened if not name.startswith("-")]
        return list(dict.fromkeys([*(f"@{alias}" for alias in aliases), *written, *_SCHEMES]))

    def close(self) -> None:
        """Close every connection, and what is on the screen and needs one or a file."""
        self._shown.close_all()
        if self._session is not None:
            self._session.close_all()

    def _answer(self, line: str, cell: str | None, local_ns: dict[str, Any] | None) -> Any:  # noqa: ANN401
        self._spoke = False
        self._keep_secret(auth.tokens_in(f"{line}\n{cell or ''}"))
        request = options.parse(line, cell.removesuffix("\n") if cell else cell)  # IPython ends a cell with a line feed
        variables = self._variables(local_ns)
        if request.action != "run":
            return self._act(request, variables)
        self._open(request, variables)
        texts = [_file(request.file)] if request.file else []
        texts += [request.sql] if request.sql.strip() or not texts else []
        if request.mode == "background":
            return self._bound(request, self._start(request, texts, variables))
        value = None
        with self._one_cell(request, alone=not request.every and self._is_alone(cell)):
            for sql in texts:  # a file, then the cell below it
                self._show(self._cell.outcome, request)
                value = self._rendered(request, sql, variables)
        return self._bound(request, value)

    @contextlib.contextmanager
    def _one_cell(self, request: Request, *, alone: bool) -> Iterator[None]:
        """Let all that the cell runs within the block share one clock, one time limit, one live line and one status."""
        running = Running(limit=self._limit(request), after=self.progress_after)
        self._cell.outcome = None
        live = progress.Live(lambda: widgets.host(self.shell), lambda: _view(running), running.cancel)
        running.slow = None if request.quiet else live.start
        try:
            with self.session.one_cell(running):
                yield
        except BaseException:
            self._cell.outcome = None
            live.over("", alone=alone and not self._spoke)
            raise
        finally:
            running.slow = None  # it and the line know each other: left so, they would wait for the garbage collector
        outcome, self._cell.outcome = self._cell.outcome, None  # its value is not ours to keep
        live.over("" if request.quiet else _status(outcome, running))

    def _limit(self, request: Request) -> Limit | None:
        """Return how long *request* may run."""
        if request.timeout is not None:
            return Limit(request.timeout, f"--timeout {request.timeout:g}")
        seconds = self.timeout
        return Limit(seconds, f"the setting MdsqlMagics.timeout = {seconds:g}") if seconds else None

    def _is_alone(self, cell: str | None) -> bool:
        """Whether nothing is shown in the notebook's cell but what this magic shows."""
        source = self.shell.get_parent().get("content", {}).get("code", "") if hasattr(self.shell, "get_parent") else ""
        return cell is not None or re.fullmatch(r"\s*(\w+\s*=\s*)?%mdsql\b.*\s*", source) is not None

    def _rendered(self, request: Request, sql: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Run *sql*, rendered with Jinja before where that is asked for."""
        if not request.jinja:
            return self._value(request, sql, variables)
        sql = template.render(sql, {**variables, **self._parameters(request, variables)})
        try:
            return self._value(request, sql, variables)
        except StatementError as error:
            error.add_note("\nThe lines are those of the SQL that Jinja has rendered.")
            raise

    def _value(self, request: Request, sql: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
        instead = {"dry_run": self._dry_run, "explain": self._plan, "analyze": self._plan, "profile": self._profile}
        make = instead.get(request.mode or "", self._run)
        return self._signing_in(functools.partial(self._saving, request, sql, lambda: make(request, sql, variables)))

    def _saving(self, request: Request, sql: str, act: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return what *act* returns, and keep *sql* then, if that is asked for."""
        with self.session.saving(request.save, sql) if request.save else contextlib.nullcontext():
            return act()

    def _signing_in(self, act: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return what *act* returns; if the token is refused, once more with another."""
        try:
            return act()
        except SignInRequired as needed:  # refused while the notebook was open; nothing of the cell has run
            self._sign_in(self.session.current, needed)
            return act()

    def _start(self, request: Request, texts: Sequence[str], variables: Mapping[str, Any]) -> Job:
        """Start a background query, and give its handle a screen."""
        from md_magic import jobscreen  # only a background query needs it

        parameters = self._parameters(request, variables)
        if request.jinja:
            texts = [template.render(sql, {**variables, **parameters}) for sql in texts]
        start = functools.partial(self.session.start, texts, variables, name=request.out, parameters=parameters)
        form, limit = request.form or cast("Form", self.format), self._limit(request)
        job: Job = self._signing_in(
            lambda: self._saving(request, texts[0], lambda: start(form=form, limit=request.limit, time_limit=limit))
        )
        job.show = functools.partial(jobscreen.show, widgets.host(self.shell))
        return job

    def _dry_run(self, request: Request, sql: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a frame
        return self.session.describe_result(sql, variables, self._parameters(request, variables))

    def _plan(self, request: Request, sql: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - see Session.plan
        from md_magic import plan_view, plans  # only a plan is drawn

        run = request.mode == "analyze"
        plan = self.session.plan(sql, variables, self._parameters(request, variables), run=run)
        return plan_view.Plan.of(plan) if isinstance(plan, plans.Plan) else plan

    def _profile(self, request: Request, sql: str, variables: Mapping[str, Any]) -> profile_view.Profile:
        from md_magic import profile_view  # only a profile is drawn

        return profile_view.Profile.of(self.session.profile(sql, variables, self._parameters(request, variables)))

    def _keep_secret(self, found: Sequence[Secret], *, warn: bool = True) -> None:
        """Warn once of tokens *found* in a cell's source, and take them out of the history."""
        if not found:
            return
        if warn and not self._warned:
            self._say(history.WARNING)
            self._warned = True
        history.forget(self.shell, found)

    def _run(self, request: Request, sql: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
        outcome = None
        for following in self.session.run(
            sql,
            variables,
            parameters=self._parameters(request, variables),
            form=request.form or cast("Form", self.format),
            limit=request.limit,
            every=request.every,
            sink=self._sink(request),
        ):
            if request.every and outcome is not None:
                self._show(outcome, request)
                if outcome.value is not None:
                    display(outcome.value)  # type: ignore[no-untyped-call]
            outcome = following
        if outcome is None:
            return None
        self._cell.outcome = outcome
        return outcome.value

    def _sink(self, request: Request) -> Sink | None:
        """Return what makes a grid of a result, where one is asked for; a plain table, where there are no widgets."""
        if request.mode != "grid":
            return None
        from md_magic import grid  # pyarrow and duckdb, and with them anywidget: only a grid needs them

        if widgets.host(self.shell) != "widgets":
            return grid.still
        keep = self._keeper()

        def fill(columns: Sequence[Column], batches: Batches) -> Grid:
            made = grid.fill(columns, batches, early=request.in_cell and request.out is None)
            keep(made, hold=made.on_screen)
            return made

        return fill

    def _keeper(self) -> Callable[..., None]:
        """Return `Shown.keep` for this run of this cell."""
        parent = self.shell.get_parent()  # type: ignore[attr-defined] # of a kernel's shell, which a widget's host has
        cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
        return functools.partial(self._shown.keep, cell=cell, run=run)

    def _show(self, outcome: Outcome | None, request: Request) -> None:
        if outcome is not None and not request.quiet and outcome.line:
            print(outcome.line)

    def _bound(self, request: Request, value: Any) -> Any:  # noqa: ANN401
        """Bind *value* to the name that was asked for, or give it back to be displayed."""
        if request.out is None:
            return value
        self.shell.user_ns[request.out] = value
        return None

    def _open(self, request: Request, variables: Mapping[str, Any]) -> None:
        """Make the target that *request* names current."""
        if not request.opens and self.session.ready:
            return
        if request.engine:
            self.session.use_object(
                request.engine, _variable("--engine", request.engine, variables), alias=request.alias
            )
            return
        self._read_targets()
        config = _variable("--config", request.config, variables) if request.config else None
        if config is not None and not (isinstance(config, dict) and all(isinstance(name, str) for name in config)):
            message = (
                f"--config {request.config}: got {type(config).__name__}, where a dict of settings by name is needed."
            )
            raise OptionError(message)
        word = request.target or (None if self.session.current else self.default_target)
        target = self.session.resolve(word) if word else None
        if target is not None and request.target and not request.target.startswith("@"):
            self._keep_secret(list(target.secrets.values()), warn=target.is_motherduck)
        try:
            self.session.use(target, config=config, alias=request.alias)
        except SignInRequired as needed:
            self._sign_in(target or self.session.current, needed, config=config, alias=request.alias)

    def _sign_in(self, target: Target | None, needed: SignInRequired | None, **opening: Any) -> None:  # noqa: ANN401
        """Show the card, or what this host has for it, until somebody has signed in to *target*."""
        from md_magic import credentials, signin  # anywidget and ipywidgets: 300 ms that only a sign-in needs
        from md_magic.login import Login

        target = target or self.session.resolve("md:")
        keyring = self.remember != "never" and credentials.keyring_works()
        with _because(needed):
            signin.sign_in(
                widgets.host(self.shell),
                start=lambda: Login(user_agent=f"md_magic/{version('md_magic')}"),
                check=lambda token: self.session.sign_in(target, token, **opening),
                remember=credentials.remember if keyring else None,
                ticked=self.remember == "always",
                reason=str(needed) if needed is not None and needed.__cause__ is not None else None,
            )

    def _read_targets(self) -> None:
        for alias, uri in self.targets.items():
            if alias not in self.session.aliases:
                self.session.aliases[alias] = self.session.resolve(uri)

    def _act(self, request: Request, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Do what is asked for on the line alone."""
        if request.action in {"databases", "tables", "describe", "browse", "to"}:
            self._open(request, variables)
        act: dict[str, Callable[[Request], Any]] = {
            "help": lambda _: print(options.parser().format_help()),
            "connections": lambda _: self.session.connections(),
            "close": self._close,
            "close_all": self._close_all,
            "databases": lambda _: self.session.databases(),
            "tables": lambda asked: self.session.tables(asked.argument),
            "describe": lambda asked: self.session.describe(asked.argument or ""),
            "browse": self._browse,
            "login": self._login,
            "logout": self._logout,
            "whoami": self._whoami,
            "jobs": lambda _: self.session.jobs(),
            "forget": lambda asked: self.session.forget(asked.argument or ""),
            "to": lambda asked: self._write(asked, variables),
        }
        return self._bound(request, act[request.action](request))

    def _browse(self, _request: Request) -> None:
        from md_magic import browser  # only a tree needs it

        tree = browser.browse(widgets.host(self.shell), self.session.explorer())
        if tree is not None:
            self._keeper()(tree, hold=True)

    def _login(self, request: Request) -> None:
        target = self.session.resolve(request.argument or request.target or "md:")
        if not target.is_motherduck:
            message = f"--login signs in to MotherDuck, and {target.name} is somewhere else. Write --login md:my_db."
            raise OptionError(message)
        self._sign_in(target, None)
        self.session.prefer_signed_in()

    def _write(self, request: Request, variables: Mapping[str, Any]) -> None:
        """Write a variable's table to one of the target."""
        name, table = request.frame or "", request.argument or ""
        value = _variable("--frame", name, variables)
        with self._one_cell(request, alone=False):
            rows = self.session.write(table, name, value, how=request.how)
        if not request.quiet:
            index = getattr(value, "index", None)
            left = index is not None and type(index).__name__ != "RangeIndex" and hasattr(value, "reset_index")
            note = "; the index was not written, reset_index() makes a column of it" if left else ""
            print(f"{markup.count(rows, 'row')} written to {table}{note}")

    def _logout(self, _request: Request) -> None:
        closed, left = self.session.sign_out()
        print(f"Signed out of MotherDuck; {', '.join(closed) or 'nothing'} was closed.")
        if left is not None:
            print(
                f"A token is still found in: {left.source}. It is not ours to remove, and the next md: target uses it."
            )

    def _whoami(self, _request: Request) -> Any:  # noqa: ANN401 - a frame
        return self.session.whoami()

    def _close_all(self, _request: Request) -> None:
        count = self.session.close_all()
        print(f"{markup.count(count, 'connection')} closed")

    def _close(self, request: Request) -> None:
        self._read_targets()
        target = self.session.resolve(request.argument) if request.argument else self.session.current
        closed = self.session.close(target)
        print(f"{target.name} {'closed' if closed else 'was not open'}" if target else "Nothing is open.")

    def _parameters(self, request: Request, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Evaluate the expressions of `--param` among *variables*."""
        values = {}
        for name, expression in request.parameters:
            try:
                values[name] = eval(expression, self.shell.user_global_ns, dict(variables))  # noqa: S307 - the user's own
            except Exception as error:
                hint = (
                    " An expression with blanks is quoted: --param 'x=[1, 2]'."
                    if isinstance(error, SyntaxError)
                    else ""
                )
                message = f"--param {name}={expression}: {type(error).__name__}: {error}.{hint}"
                raise OptionError(message) from error
        return values

    def _variables(self, local_ns: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return what a Python expression in the calling scope would see, without the builtins."""
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace if local_ns is None or local_ns is namespace else {**namespace, **local_ns}

    @validate("timeout", "progress_after")
    def _check_seconds(self, proposal: Mapping[str, Any]) -> float | None:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None or value > 0 or (name == "progress_after" and value == 0):
            return cast("float | None", value)
        message = f"{name} is a number of seconds above 0{' or None' * (name == 'timeout')}, and {value!r} is not."
        raise TraitError(message)

    @observe("max_rows_displayed")
    def _limit_display(self, change: Mapping[str, Any]) -> None:
        import pandas as pd  # 300 ms; only a person who changes the setting pays

        pd.set_option("display.max_rows", change["new"] if change["new"] is not None else 60)


MdsqlMagics.mdsql.__doc__ = f"Run SQL and return its result as a DataFrame.\n\n{options.parser().format_help()}"


def _view(running: Running) -> progress.View:
    return progress.View(
        target=running.target,
        elapsed=running.elapsed,
        percent=running.percent,
        rows=running.rows,
        statement=running.statement,
        of=running.of,
        stopping=running.stopped is not None,
    )


def _status(outcome: Outcome | None, running: Running) -> str:
    """Return what there is to say at the end of a cell: for one that was slow, the size, the time and the place too."""
    line = outcome.line if outcome is not None else ""
    if not running.is_slow:
        return line
    if outcome is not None and not outcome.rowless:
        line = progress.size(outcome.value)
        line = line if outcome.limited_to is None else f"the first {line}; there are more"
    return progress.status(line, running.elapsed, running.target)


def _variable(option: str, name: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if name in variables:
        return variables[name]
    message = f"{option} {name}: there is no Python variable {name!r}."
    raise OptionError(message)


def _file(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        message = f"--file {path}: the file is not UTF-8 text."
    except (OSError, RuntimeError, ValueError) as error:  # the last two: ~nobody, and a null byte
        message = f"--file {path}: {getattr(error, 'strerror', None) or error}. The path is relative to {Path.cwd()}."
    raise OptionError(message)


@contextlib.contextmanager
def _because(needed: SignInRequired | None) -> Iterator[None]:
    """Let an error that only says that nobody can sign in tell as well what the service said before."""
    try:
        yield
    except SignInRequired as error:
        for note in getattr(needed, "__notes__", []):
            error.add_note(note)
        raise error from (needed.__cause__ if needed is not None else None)


def _without_frames(error: MdMagicError) -> MdMagicError:
    """Take the tracebacks off *error*: nobody is shown them, and they would keep the cell's DataFrames alive."""
    if error.__cause__ is not None:
        error.__cause__.__traceback__ = error.__cause__.__context__ = None
    error.__context__ = None
    return error.with_traceback(None)


def allow_empty_body(lines: list[str]) -> list[str]:
    """Let `%%mdsql --file q.sql` stand alone: IPython refuses a cell magic whose body is empty, not one blank line."""
    return [*lines, "\n"] if len(lines) == 1 and re.match(r"%%mdsql(?![\w?])", lines[0]) else lines


def load(shell: InteractiveShell) -> None:
    """Register the magics with *shell*. Nothing is opened."""
    unload(shell)  # `%reload_ext` and a second `%load_ext` start clean
    magics = MdsqlMagics(shell)
    shell.register_magics(magics)
    magics.assistant.install()
    shell.input_transformers_cleanup.append(allow_empty_body)


def unload(shell: InteractiveShell) -> None:
    """Close every connection and take the magics out of *shell*."""
    magics = shell.magics_manager.registry.pop(MdsqlMagics.__name__, None)
    if magics is None:
        return
    magics.assistant.remove()
    magics.close()
    shell.input_transformers_cleanup.remove(allow_empty_body)
    if magics in shell.configurables:
        shell.configurables.remove(magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("mdsql", None)
