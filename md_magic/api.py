"""What Python code calls: `md_magic.sql` and `md_magic.engine`.

In IPython and Jupyter they use the session of the shell, so that they see what its cells see. Elsewhere, in a script, a
module or a Python prompt, they use one session of the process, which is closed when the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

from md_magic.errors import MdMagicError, OptionError, ParameterError, SignInRequired, without_tracebacks
from md_magic.sql.statement import Form
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy

    from md_magic.notebook.magics import MdsqlMagics
    from md_magic.session.session import Session
    from md_magic.sql.target import Target

T = TypeVar("T")

_lock = threading.Lock()


def sql(query: str, /, *, target: str | None = None, as_: Form = "pandas", **parameters: Any) -> Any:  # noqa: ANN401 - a result in any form
    """Run *query* and return what a cell with it would give: the last statement's result, as a DataFrame.

    ::

        md_magic.sql("SELECT * FROM flights WHERE carrier = :c AND month IN :m", c="UA", m=[1, 2])
        md_magic.sql("FROM df", df=df)                        # a pandas, Polars or Arrow table, by its name
        md_magic.sql("FROM my_table", target="md:my_db", as_="polars")

    *parameters* are all that the query can name beside the database: their values are bound by `:name`, their tables
    are read by their name. The caller's own variables are never looked at. A list expands in `IN :m`.

    *target* is a URI or an `@alias`, as in a cell; without it the query runs where the next cell would. Naming one does
    not change what is current for the cells. *as_* is `--as`: `pandas`, `polars`, `arrow`, `reader` or `dict` (Python
    keeps the word `as` for itself); the notebook's setting `format` does not count, so that a function gets the same
    everywhere. A statement without rows gives `None`. Nothing is displayed.

    Raises `MdMagicError`, whose `__cause__` is the driver's error: `ParameterError` for a parameter without a value,
    `StatementError` where the database refuses, `ConnectError` where *target* cannot be opened. MotherDuck asks for a
    login where somebody can answer, and else raises `SignInRequired`, which names the ways to give a token.
    """
    if not isinstance(query, str):
        message = f"sql() takes SQL as text, and got {type(query).__name__}."  # type: ignore[unreachable] # for who checks no types
        raise OptionError(message)
    if as_ not in get_args(Form):
        message = f"as_={as_!r}: the forms of a result are {', '.join(get_args(Form))}."
        raise OptionError(message)
    return _run(target, functools.partial(_value, query=query, form=as_, parameters=parameters), query)


def engine(target: str | None = None) -> sqlalchemy.Engine:
    """Return a SQLAlchemy `Engine` on *target*, by default on what the notebook has open.

    ::

        pd.read_sql("FROM flights", md_magic.engine())
        df.to_sql("copy", md_magic.engine("md:my_db"), index=False)
        with md_magic.engine().begin() as connection: ...

    It is on the same database as the cells: tables of `duckdb:///:memory:` are seen from both sides once they are
    committed. Each of its connections is another one than the cells': their temporary tables, settings and open
    transaction are not in it. Transactions are duckdb-engine's: begun by the first statement, ended by `commit` or
    `rollback`. Of other databases it is the engine that `create_engine` gives for the URL.

    *target* is a URI or an `@alias`; naming one does not change what is current for the cells. One target has one
    engine, which many threads may use at once. After `%mdsql --close` it raises `ConnectError`, and works again when
    the target is open again. No URL, `repr` or log of it holds a token or password.

    Raises `ConnectError` where *target* cannot be opened, `SignInRequired` where MotherDuck needs a token and nobody
    can sign in, and `TargetError` for a database that only one connection can see, such as `sqlite://`.
    """
    return _run(target, _engine)


def _value(session: Session, query: str, form: Form, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - in any form
    from md_magic.engine.results.spec import ResultSpec  # here, for `import md_magic.api` is to cost nothing

    outcome = None
    try:
        for outcome in session.run(query, parameters, spec=ResultSpec(form=form)):  # noqa: B007 - the last one counts
            pass
    except ParameterError as error:
        if not error.missing:
            raise
        raise _no_value(error, parameters) from None
    return outcome.value if outcome is not None else None


def _no_value(error: ParameterError, parameters: Mapping[str, Any]) -> ParameterError:
    """Return *error*, a parameter without a value, in the words of a function: there are no variables to define."""
    name = error.missing
    if name in {"target", "as_"}:
        message = f"The parameter :{name} cannot be given, for sql() has an argument of that name: call it otherwise."
    else:
        message = f"The parameter :{name} has no value. Give it by its name: sql(..., {name}=...)."
    other = ParameterError(message + did_you_mean(name, parameters, sign=":"))
    for note in getattr(error, "__notes__", []):
        other.add_note(note)
    return other


def _engine(session: Session) -> sqlalchemy.Engine:
    return session.pool.plain_engine(session.use().target)


class _Place(NamedTuple):
    """Where the functions run: in a shell with its magics, or in a process without one."""

    session: Session
    magics: MdsqlMagics | None

    def target(self, word: str | None) -> Target | None:
        """Return the target that *word* names; without a word the default one, unless another is current."""
        from md_magic.notebook import connecting

        if self.magics is not None and word is None:
            return connecting.target_of(self.magics, None)
        if self.magics is not None:
            connecting.read_aliases(self.magics)
        if word is None:
            return None if self.session.current else self.session.resolve(self.session.known.default)
        return self.session.resolve(word)

    def sign_in(self, target: Target | None, required: SignInRequired) -> None:
        """Have a person sign in to *target*, which is open then. Raises `SignInError` where nobody does."""
        from md_magic.notebook import connecting

        if self.magics is not None:
            connecting.sign_in(self.magics, target, required)
            return
        a_person = sys.stdin is not None and sys.stdin.isatty()
        with contextlib.ExitStack() as stack:
            if not sys.stdout.isatty():  # what a script prints may go into a file
                stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            connecting.sign_in_to(self.session, target, "terminal" if a_person else "batch", required)

    def limited(self) -> contextlib.AbstractContextManager[object]:
        """Limit the time of what runs within the block, where the setting `timeout` says so."""
        seconds = self.magics.timeout if self.magics is not None else None
        if not seconds:
            return contextlib.nullcontext()
        from md_magic.engine.cancellation import Execution, Limit

        limit = Limit(seconds, f"the setting MdsqlMagics.timeout = {seconds:g}")
        return self.session.one_cell(Execution(limit=limit))


def _run(word: str | None, act: Callable[[Session], T], query: str = "") -> T:
    """Return what *act* returns in the session, with the target that *word* names open; sign in where that is needed.

    Secrets in *word* and *query* leave the shell's history, as they may stand in the cell. Raises `MdMagicError`.
    """
    try:
        place = _place()
        if place.magics is not None:  # before the target is read: whatever becomes of the call
            from md_magic.auth.secret import secrets_typed

            place.magics.hide_secrets(secrets_typed(word or "", query), warn=False)
        session, target = place.session, place.target(word)
        with place.limited(), session.selection.aside(target) if word and target else contextlib.nullcontext():
            try:
                if target is not None and word is None:
                    session.use(target)
                return act(session)
            except SignInRequired as required:  # nothing has run
                place.sign_in(session.current or target, required)
                return act(session)
    except MdMagicError as error:
        raise without_tracebacks(error) from error.__cause__


def _place() -> _Place:
    """Return the shell's session, loading the extension where it is not, or that of the process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        with _lock:
            return _Place(_session_of_process(), None)
    registry = shell.magics_manager.registry
    if "MdsqlMagics" not in registry:
        shell.extension_manager.load_extension("md_magic")
    magics: MdsqlMagics = registry["MdsqlMagics"]
    return _Place(magics.session, magics)


@functools.cache
def _session_of_process() -> Session:
    """Return the one session of a process without IPython. It is made by the first call, and closed at the end."""
    from md_magic.session import project as projects
    from md_magic.session.session import Session

    session = Session(notify=functools.partial(print, file=sys.stderr))
    session.known.take(projects.nearest())
    atexit.register(session.close_all)
    return session
