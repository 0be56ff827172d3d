"""A standalone Spark cluster for tests: master, two workers and Spark Connect, on loopback.

Its programs are those of Apache Spark's own package, which `make spark` fetches into build/spark;
the client that is tested comes with the project. Java 17 or newer runs them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.ports import free_port

FETCHED = Path(__file__).parents[1] / "build" / "spark"
_OPEN = (
    "java.base/java.lang", "java.base/java.lang.invoke", "java.base/java.lang.reflect",
    "java.base/java.io", "java.base/java.net", "java.base/java.nio", "java.base/java.util",
    "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref", "java.base/sun.nio.ch", "java.base/sun.nio.cs",
    "java.base/sun.security.action", "java.base/sun.util.calendar",
)  # fmt: skip
# A short life on few cores: compiling well, collecting in parallel and looking at every class of
# Spark's own would not pay.
_SHORT = (
    "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote", "-XX:CICompilerCount=1",
)  # fmt: skip
SECONDS = 300.0


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs: where its Connect server is, what opens it, and its process."""

    remote: str
    token: str
    folder: Path
    pid: int


def missing() -> str:
    """Why there can be no cluster on this machine; empty where there can."""
    if shutil.which("java") is None:
        return "there is no Java on this machine; Spark needs 17 or newer"
    if not list(FETCHED.glob("*/deps")):
        return "Spark's programs are not there; `make spark` fetches them"
    return ""


@contextmanager
def serving() -> Iterator[Cluster]:
    """A cluster of our own; skips the test, with the reason, where there are no programs for it."""
    if why := missing():
        pytest.skip(why)
    java = shutil.which("java")
    assert java is not None
    (home, *_) = FETCHED.glob("*/deps")
    with TemporaryDirectory(prefix="landbridge-spark-", ignore_cleanup_errors=True) as folder:
        yield from _serving(java, home, Path(folder))


def _serving(java: str, home: Path, folder: Path) -> Iterator[Cluster]:
    master, door = free_port(), free_port()
    token = secrets.token_hex(16)
    opened = [f"--add-opens={each}=ALL-UNNAMED" for each in _OPEN]
    more = ["--add-modules=jdk.incubator.vector", "-XX:+IgnoreUnrecognizedVMOptions", *opened]
    environment = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_CONNECT_AUTHENTICATE_TOKEN": token,
        "SPARK_SCALA_VERSION": "2.13",
    }

    def start(name: str, options: Sequence[str], program: Sequence[str]) -> int:
        (folder / name).mkdir()
        with (folder / name / "log").open("wb") as log:
            process = subprocess.Popen(
                [java, *_SHORT, *more, *options, "-cp", f"{home}/jars/*", *program],
                stdout=log, stderr=log, cwd=folder / name, env=environment,
            )  # fmt: skip
        ends.callback(process.wait)
        ends.callback(process.kill)
        started.append(process)
        return process.pid

    started: list[subprocess.Popen[bytes]] = []

    with ExitStack() as ends:
        start(
            "master", ["-Xmx256m"],
            ["org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(master),
             "--webui-port", "0"],
        )  # fmt: skip
        # Whoever looks for it before it is there looks again only after many seconds.
        _await(master, folder, started)
        address = f"spark://127.0.0.1:{master}"
        for name in ("one", "two"):
            start(
                name, ["-Xmx256m"],
                ["org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port",
                 "0", "-c", "1", "-m", "600m", "-d", str(folder / name), address],
            )  # fmt: skip
        connect = start("connect", ["-Xmx700m", *_settings(address, door, folder)], [_CONNECT])
        _await(door, folder, started)
        yield Cluster(f"sc://localhost:{door}/", token, folder, connect)


_CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"


def _settings(master: str, door: int, folder: Path) -> list[str]:
    settings: Mapping[str, object] = {
        "master": master,
        "app.name": "tests",
        "connect.grpc.binding.address": "127.0.0.1",
        "connect.grpc.binding.port": door,
        "driver.host": "127.0.0.1",
        "driver.bindAddress": "127.0.0.1",
        "executor.memory": "500m",
        "executor.extraJavaOptions": " ".join(_SHORT[:-1]),
        "local.dir": folder / "connect",
        "ui.enabled": "false",
        # A few rows: more parts would only be more tasks.
        "sql.shuffle.partitions": 2,
        "sql.adaptive.enabled": "true",
        "sql.warehouse.dir": folder / "warehouse",
    }
    return [f"-Dspark.{name}={value}" for name, value in settings.items()]


def _await(port: int, folder: Path, started: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and all(each.poll() is None for each in started):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    said = "\n".join(path.read_text()[-2000:] for path in folder.glob("*/log"))
    raise AssertionError(f"the cluster did not start: {said}")
