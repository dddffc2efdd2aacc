"""Python code of the same kernel that has a file open as well: `duckdb.connect`, `create_engine`, pandas, JupySQL.

DuckDB opens a file once in a process, and lets in only who asks with the configuration of the first. duckdb-engine
adds its name to it, as `custom_user_agent`; `duckdb.connect` adds nothing, nor do we. So a file that duckdb-engine has
open is joined under its name, and duckdb-engine joins a file of ours without it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb
import duckdb_engine
import sqlalchemy
from duckdb_engine import ConnectionWrapper
from duckdb_engine.config import apply_config, get_core_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DIFFERENT = "different configuration"
"""In DuckDB's message to who asks with another configuration than the first."""

ATTACHED = "Unique file handle conflict"
"""In DuckDB's message to who attaches a file that another connection of this process has."""

ATTACHED_HINT = (
    "This kernel has the file open already, and DuckDB opens it once: name it as the cell's target"
    " (`%%mdsql duckdb:///PATH`), or run on the connection or engine in your variable NAME with `--engine NAME`."
)

_AGENT = "custom_user_agent"

_AGENT_OF_ENGINE = f"duckdb_engine/{duckdb_engine.__version__}(sqlalchemy/{sqlalchemy.__version__})"
"""What duckdb-engine calls itself."""

_OURS = (
    "md_magic has this file open already, with other settings. `md_magic.engine()` gives an engine on it; or open it"
    " without settings, or close it in the cells: `%mdsql --close`."
)


def connect(database: str, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
    """Open *database* with *config*, or join those in this process who have it open with the same settings."""
    refused: duckdb.ConnectionException | None = None
    for ways in _ways(config):
        try:
            return duckdb.connect(database, **ways)
        except duckdb.ConnectionException as error:
            if DIFFERENT not in str(error):
                raise
            refused = refused or error
    assert refused is not None  # noqa: S101 - there is at least one way
    raise refused


def _ways(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the arguments that mean *config*: DuckDB tells apart what has the same effect."""
    agent = config.get(_AGENT)
    named = {**config, _AGENT: f"{_AGENT_OF_ENGINE} {agent}" if agent else _AGENT_OF_ENGINE}
    for settings in (dict(config), named):
        yield {"config": settings}
        if str(settings.get("access_mode")).lower() == "read_only":
            yield from ({"config": settings | {"access_mode": mode}} for mode in ("read_only", "READ_ONLY"))
            others = {name: value for name, value in settings.items() if name != "access_mode"}
            yield {"config": others, "read_only": True}


def welcome(file: str, own: type[duckdb_engine.Dialect]) -> Callable[[], None]:
    """Let duckdb-engine join *file*, which is open in dialect *own*, until the function that is returned is called."""

    def join(
        dialect: duckdb_engine.Dialect, _record: object, arguments: tuple[Any, ...], parameters: dict[str, Any]
    ) -> object:
        if isinstance(dialect, own) or not _is_file(file, *arguments, parameters.get("database")):
            return None  # SQLAlchemy goes on as it would have
        try:
            return dialect.connect(*arguments, **parameters)
        except duckdb.ConnectionException as error:
            if DIFFERENT not in str(error):
                raise
        return _nameless(dialect, file, parameters)

    sqlalchemy.event.listen(duckdb_engine.Dialect, "do_connect", join)
    return lambda: sqlalchemy.event.remove(duckdb_engine.Dialect, "do_connect", join)


def _nameless(dialect: duckdb_engine.Dialect, file: str, parameters: Mapping[str, Any]) -> ConnectionWrapper:
    """Connect as duckdb-engine does, without its name. Raises `duckdb.ConnectionException` with the ways that work."""
    others = dict(parameters)
    settings = {**others.pop("config", {}), **others.pop("url_config", {})}
    extensions, filesystems = others.pop("preload_extensions", ()), others.pop("register_filesystems", ())
    core = {name: settings.pop(name) for name in list(settings) if name in get_core_config()}
    try:
        native = duckdb.connect(**{**others, "database": file}, config=core)
    except duckdb.ConnectionException as error:
        message = f"{error}\n{_OURS}"
        raise duckdb.ConnectionException(message) from None
    for extension in extensions:
        native.load_extension(extension)
    for filesystem in filesystems:
        native.register_filesystem(filesystem)
    apply_config(dialect, native, settings)
    return ConnectionWrapper(native)


def _is_file(file: str, *paths: object) -> bool:
    """Whether one of *paths*, as somebody wrote it, is *file*."""
    written = [path for path in paths if isinstance(path, str) and path and not path.startswith(":")]
    return any(os.path.realpath(os.path.expanduser(path)) == os.path.realpath(file) for path in written)  # noqa: PTH111 - Path would need the home to exist
