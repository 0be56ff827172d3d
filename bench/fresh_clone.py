"""`fresh_clone`: from `git clone` to the first answer, as somebody new would do it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.row import Aim, Row, RowFailed, Say
from bench.samples import seconds
from landbridge.federation.process import ROOT

LONGEST: Final = 900.0
"""Seconds after which a step is given up."""

LAST_WORDS: Final = 20
"""Lines of its standard error that are shown of a step that failed."""

_KEPT: Final = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR")
"""Where the tools are and whom they trust. Nothing else of this environment gets through but the
settings of pip and of proxies, which say how to reach a package index at all."""


def measure(say: Say) -> Row:
    """Seconds for clone, `make demo` with its set-up, and the tour that it shows."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        place = Path(folder)
        ours, commit = from_clone(ROOT, place, say)
        say("installing the same lock alone")
        floor = _install(place / "clone" / "requirements.lock", place, say)
    return Row.of(
        "fresh_clone",
        [ours],
        [floor],
        better="lower",
        aim=Aim("value", 90),
        note=f"seconds; commit {commit}, clone, `make demo` with everything it installs, and the "
        "whole tour, so no sooner than its first answer; empty environment, cold package cache; "
        "floor: a new venv and `pip install` of the same lock alone, also with a cold cache",
    )


def from_clone(source: Path, place: Path, say: Say) -> tuple[float, str]:
    """Seconds until the demo of a clone of `source` had answered, and the commit's short hash."""
    environment = empty_environment(os.environ, place / "home")
    clone = place / "clone"
    output: list[str] = []

    def newcomer() -> None:
        _run([_tool("git"), "clone", "--quiet", str(source), str(clone)], place, environment, say)
        say("cloned; running make demo")
        make = [_tool("make"), "--silent", "demo", "ARGS=--once --json", f"PYTHON={_python()}"]
        output.append(_run(make, clone, environment, say))

    took = seconds(newcomer)
    check_answered(output[0])
    commit = _run([_tool("git"), "rev-parse", "--short", "HEAD"], clone, environment, say)
    return took, commit.strip()


def check_answered(output: str) -> None:
    """Raises RowFailed unless the output is one JSON document with an answer in it."""
    try:
        document = json.loads(output)
    except ValueError:
        raise RowFailed("`make demo` in a fresh clone did not print one JSON document.") from None
    if not isinstance(document, dict) or not document.get("answers"):
        raise RowFailed("`make demo` in a fresh clone printed a document without an answer.")


def empty_environment(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment of somebody who has just sat down: a new home, and no cache of packages."""
    kept = {
        name: value
        for name, value in outer.items()
        if name in _KEPT or name.startswith("PIP_") or name.lower().endswith("_proxy")
    }
    # A new home hides the person's own settings of pip; those say where packages come from.
    settings = Path(outer.get("HOME", "/")) / ".config" / "pip" / "pip.conf"
    if settings.exists():
        kept.setdefault("PIP_CONFIG_FILE", str(settings))
    home.mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PIP_CACHE_DIR": str(home / "packages"),
    }


def _install(lock: Path, place: Path, say: Say) -> float:
    """Seconds for a new venv with what the lock file names."""
    environment = empty_environment(os.environ, place / "other-home")
    venv = place / "venv"
    install = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)]

    def plainly() -> None:
        _run([_python(), "-m", "venv", str(venv)], place, environment, say)
        _run([str(venv / "bin" / "python"), *install], place, environment, say)

    return seconds(plainly)


def _python() -> str:
    """The interpreter behind this venv: a newcomer has no venv yet."""
    return str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RowFailed(f"fresh_clone needs {name}, which is not on the PATH.")
    return found


def _run(command: list[str], folder: Path, environment: Mapping[str, str], say: Say) -> str:
    """Its standard output; raises RowFailed after its last words, and leaves nothing running."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # a group of its own, so that what it starts can be ended with it
    )
    name = " ".join([Path(command[0]).name, *command[1:3]])
    try:
        output, errors = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise RowFailed(f"`{name}` took longer than {LONGEST:.0f} seconds.") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode != 0:
        for line in errors.splitlines()[-LAST_WORDS:]:
            say(line)
        raise RowFailed(f"`{name}` failed with exit status {process.returncode}.")
    return output
