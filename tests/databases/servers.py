"""Throw-away database servers on loopback, for as long as the tests run. Nothing of them is left behind.

Debian's packages: `postgresql`, `mariadb-server`. Neither server runs as root: as root, they get the user that their
package made.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSWORD = "p@ss:w/rd%1#?"  # noqa: S105 - of servers on loopback that live as long as the tests; odd on purpose
_STARTING = 60
"""Seconds that a server gets to answer."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def postgresql_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest; `None` where it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    return folders[-1] if folders else None


def has_mariadb() -> bool:
    """Whether MariaDB's server is installed."""
    return shutil.which("mariadbd") is not None and shutil.which("mariadb-install-db") is not None


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL in *folder*; give its URI without the driver, `//user:password@host:port/database`."""
    binaries, port, data = postgresql_binaries(), free_port(), folder / "data"
    assert binaries is not None
    password = folder / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    as_user = _as_user("postgres", folder, password)
    initdb = ["initdb", "-D", str(data), "-U", "admin", f"--pwfile={password}", "--auth=scram-sha-256"]
    _run([*as_user, str(binaries / initdb[0]), *initdb[1:], "-E", "UTF8", "--locale=C.UTF-8"], folder)
    options = (
        f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        " -c shared_buffers=64MB -c max_connections=60"
    )
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", str(_STARTING), "-m", "fast"]
    _run([*control, "-l", str(folder / "log"), "-o", options, "start"], folder)
    try:
        yield f"//admin:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "stop"], folder)


def restart_postgresql(folder: Path) -> None:
    """Restart the server in *folder* as an administrator does, which ends all sessions."""
    binaries = postgresql_binaries()
    assert binaries is not None
    as_user = _as_user("postgres")
    _run([*as_user, str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-w", "-m", "fast", "restart"], folder)


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run a MariaDB in *folder*; give its URI without the driver."""
    port, socket_path = free_port(), folder / "s"
    as_root = os.geteuid() == 0
    _as_user("mysql", folder)
    user = ["--user=mysql"] if as_root else []
    data = f"--datadir={folder / 'data'}"
    install = ["mariadb-install-db", "--no-defaults", *user, data, "--auth-root-authentication-method=normal"]
    _run([*install, "--skip-test-db"], folder)
    command = ["mariadbd", "--no-defaults", *user, data, f"--port={port}", "--bind-address=127.0.0.1"]
    command += [f"--socket={socket_path}", f"--pid-file={folder / 'pid'}"]
    command += ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=0"]
    command += ["--innodb-flush-method=nosync", "--sync-frm=OFF"]  # a table is made in half the time
    client = ["--no-defaults", "-S", str(socket_path), "-uroot"]
    with (
        (folder / "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            _wait_for(["mariadb-admin", *client, "ping"], folder)
            sql = (
                "CREATE DATABASE lab CHARACTER SET utf8mb4;"
                f" CREATE USER 'admin'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO 'admin'@'127.0.0.1'"
            )
            _run(["mariadb", *client, "-e", sql], folder)
            yield f"//admin:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/lab"
        finally:
            server.terminate()


def _as_user(name: str, *paths: Path) -> list[str]:
    """Give *paths* to the user *name* where this is root; return the words that run a command as that user."""
    if os.geteuid() != 0:
        return []
    for path in paths:
        shutil.chown(path, user=name)
    return ["runuser", "-u", name, "--"]


def _wait_for(command: Sequence[str], folder: Path) -> None:
    deadline = time.monotonic() + _STARTING
    while subprocess.run(command, cwd="/", capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError((folder / "log").read_text(encoding="utf-8"))
        time.sleep(0.2)


def _run(command: Sequence[str], folder: Path) -> None:
    """Run *command*, whose error is that of the test; its output goes to a file, which a server may keep open."""
    with (folder / "output").open("a", encoding="utf-8") as output:
        done = subprocess.run(command, cwd="/", stdout=output, stderr=output, check=False)
    if done.returncode:
        raise RuntimeError((folder / "output").read_text(encoding="utf-8"))
