"""SQLAlchemy engines whose URLs hold no secrets, and what to install or to write where a dialect is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from md_magic.errors import TargetError
from md_magic.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

    from md_magic.auth.secret import Secret
    from md_magic.sql.target import Target

logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())
"""Else Python prints the pool's errors about a connection that is gone, with a traceback, in the middle of a cell."""

_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "bigquery": "sqlalchemy-bigquery",
    "clickhouse": "clickhouse-sqlalchemy",
    "databricks": "databricks-sqlalchemy",
    "hive": "pyhive[hive-pure-sasl]",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "redshift": "sqlalchemy-redshift",
    "snowflake": "snowflake-sqlalchemy",
    "trino": "trino[sqlalchemy]",
}
"""The package to install for a dialect or a module, if it has another name."""

_DIALECTS = ("duckdb", "mariadb", "mssql", "mysql", "oracle", "postgresql", "sqlite")
"""Dialects that are always installed."""

_DRIVERS = {"mariadb": "mariadb+pymysql", "mysql": "mysql+pymysql", "postgresql": "postgresql+psycopg"}
"""The driver that is used here, where a dialect has several."""

_MISSPELT = {
    "maria": "mariadb",
    "mssqlserver": "mssql",
    "mysql2": "mysql",
    "oracledb": "oracle",
    "pgsql": "postgresql",
    "postgre": "postgresql",
    "postgres": "postgresql",
    "psql": "postgresql",
    "sqlite3": "sqlite",
    "sqlserver": "mssql",
}
"""Other programs' names of dialects, and SQLAlchemy's."""


def make_engine(
    target: Target,
    *,
    pool_class: type[sqlalchemy.Pool] | None,
    secrets: Callable[[], Mapping[str, Secret]],
    more: Mapping[str, object] | None = None,
) -> sqlalchemy.Engine:
    """Return an engine that connects to *target* with *secrets*, which are in no URL.

    Where *pool_class* is `None`, the dialect chooses how connections are pooled. *more* are arguments of the driver's
    `connect`, beside those of the URL.
    """
    url = target.sqlalchemy_url()
    dialect = url.get_backend_name()
    try:
        engine = sqlalchemy.create_engine(url, hide_parameters=True, poolclass=pool_class)
    except sqlalchemy.exc.NoSuchModuleError as error:
        message = f"No SQLAlchemy dialect {dialect!r} is installed. {_advice(dialect, url.drivername)}"
        if dialect in _DIALECTS:
            driver = url.drivername.partition("+")[2]
            message = f"SQLAlchemy knows no driver {driver!r} of {dialect}. Write {_DRIVERS.get(dialect, dialect)}://."
        raise TargetError(message) from error
    except ModuleNotFoundError as error:
        message = f"{target.name} needs the Python module {error.name!r}. {_install(error.name or dialect)}"
        raise TargetError(message) from error

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, _record: object, _args: object, _parameters: object) -> DBAPIConnection:
        url = target.sqlalchemy_url()
        given = {name: secret.reveal() for name, secret in secrets().items()}
        if "password" in given and "password" not in url.query:
            url = url.set(password=given.pop("password"))
        args, parameters = dialect.create_connect_args(url.update_query_dict(given))
        return dialect.connect(*args, **{**(more or {}), **parameters})

    return engine


def connected(engine: sqlalchemy.Engine) -> sqlalchemy.Connection:
    """Return a connection of *engine* that never goes back to its pool: what was set in it ends with it."""
    connection = engine.connect()
    if isinstance(engine.pool, QueuePool):  # others have one connection, which is the database in memory, or none
        connection.detach()
    return connection


def driver_of(connection: sqlalchemy.Connection) -> Any:  # noqa: ANN401 - any driver's connection
    """Return the driver's own connection behind *connection*, also of one that has left its pool."""
    pooled = connection.connection
    return pooled.driver_connection or pooled.dbapi_connection


def _advice(dialect: str, name: str) -> str:
    """Return what to write or install for *dialect*, which is not known; *name* has the driver as well."""
    if dialect in _MISSPELT:
        right = _MISSPELT[dialect] + name.removeprefix(dialect)
        return f"SQLAlchemy calls it {_MISSPELT[dialect]}: write {right}:{'///' if right == 'sqlite' else '//'}."
    if dialect in _PACKAGES:
        return _install(dialect)
    near = did_you_mean(dialect, (*_DIALECTS, *_PACKAGES))
    return f"{near.strip() or 'Is it spelt right?'} Else %pip install its package."


def _install(module: str) -> str:
    return f"Install it with `%pip install {_PACKAGES.get(module, module)}` and run the cell again."
