"""A key that others can read is no secret any more: no server starts with one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.testing import federation
from tests.operating import town

pytestmark = pytest.mark.journey

KEYS = (
    ("gateway", "tls.key"), ("gateway", "signing.key"), ("gateway", "log.key"),
    ("gateway", "witness.key"), ("library", "tls.key"), ("library", "log.key"),
)  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folders of a town that ran and was ended in order."""
    folder = tmp_path_factory.mktemp("keys")
    with federation(town.write(folder / "town"), state=folder / "state"):
        pass
    return folder / "state"


@pytest.mark.parametrize(("server", "key"), KEYS)
def test_a_server_does_not_start_with_a_key_that_others_can_read(
    state: Path, server: str, key: str
) -> None:
    """One sentence names the file and what to do; the key itself is not in it."""
    path = state / server / key
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o640)
    module, settings = ("gateway",) * 2 if server == "gateway" else ("nodes", "node")
    try:
        ended = subprocess.run(
            [sys.executable, "-m", module, "serve", str(state / server / f"{settings}.toml")],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        path.chmod(0o600)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    sentence = ended.stderr.strip().splitlines()[-1]
    assert str(path) in sentence
    assert "chmod 600" in sentence
