"""Commands: the options that stand alone on the line, such as `%mdsql --tables`, with one function each; `--help`."""

from __future__ import annotations

import functools
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from md_magic import options
from md_magic.auth import credentials
from md_magic.display import host
from md_magic.errors import OptionError
from md_magic.notebook import connecting, first_contact
from md_magic.option_examples import EXAMPLES
from md_magic.wording import count, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from md_magic.notebook.cell import Cell
    from md_magic.option import Option
    from md_magic.session.diff.value import Diff
    from md_magic.session.platform import Repair


class Command(NamedTuple):
    """One command."""

    act: Callable[[Cell], Any]
    """Runs the command and returns the value of the line."""

    on_target: bool = False
    """Whether the target is opened first."""

    lists: bool = False
    """Whether it asks the target for rows, which takes its time: it ends with a status, as a cell does."""


def run(cell: Cell) -> Any:  # noqa: ANN401 - mostly a frame
    """Run the command of the line, and return its value."""
    command = COMMANDS[cell.request.action]
    if command.on_target:
        connecting.open_target(cell.magics, cell.request, cell.variables)
    return cell.timed(command.act) if command.lists else command.act(cell)


def _connections(cell: Cell) -> Any:  # noqa: ANN401 - a frame
    connecting.read_aliases(cell.magics)
    return cell.session.connections()


def _close(cell: Cell) -> None:
    connecting.read_aliases(cell.magics)
    session, word = cell.session, cell.request.argument
    target = session.resolve(word, cell.variables) if word else session.current
    if target is not None:
        print(f"{target.name} {'closed' if session.close(target) else 'was not open'}")
    elif names := [database.target.name for database in session.pool]:
        print(f"No connection is current; open: {', '.join(names)}. --close TARGET closes one, --close-all all.")
    else:
        print("Nothing is open.")


def _close_all(cell: Cell) -> None:
    print(f"{count(cell.session.close_all(), 'connection')} closed")


def _browse(cell: Cell) -> None:
    from md_magic.display import catalog_tree  # only a tree needs it

    tree = catalog_tree.browse(host.host(cell.magics.shell), cell.session.catalog_tree())
    if tree is not None:
        cell.keeper()(tree, hold=True)


def _login(cell: Cell) -> None:
    connecting.read_aliases(cell.magics)
    target = cell.session.resolve(cell.request.argument or cell.request.target or "md:", cell.variables)
    if not cell.session.needs_token(target):
        message = f"--login signs in to MotherDuck, and {target.name} is somewhere else. Write --login md:my_db."
        raise OptionError(message)
    connecting.sign_in(cell.magics, target)
    cell.session.prefer_signed_in()


def _logout(cell: Cell) -> None:
    closed, remaining = cell.session.sign_out()
    print(f"Signed out of MotherDuck; {', '.join(closed) or 'nothing'} was closed.")
    if remaining is not None:
        print(
            f"A token is still found in: {remaining.source}. It is not ours to remove, and the next md: target uses it."
        )


def _whoami(cell: Cell) -> Any:  # noqa: ANN401 - a frame
    frame = cell.session.whoami()
    if not frame.empty:
        return frame
    print(f"Nobody is signed in to MotherDuck. `%mdsql --login` signs in here; or {credentials.WAYS}.")
    return None


def _running(cell: Cell) -> Any:  # noqa: ANN401 - a frame
    frame = cell.session.platform.running()
    if frame is None:
        print("MotherDuck does not tell this account what runs.")
    return frame


def _fix(cell: Cell) -> Repair | None:
    """Show what MotherDuck's model makes of the query that failed last; elsewhere, that with the only names near.

    The first time that a model would be asked, show what that sends and costs.
    """
    platform = cell.session.platform
    mend = functools.partial(cell.session.checks.mended, variables=cell.variables)
    if (by_names := platform.repair_by_names(mend)) is not None:
        return by_names
    platform.check_repairs()
    if host.host(cell.magics.shell) == "batch":
        message = (
            "--fix sends SQL to a model, which is billed, and needs a person who agrees: there is none here."
            " Nothing was sent."
        )
        raise OptionError(message)
    if (consent := platform.ask_consent()) is not None:
        print(consent)
        return None
    repair = platform.repair()
    if repair is None:
        print("MotherDuck does not let this account use its model. Nothing was changed, and nothing was run.")
    return repair


def _diff(cell: Cell) -> Diff:
    """Compare the two words of the line."""
    from md_magic.session.diff.run import diff  # only a comparison needs it

    request, here, there = cell.request, cell.request.argument or "", cell.request.other or ""
    names = ",".join(f'"{name}"' if "," in name else name for name in request.on)
    line = f"%mdsql --diff {here} {there}" + (f" --on {names}" if names else "")
    connecting.read_aliases(cell.magics)
    with cell.watched(), cell.session.history.as_one(line, cell.session.use().execution):
        return diff(
            cell.session,
            here,
            there,
            {**cell.variables, **cell.parameters},
            on=request.on,
            opened=lambda target: connecting.open_aside(cell.magics, target),
        )


def _write(cell: Cell) -> None:
    """Write a variable's table to a table of the target."""
    name, table = cell.request.frame or "", cell.request.argument or ""
    value = connecting.python_value("--frame", name, cell.variables)
    with cell.watched():
        rows = cell.session.write(table, name, value, how=cell.request.how)
    if not cell.request.quiet:
        note = "; the index was not written, reset_index() makes a column of it" if _has_index(value) else ""
        print(f"{count(rows, 'row')} written to {table}{note}")


def _has_index(value: object) -> bool:
    """Whether *value* is a pandas frame with a meaningful index."""
    index = getattr(value, "index", None)
    return index is not None and type(index).__name__ != "RangeIndex" and hasattr(value, "reset_index")


COMMANDS: dict[str, Command] = {
    "connections": Command(_connections),
    "close": Command(_close),
    "close_all": Command(_close_all),
    "databases": Command(lambda cell: cell.session.databases(), on_target=True, lists=True),
    "tables": Command(lambda cell: cell.session.tables(cell.request.argument), on_target=True, lists=True),
    "describe": Command(lambda cell: cell.session.describe(cell.request.argument or ""), on_target=True, lists=True),
    "browse": Command(_browse, on_target=True),
    "login": Command(_login),
    "logout": Command(_logout),
    "whoami": Command(_whoami),
    "running": Command(_running, on_target=True),
    "stop": Command(lambda cell: print(cell.session.platform.stop(cell.request.argument or "")), on_target=True),
    "fix": Command(_fix),
    "to": Command(_write, on_target=True),
    "diff": Command(_diff, on_target=True),
    "jobs": Command(lambda cell: cell.session.jobs()),
    "history": Command(lambda cell: cell.session.history.frame(cell.request.argument)),
    "forget": Command(lambda cell: cell.session.forget(cell.request.argument or "")),
    "tour": Command(lambda _: first_contact.put_tour_beside()),
    "version": Command(lambda cell: print(first_contact.versions(cell.magics))),
    "help": Command(lambda cell: print(help_of(cell.request.argument) if cell.request.argument else help_text())),
}
"""The commands, by `Request.action`."""


# ---- help -----------------------------------------------------------------------------------------------------------

_INDENT, _WIDTH = 24, 80
_USAGE = "%%mdsql [TARGET] [options]   with SQL below, or   %%mdsql [options] [TARGET] [SQL]"
_EPILOG = """\
TARGET is md:my_db, duckdb:///file.duckdb, duckdb:///:memory: (the default), any SQLAlchemy URL, @alias, or $NAME of a
variable. Naming one makes it current. In SQL, :name binds the Python variable of that name and FROM name reads a
DataFrame variable, where the database has no such table. `%config MdsqlMagics` shows the settings, and
`%mdsql --help OPTION` an example. `%mdsql --tour` puts a notebook with all of this beside yours.
"""


def help_text() -> str:
    """Return what `%mdsql --help` prints: the table of options."""
    parts = [f"usage: {_USAGE}", ""]
    for heading, rows in options.TABLE.items():
        parts += [f"{heading}:", *map(_help, rows), ""]
    return "\n".join([*parts, _EPILOG])


def help_of(word: str) -> str:
    """Return what `%mdsql --help OPTION` prints: what the option does, and an example. Raises `OptionError`."""
    flag = word if word in options.BY_FLAG else f"--{word.lstrip('-').replace('_', '-')}"
    if flag not in options.BY_FLAG:
        near = did_you_mean(flag, options.BY_FLAG)
        message = f"--help {word}: there is no option {flag}.{near} `%mdsql --help` lists the options."
        raise OptionError(message)
    option = options.BY_FLAG[flag]
    lines = [_help(option)]
    if option.choices:
        lines.append(f"{' ' * _INDENT}one of: {', '.join(option.choices)}")
    return "\n".join([*lines, "", *(f"    {line}" for line in EXAMPLES[option.flag].split("\n"))])


def _help(option: Option) -> str:
    flags = f"  {option.spelling}"
    lines = textwrap.wrap(option.help, _WIDTH - _INDENT)
    first = [f"{flags.ljust(_INDENT)}{lines.pop(0)}"] if len(flags) < _INDENT - 1 else [flags]
    return f"\n{' ' * _INDENT}".join([*first, *lines])
