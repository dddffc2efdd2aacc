"""What an unknown name may mean on a database that does not say so itself: a near name, or a Python table.

DuckDB suggests names in its own message. Another database's catalog is asked once, after the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from md_magic.catalog import introspect
from md_magic.engine import variables as namespace
from md_magic.errors import MdMagicError
from md_magic.sql.statement import Statement
from md_magic.wording import near_names, near_tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from md_magic.engine.backends.faults import UnknownName
    from md_magic.engine.database import Database

_MOST = 3
"""Names in a hint."""


def hint(
    database: Database, statement: Statement, error: MdMagicError, variables: Mapping[str, Any], saved: Iterable[str]
) -> str:
    """Return what the name may mean that *error*, of *statement*, calls unknown; empty where nothing is near.

    *variables* are the notebook's, *saved* the names of its saved queries.
    """
    unknown = database.backend.unknown_name(str(error))
    if unknown is None or unknown.name.casefold() not in statement.text.casefold():  # the name is a view's, say
        return ""
    if unknown.kind == "table" and unknown.name in namespace.names(variables):
        return (
            f"{unknown.name} is a Python table, and cells on {database.target.name} do not see those. Write it there:"
            f" %mdsql --to {unknown.name} --frame {unknown.name}"
        )
    if database.backend.suggests(str(error)):
        return ""
    near = _near(database, statement, unknown, saved)
    return f"Did you mean {', '.join(map(database.backend.syntax.quoting.where_needed, near))}?" if near else ""


def mended(database: Database, sql: str, error: str, saved: Iterable[str]) -> str | None:
    """Return *sql*, which failed with *error*, with the one name that is near; `None` where there is not just one."""
    unknown = database.backend.unknown_name(error)
    near = _near(database, Statement(sql, ""), unknown, saved) if unknown is not None else []
    if unknown is None or len(near) != 1:
        return None
    right = database.backend.syntax.quoting.where_needed(near[0])
    text = sql
    for token in reversed(database.backend.syntax.tokens(sql)):
        if token.name is not None and token.name.casefold() == unknown.name.casefold():
            text = text[: token.start] + right + text[token.end :]
    return text if text != sql else None


def _near(database: Database, statement: Statement, unknown: UnknownName, saved: Iterable[str]) -> list[str]:
    try:
        with introspect.on_notebook(database) as introspection:
            tables = [row for row in introspection.listed_tables() if not row.internal]
            if unknown.kind == "table":
                return near_tables(unknown.name, [*(row.name for row in tables), *saved], most=_MOST)
            named = database.backend.syntax.tables_named(statement, [row.name.lower() for row in tables])
            columns = [
                column.name
                for row in tables
                if row.name.lower() in named
                for column in introspection.columns(row.database, row.schema, row.name)
            ]
    except MdMagicError:  # a transaction that has failed answers nothing
        return []
    return near_names(unknown.name, columns, most=_MOST)
