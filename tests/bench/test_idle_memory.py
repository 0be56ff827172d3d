"""Whose memory is counted."""

from __future__ import annotations

import subprocess
import sys

from bench.idle_memory import held

CHILD = """
held = b"x" * 50_000_000
print(input(), flush=True)
input()
"""

PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print(child.pid, flush=True)
child.wait()
"""


def test_memory_of_descendants_is_counted() -> None:
    """A node's workers hold most of what a node holds."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.stdin.write("ready\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "ready\n"  # by now it holds what it will
        together, alone = held(parent.pid), held(child)
        parent.stdin.write("end\n")
    # The child alone holds far more than its parent does.
    assert 50 < alone.mapped < together.mapped
    assert 50 < alone.shared_out < together.shared_out
    assert together.shared_out <= together.mapped
