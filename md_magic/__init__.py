"""SQL for Jupyter on DuckDB and MotherDuck: `%load_ext md_magic`, then `%%mdsql`.

For other Python code, in IPython or not: `md_magic.sql("SELECT 42")` gives what a cell gives, and `md_magic.engine()`
a SQLAlchemy engine on what is open.

Importing this package imports none of pandas, SQLAlchemy, duckdb, pyarrow and ipywidgets (400 ms together): they
come with the first cell that needs them.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy
    from IPython.core.interactiveshell import InteractiveShell

    from md_magic.api import engine, sql
    from md_magic.sql.statement import Form
else:
    from md_magic import engine, sql  # packages, which can be called: see below

__all__ = ["engine", "load_ipython_extension", "sql", "unload_ipython_extension"]
__version__ = "0.1.0"


class _CallableSql(ModuleType):
    """The package `md_magic.sql`; calling it is `md_magic.api.sql`."""

    def __call__(self, query: str, /, *, target: str | None = None, as_: Form = "pandas", **parameters: Any) -> Any:  # noqa: ANN401
        """Run *query* and return its result as a DataFrame; `help(md_magic.api.sql)` tells of the arguments."""
        from md_magic import api

        return api.sql(query, target=target, as_=as_, **parameters)


class _CallableEngine(ModuleType):
    """The package `md_magic.engine`; calling it is `md_magic.api.engine`."""

    def __call__(self, target: str | None = None) -> sqlalchemy.Engine:
        """Return a SQLAlchemy engine on what is open, or on *target*; `help(md_magic.api.engine)` tells more."""
        from md_magic import api

        return api.engine(target)


if not TYPE_CHECKING:
    # A package and a function of one name: importing `md_magic.sql.target` would put the package in the function's
    # place, so that the package itself is what is called.
    sql.__class__, engine.__class__ = _CallableSql, _CallableEngine


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%%mdsql` and `%mdsql` with *shell*; IPython calls this for `%load_ext md_magic`."""
    from md_magic.notebook import magics  # not at import: IPython.core.magic is not needed by `import md_magic`

    magics.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Close every connection and leave *shell* as it was found; IPython calls this for `%unload_ext md_magic`."""
    from md_magic.notebook import magics

    magics.unload(shell)
