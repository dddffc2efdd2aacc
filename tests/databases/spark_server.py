"""Apache Spark on loopback: a standalone cluster of a master and two workers, with its Thrift server.

It needs Java (Debian's `openjdk-17-jre-headless`) and Spark: `SPARK_HOME`, or the package `pyspark`, of 400 MB. It
takes 3 GB of memory and half a minute to start; nothing of it is left behind.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.databases.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_STARTING = 240
"""Seconds that the cluster gets to answer."""


def spark_home() -> Path | None:
    """Return the folder of Spark; `None` where there is none, or no Java."""
    if shutil.which("java") is None:
        return None
    if home := os.environ.get("SPARK_HOME"):
        return Path(home)
    found = importlib.util.find_spec("pyspark")
    return Path(found.origin).parent if found is not None and found.origin else None


@contextlib.contextmanager
def spark(folder: Path) -> Iterator[str]:
    """Run a cluster in *folder*; give its URI without the driver, `//user@host:port/database`."""
    home, port, master, address = spark_home(), free_port(), free_port(), "127.0.0.1"
    assert home is not None
    for name in ("work", "tmp", "warehouse"):
        (folder / name).mkdir()
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": address,
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_LOCAL_DIRS": str(folder / "tmp"),
    }
    script = str(home / "bin" / "spark-class")
    at = f"spark://{address}:{master}"
    master_words = ["org.apache.spark.deploy.master.Master", "--host", address, "--port", str(master)]
    worker_words = ["org.apache.spark.deploy.worker.Worker", at, "--host", address, "--cores", "1", "--memory", "768m"]
    settings = {
        "spark.driver.host": address,
        "spark.driver.bindAddress": address,
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.shuffle.partitions": "2",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
    }
    thrift_words = ["org.apache.spark.deploy.SparkSubmit", "--name", "thrift", "--master", at]
    thrift_words += ["--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"]
    thrift_words += ["--driver-memory", "1g", "--executor-memory", "640m"]
    thrift_words += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    thrift_words += ["spark-internal", "--hiveconf", f"hive.server2.thrift.bind.host={address}"]
    thrift_words += ["--hiveconf", f"hive.server2.thrift.port={port}"]
    with contextlib.ExitStack() as running:

        def start(name: str, words: Sequence[str], memory: str = "256m") -> subprocess.Popen[bytes]:
            settings = {**environment, "SPARK_DAEMON_MEMORY": memory}
            return running.enter_context(_running([script, *words], folder, name, settings))

        process = start("master", [*master_words, "--webui-port", str(free_port())])
        _wait_for(master, process, folder / "master.log")
        for number in ("1", "2"):
            work = str(folder / "work" / number)
            start(f"worker{number}", [*worker_words, "--webui-port", str(free_port()), "--work-dir", work])
        process = start("thrift", thrift_words, "1g")
        _wait_for(port, process, folder / "thrift.log")
        yield f"//someone@{address}:{port}/default"


@contextlib.contextmanager
def _running(
    command: Sequence[str], folder: Path, name: str, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command*, whose children end with it."""
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTING
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.5)
    raise RuntimeError(log.read_text(encoding="utf-8")[-3000:])
