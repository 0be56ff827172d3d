"""A key that others can read is no secret any more: no server starts with one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.cli import app
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
        sentence = _refused(module, state / server / f"{settings}.toml")
    finally:
        path.chmod(0o600)
    assert str(path) in sentence
    assert "chmod 600" in sentence


@pytest.mark.parametrize("open_to_others", ["tls.key", "desk.secret", ""])
def test_a_desk_does_not_start_with_a_key_or_a_secret_that_others_can_read(
    tmp_path: Path, open_to_others: str
) -> None:
    """Where neither is, it is the next thing that is missing here which keeps it from starting."""
    assert app.run(["init", "desk", str(tmp_path / "desk")]) == 0
    settings, state = tmp_path / "desk" / "desk.toml", tmp_path / "desk" / "state"
    state.mkdir(exist_ok=True)
    text = settings.read_text()
    lines = [
        'client_secret = "desk.secret"' if line.startswith("# client_secret") else line
        for line in text.splitlines()
    ]
    assert 'client_secret = "desk.secret"' in lines
    settings.write_text("\n".join(lines))
    for path in (state / "tls.key", tmp_path / "desk" / "desk.secret"):
        path.write_text("s3cret")
        path.chmod(0o644 if path.name == open_to_others else 0o600)
    sentence = _refused("landbridge.desk", settings)
    assert ("chmod 600" in sentence) == bool(open_to_others)
    assert open_to_others in sentence
    assert "s3cret" not in sentence


def test_a_console_does_not_start_with_a_secret_that_others_can_read(
    state: Path, tmp_path: Path
) -> None:
    """What it shows to the provider is no secret then."""
    secret = tmp_path / "console.secret"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    text = (state / "gateway" / "gateway.toml").read_text()
    assert "[console]" not in text
    console = f'[console]\nlisten = "127.0.0.1:0"\nclient_secret = {json.dumps(str(secret))}\n'
    settings = tmp_path / "gateway.toml"
    settings.write_text(f"{text}\n{console}")
    sentence = _refused("gateway", settings)
    assert str(secret) in sentence
    assert "chmod 600" in sentence
    assert "s3cret" not in sentence


def _refused(module: str, settings: Path) -> str:
    """The one sentence with which a server does not start."""
    ended = subprocess.run(
        [sys.executable, "-m", module, "serve", str(settings)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1]
