"""Code of a handler, in its worker: it computes, and it can do nothing else to this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from landbridge.errors import LandbridgeError
from nodes.engines.duckdb import Limits
from nodes.engines.engine import EngineNotStarted
from nodes.handlers.functions import Found, Functions
from nodes.handlers.pool import FunctionPool
from nodes.store import Store
from policies.handler import Handler, HandlerInvalid
from policies.handler_source import read

TEXT = """
import typing
from nodes.handlers import Verdict, View, failed, handler, passed

kept: list[int] = []
{top}

@handler(
    version=1, description="d", contract="people", subject="person_id", reasons=["R"],
    absent="R", level="internal", purposes=["p"], subjects_per_day=5,
    passes={{"said": {{"type": "string", "to": ["b"]}}}},
)
def asked(view: View, person_id: int) -> Verdict:
{body}
"""
LIMITS = Limits(memory_bytes=256 << 20, cpu_seconds=2)


@contextmanager
def functions(body: str, top: str = "") -> Iterator[Functions]:
    """The pool of one function with that body."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    handler = read(TEXT.format(top=top, body=lines), "asked.py")
    with closing(Functions({}, LIMITS, {"asked": handler})) as pool:
        yield pool


def call(pool: Functions, person: int = 7, timeout: float = 5.0) -> Found | str:
    """What it gave back, or the reason why it gave nothing."""
    try:
        return pool.call("asked", {"person_id": person}, timeout=timeout)
    except LandbridgeError as failed:
        return failed.reason


def test_a_function_reads_through_its_view() -> None:
    """Parameters are bound; what it hands over is beside its reply."""
    with functions(
        """
row = view.one("SELECT ? + 1", person_id)
view.hand_over(said=str(row[0]))
return passed() if row == (8,) else failed("R")
"""
    ) as pool:
        assert call(pool) == Found((True, ""), {"said": "8"})
        assert call(pool, 9) == Found((False, "R"), {"said": "10"})


ESCAPES = """
os = typing.sys.modules["os"]
ctypes = typing.sys.modules.get("ctypes")
tried = []
for name, attempt in (
    ("read", lambda: os.open("/etc/passwd", os.O_RDONLY)),
    ("write", lambda: os.open("/tmp/landbridge-escaped", os.O_WRONLY | os.O_CREAT)),
    ("socket", lambda: __import__("_socket").socket()),
    ("pipe", os.pipe),
    ("fork", os.fork),
    ("exec", lambda: os.execv("/bin/true", ["true"])),
    ("kill", lambda: os.kill(os.getppid(), 0)),
    ("unlink", lambda: os.unlink("/tmp/landbridge-escaped")),
    ("list", lambda: os.listdir("/")),
    ("sql", lambda: view.all("SELECT * FROM read_text('/etc/passwd')")),
    ("attach", lambda: view.all("ATTACH '/tmp/x.db'")),
    ("write_sql", lambda: view.all("CREATE TABLE x AS SELECT 1")),
    ("unlimit", lambda: typing.sys.modules["resource"].setrlimit(7, (99, 99))
        or os.open("/etc/passwd", os.O_RDONLY)),
):
    try:
        attempt()
        tried.append(name)
    except Exception:
        pass
view.hand_over(said=" ".join(tried) or "nothing")
return passed()
"""


def test_nothing_that_it_tries_gets_out() -> None:
    """No file, socket, process, signal, nor anything of the engine's; and the node is alive."""
    with functions(ESCAPES) as pool:
        assert call(pool) == Found((True, ""), {"said": "nothing"})
    assert not Path("/tmp/landbridge-escaped").exists()  # noqa: S108 - where it would lie


def test_the_same_attempts_get_out_without_the_sandbox() -> None:
    """The positive control: in this process they would."""
    descriptor = os.open("/etc/passwd", os.O_RDONLY)
    os.close(descriptor)
    assert any(Path("/").iterdir())
    os.kill(os.getppid(), 0)


def test_a_call_remembers_nothing_of_the_one_before() -> None:
    """The next subject is somebody else."""
    body = "kept.append(person_id)\nview.hand_over(said=str(kept))\nreturn passed()"
    with functions(body) as pool:
        said = [call(pool, person) for person in (1, 2)]
    assert said == [Found((True, ""), {"said": "[1]"}), Found((True, ""), {"said": "[2]"})]


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ("while True: pass", {"DEADLINE"}),
        ("x = 'a' * (1 << 30)\nreturn passed()", {"RUN_FAILED"}),
        ("raise ValueError(person_id)", {"RUN_FAILED"}),
        ("return [person_id]", {"RUN_FAILED"}),
        ("typing.sys.exit(3)", {"RUN_FAILED"}),
        ("typing.sys.modules['os']._exit(0)", {"RUN_FAILED"}),
    ],
    ids=["endless", "memory", "raises", "a list", "exit", "_exit"],
)
def test_a_function_that_runs_wild_ends_alone(body: str, reasons: set[str]) -> None:
    """Always the one sentence; and the next caller has a worker again."""
    with functions(f"if person_id == 7:\n    {body.replace(chr(10), chr(10) + '    ')}\n"
                   "return passed()") as pool:  # fmt: skip
        assert call(pool, timeout=1.0) in reasons
        assert call(pool, 8, timeout=10.0) == Found((True, ""), {})


def test_a_text_that_does_not_run_does_not_start() -> None:
    """Nor does one whose top level wants a file: it runs after the worker shut itself in."""
    for top in ("open('/etc/passwd')", "1 / 0"):
        with pytest.raises(EngineNotStarted) as stopped, functions("return passed()", top):
            pass
        assert "asked" in str(stopped.value)


def test_a_changed_function_counts_only_when_it_runs(tmp_path: Path) -> None:
    """A reloaded policy has its own function, or the earlier one goes on."""

    def declared(body: str) -> Handler:
        return read(TEXT.format(top="", body=f"    {body}"), "asked.py")

    with closing(FunctionPool(Store(tmp_path), LIMITS)) as pool:
        one, two = declared("return passed()"), declared("return failed('R')")
        pool.prepare((), {"asked": one})
        pool.serve()
        with pytest.raises(HandlerInvalid):
            pool.prepare((), {"asked": read(TEXT.format(top="1 / 0", body="    pass"), "a.py")})
        with pool.open(one) as (functions, _):
            assert functions.call("asked", {"person_id": 1}, timeout=5).values == (True, "")
            pool.prepare((), {"asked": two})
            pool.serve()  # the call that is under way goes on with what it began with
            assert functions.call("asked", {"person_id": 1}, timeout=5).values == (True, "")
        with pytest.raises(LandbridgeError), pool.open(one):
            pass
        with pool.open(two) as (functions, _):
            assert functions.call("asked", {"person_id": 1}, timeout=5).values == (False, "R")
