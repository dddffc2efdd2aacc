"""SQL for Jupyter on DuckDB and MotherDuck: `%load_ext md_magic`, then `%%mdsql`.

Importing this package imports none of pandas, SQLAlchemy, duckdb, pyarrow and ipywidgets (400 ms together): they
come with the first cell that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register `%%mdsql` and `%mdsql` with *shell*; IPython calls this for `%load_ext md_magic`."""
    from md_magic import magic  # not at import: IPython.core.magic is not needed by `import md_magic`

    magic.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Close every connection and leave *shell* as it was found; IPython calls this for `%unload_ext md_magic`."""
    from md_magic import magic

    magic.unload(shell)
