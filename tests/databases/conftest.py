"""Real servers, one of each for a run of the tests. They are skipped by name where they are not installed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.databases import servers, spark_server
from tests.shell.conftest import Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIRED = bool(os.environ.get("MD_MAGIC_REQUIRE_SERVERS"))
"""Whether a missing server fails the tests, as in the gate, instead of skipping them."""


def _missing(name: str, package: str) -> None:
    message = f"{name} is not installed: apt-get install {package}"
    if REQUIRED:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session", autouse=True)
def _no_certificates() -> Iterator[None]:
    """Keep PyMySQL from reading the system's certificates for each connection, which takes longer than a query."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.devnull)
        patch.setenv("SSL_CERT_DIR", os.devnull)
        yield


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Give a folder outside of pytest's, which each run of pytest closes to other users, those of the servers too."""
    with tempfile.TemporaryDirectory(prefix="md_magic-server-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    if servers.postgresql_binaries() is None:
        _missing("PostgreSQL", "postgresql")
    with folder() as path, servers.postgresql(path) as place:
        yield place


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[str]:
    if not servers.has_mariadb():
        _missing("MariaDB", "mariadb-server")
    with folder() as path, servers.mariadb(path) as place:
        yield place


@pytest.fixture(scope="session")
def spark_uri() -> Iterator[str]:
    if spark_server.spark_home() is None:
        _missing("Spark", "openjdk-17-jre-headless, and pip install pyspark, or say where it is: SPARK_HOME")
    with folder() as path, spark_server.spark(path) as place:
        yield f"hive:{place}"


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def database(request: pytest.FixtureRequest) -> str:
    """Return the URI of an empty database of each kind; a SQLite file is in the test's folder."""
    if request.param == "sqlite":
        return "sqlite:///lab.db"
    return request.getfixturevalue(f"{request.param}_uri")


@pytest.fixture
def postgresql_uri(postgresql_server: str) -> str:
    uri = f"postgresql+psycopg:{postgresql_server}"
    _empty(uri, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return uri


@pytest.fixture
def mariadb_uri(mariadb_server: str) -> str:
    uri = f"mysql+pymysql:{mariadb_server}"
    for statement in ("DROP DATABASE lab", "CREATE DATABASE lab CHARACTER SET utf8mb4"):
        _empty(uri, statement)
    return uri


def _empty(uri: str, sql: str) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri.replace("/lab", "/mysql") if "pymysql" in uri else uri)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(sql)
    engine.dispose()


@pytest.fixture
def cells(ip, database: str) -> Iterator[Callable[..., object]]:
    """Return a function that runs one cell on the database."""
    ip.run_line_magic("load_ext", "md_magic")
    shell = Shell(ip)
    shell.cell(f"%mdsql {database}")
    return shell


def memory_of(run: Callable[[], object]) -> tuple[object, float]:
    """Return what *run* returns, and by how many MB its process has grown meanwhile, at most."""
    import gc
    import threading

    page = os.sysconf("SC_PAGESIZE") / 2**20

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * page

    gc.collect()
    before, most, ended = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            most[0] = max(most[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        value = run()
    finally:
        ended.set()
        watcher.join()
    return value, max(0.0, most[0] - before)
