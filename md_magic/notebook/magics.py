"""`%%mdsql` and `%mdsql` in a shell: the settings, the session, and loading and unloading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from traitlets import Bool, Dict, Enum, Float, Int, TraitError, Unicode, observe, validate

from md_magic import options
from md_magic.auth.secret import MaskedURI, mask_uris, scrub, secrets_typed
from md_magic.auth.token import tokens_in
from md_magic.display import formatters, host
from md_magic.display.front_end import FrontEnd
from md_magic.display.host import OnScreen
from md_magic.errors import MdMagicError, OptionError, QueryInterrupted, reworded, without_tracebacks
from md_magic.notebook import checking, commands, connecting, first_contact, history, project_settings, scope
from md_magic.notebook.alias import Alias, AliasMagics
from md_magic.notebook.cell import Cell
from md_magic.notebook.error_display import ErrorDisplay
from md_magic.notebook.ipython_hooks import IPythonHooks
from md_magic.notebook.names import NAME
from md_magic.notebook.shown_rows import ShownRows
from md_magic.notebook.terminal import Terminal
from md_magic.session import project as projects
from md_magic.sql.statement import Form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from md_magic.auth.secret import Secret
    from md_magic.catalog.snapshot import Snapshot
    from md_magic.options import Request
    from md_magic.session.session import Session

_SCHEMES = ("md:", "duckdb:///:memory:", "duckdb:///", "sqlite:///", "postgresql+psycopg://")
"""How targets begin; suggested by Tab."""


@magics_class
class MdsqlMagics(Magics):
    """SQL on DuckDB, MotherDuck and every database with a SQLAlchemy dialect."""

    default_target = Unicode("duckdb:///:memory:", help="Where a cell runs when nothing has been named.").tag(
        config=True
    )
    format = Enum(
        get_args(Form),
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
    check = Bool(
        default_value=True,
        help="Whether mistakes in SQL and in the line are underlined while they are typed, where a front end can.",
    ).tag(config=True)
    status = Enum(
        ["slow", "always", "never"],
        "slow",
        help="Which cells end with a line of rows, time and target: those slower than progress_after, all, or none.",
    ).tag(config=True)
    widgets = Enum(
        ["auto", "on", "off"],
        "auto",
        help="Whether the notebook can show widgets: as its front end answers when it is asked, yes, or no.",
    ).tag(config=True)
    alias = Unicode(
        "",
        help="Another name for the magic, such as 'sql' for %%sql and %sql; one that is taken stays whose it is.",
    ).tag(config=True)

    shell: InteractiveShell
    _is_loaded = False

    def __init__(self, shell: InteractiveShell) -> None:
        """Make the magics of *shell*; its session is made by the first cell."""
        self._other_name = Alias(shell, self.mdsql)  # type: ignore[misc] # IPython's decorator is typed wrongly
        self._aliases = AliasMagics(shell, self.mdsql)  # type: ignore[misc]
        self._shown_rows = ShownRows()
        super().__init__(shell)
        self._session: Session | None = None
        self.project = projects.NONE
        """What the nearest `pyproject.toml` says of targets; its settings are in the settings."""

        self._has_warned = False
        self.has_spoken = False
        """Whether the running cell has printed a message that must not be cleared."""

        self.has_told_of_fix = False
        """Whether an error has led on to `--fix`: one is enough."""

        self.on_screen = OnScreen()
        self.front_end = FrontEnd()
        self.cell_allows_input = False
        """Whether somebody could be asked for input when the last cell began: a widget's callback cannot say."""

        self.hooks = IPythonHooks(
            shell,
            names=self._names,
            targets=self._known_targets,
            saved=self._saved,
            running=self._running,
            columns=self._columns,
            magic_names=lambda: self.names,
        )
        self.terminal = Terminal(shell, lambda: self.names, self._dialect_for)
        self.errors = ErrorDisplay(shell)

    @property
    def names(self) -> tuple[str, ...]:
        """What the magic is called: `mdsql`, and the alias where there is one."""
        return self._other_name.names

    @property
    def session(self) -> Session:
        """The one session of this kernel."""
        if self._session is None:
            from md_magic.session.session import (
                Session,  # 600 ms of pandas, SQLAlchemy and duckdb; `%load_ext` costs none
            )

            self._session = Session(notify=self._say, use_keyring=lambda: self.remember != "never")
            self._session.known.variables = lambda: self.shell.user_ns
        return self._session

    @no_var_expand
    @line_cell_magic
    def mdsql(self, line: str, cell: str | None = None) -> Any:  # noqa: ANN401
        """Run SQL and return its result as a DataFrame."""
        try:
            return self._run(line, cell, scope.variables(self.shell.user_ns))
        except MdMagicError as error:
            sql = cell or ""  # errors repeat what was typed
            typed = (*tokens_in(f"{line}\n{sql}"), *secrets_typed(line, sql))
            reworded(error, lambda text: scrub(text, typed))
            raise without_tracebacks(error) from error.__cause__
        except QueryInterrupted:
            raise
        except KeyboardInterrupt:  # while no query ran: between the cell's beginning and its query's, say
            message = "the cell was interrupted; the connection is still usable."
            raise QueryInterrupted(message) from None

    def _run(self, line: str, text: str | None, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
        self.has_spoken = False
        self.hide_secrets(tokens_in(f"{line}\n{text or ''}"))
        self.hide_secrets(secrets_typed(line, text or ""), warn=False)  # whatever becomes of the cell
        request = options.parse(line, text.removesuffix("\n") if text else text)  # IPython ends a cell with a line feed
        if not request.sql and not line.strip():
            print(first_contact.greeting(self._current_name()))
            return None
        if request.target is not None and request.target.startswith("$"):
            request = connecting.substituted(request, variables)
        cell = Cell(self, request, variables)
        return cell.bound(cell.run() if request.action == "run" else commands.run(cell))

    def _current_name(self) -> str:
        """Return the name of the target that a cell without one runs on; it holds no secret."""
        current = self._session.current if self._session is not None else None
        return current.name if current is not None else mask_uris(str(self.default_target))

    def _dialect_for(self, request: Request) -> str:
        """Return the dialect of the target that a cell would run on. Raises `TargetError`."""
        if self._session is None and request.target is None:  # without 600 ms of imports
            return str(self.default_target).partition(":")[0].partition("+")[0]
        target = connecting.target_of_cell(self, request, self.shell.user_ns)
        return target.dialect if target is not None else "duckdb"

    @property
    def kind_of_target(self) -> str:
        """The kind of database that is current, without its name."""
        current = self._session.current if self._session is not None else None
        return current.dialect if current is not None else "none is open"

    def close(self) -> None:
        """Close every connection, and every output that owns a connection or a file."""
        self.on_screen.close_all()
        self.front_end.forget()
        if self._session is not None:
            self._session.close_all()

    def hide_secrets(self, secrets: Sequence[Secret], *, warn: bool = True) -> None:
        """Take *secrets*, which stand in a cell's source, out of IPython's history; *warn* of them once."""
        if not secrets:
            return
        if warn and not self._has_warned:
            self._say(history.WARNING)
            self._has_warned = True
        history.forget(self.shell, secrets)

    def _say(self, line: str) -> None:
        """Print a message that must not be cleared when the cell ends."""
        print(line)
        self.has_spoken = True

    def note_cell(self, _info: object = None) -> None:
        """Note whether the cell that begins may ask for input; the first one asks what the front end can show.

        What an earlier run of it displayed is closed.
        """
        self.cell_allows_input = bool(host.request(self.shell).get("content", {}).get("allow_stdin"))
        self.front_end.ask(self.shell)
        self.on_screen.begin(host.running_cell(self.shell))

    def lead_on(self, result: ExecutionResult) -> None:
        """Say what a cell lacked that IPython could not read as the magic's."""
        if words := first_contact.hint(result, self.names):
            print(words)

    # ---- what completion asks for -----------------------------------------------------------------------------------

    def _names(self) -> Snapshot | None:
        return self._session.names() if self._session is not None else None

    def _saved(self) -> list[str]:
        return self._session.saved_views() if self._session is not None else []

    def _running(self) -> tuple[str, ...]:
        return self._session.platform.running_ids if self._session is not None else ()

    def _columns(self, query: str) -> tuple[tuple[str, str], ...]:
        """Return names and types of what *query* would give on the current target, as far as they are known."""
        session = self._session
        if session is None or session.current is None:
            return ()
        return session.checks.columns(query, session.current, dict(self.shell.user_ns))

    def _known_targets(self) -> list[str]:
        """Return the targets to suggest: aliases, open targets, and schemes."""
        session = self._session
        aliases = dict.fromkeys(
            [*self.project.targets, *self.targets, *(session.aliases if session is not None else ())]
        )
        opened = [database.target.name for database in session.pool] if session is not None else []
        uris = [name for name in opened if not name.startswith("-")]
        return list(dict.fromkeys([*(f"@{alias}" for alias in aliases), *uris, *_SCHEMES]))

    # ---- settings ---------------------------------------------------------------------------------------------------

    @validate("timeout", "progress_after")
    def _check_seconds(self, proposal: Mapping[str, Any]) -> float | None:
        name, value = proposal["trait"].name, proposal["value"]
        if value is None or value > 0 or (name == "progress_after" and value == 0):
            return cast("float | None", value)
        message = f"{name} is a number of seconds above 0{' or None' * (name == 'timeout')}, and {value!r} is not."
        raise TraitError(message)

    @validate("default_target", "targets")
    def _hide_passwords(self, proposal: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a text, or a dict of them
        """Keep URIs as texts whose `repr` has no password: `%config MdsqlMagics` prints every setting."""
        value = proposal["value"]
        if self._is_loaded:
            uris = value.values() if isinstance(value, dict) else (value,)
            typed = [secret for uri in uris if isinstance(uri, str) for secret in secrets_typed(uri, "")]
            self.hide_secrets(typed, warn=False)
        if isinstance(value, dict):
            return {alias: MaskedURI(uri) if isinstance(uri, str) else uri for alias, uri in value.items()}
        return MaskedURI(value)

    @validate("alias")
    def _check_alias(self, proposal: Mapping[str, Any]) -> str:
        try:
            if self._is_loaded:  # a name of the configuration file that is taken must not stop `%load_ext`
                self._other_name.check(proposal["value"])
        except OptionError as error:
            raise TraitError(str(error)) from error
        return cast("str", proposal["value"])

    @observe("alias")
    def _take_alias(self, change: Mapping[str, Any]) -> None:
        if self._is_loaded:
            self._other_name.take(change["new"])

    def begin(self) -> None:
        """Take the settings of the project, and the alias; where one cannot be taken, say so."""
        self.project = projects.nearest()
        for problem in (*self.project.problems, *project_settings.take(self, self.project)):
            self._say(problem)
        self._is_loaded = True
        self._aliases.install()
        try:
            self._other_name.take(self.alias)
        except OptionError as error:
            self._say(str(error))
            self.alias = ""

    def end(self) -> None:
        """Give the alias back, and pandas' own rows."""
        self._is_loaded = False
        self._shown_rows.set(None)
        self._aliases.remove()
        self._other_name.release()

    @validate("max_rows_displayed")
    def _check_rows(self, proposal: Mapping[str, Any]) -> int | None:
        value = cast("int | None", proposal["value"])
        if value is None or value >= 0:
            return value
        message = f"max_rows_displayed is a whole number from 0 on, or None, and {value!r} is not."
        raise TraitError(message)

    @observe("max_rows_displayed")
    def _limit_display(self, change: Mapping[str, Any]) -> None:
        self._shown_rows.set(change["new"])


MdsqlMagics.mdsql.__doc__ = (
    f"Run SQL and return its result as a DataFrame.\n\n{first_contact.NEXT}\n\n{commands.help_text()}"
)


def load(shell: InteractiveShell) -> None:
    """Register the magics with *shell*. Nothing is opened."""
    unload(shell)  # `%reload_ext` and a second `%load_ext` start clean
    magics = MdsqlMagics(shell)
    shell.register_magics(magics)
    magics.hooks.install()
    checking.install(magics)
    formatters.install(shell)
    magics.terminal.install()
    magics.errors.install()
    shell.events.register("pre_run_cell", magics.note_cell)
    shell.events.register("post_run_cell", magics.lead_on)
    magics.note_cell()
    magics.begin()


def unload(shell: InteractiveShell) -> None:
    """Close every connection and take the magics out of *shell*."""
    magics = shell.magics_manager.registry.pop(MdsqlMagics.__name__, None)
    if magics is None:
        return
    magics.hooks.remove()
    checking.remove(magics)
    magics.close()
    formatters.remove(shell)
    magics.terminal.remove()
    magics.errors.remove()
    shell.events.unregister("pre_run_cell", magics.note_cell)
    shell.events.unregister("post_run_cell", magics.lead_on)
    magics.end()
    if magics in shell.configurables:
        shell.configurables.remove(magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(NAME, None)
