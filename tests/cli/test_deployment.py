"""What `landbridge init` writes for running a server: keys, a systemd unit, a Containerfile."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.membership.keys import MemberKeys, signing_key
from tests.cli.commands import Run

SERVERS = ("gateway", "node")


@pytest.fixture(params=SERVERS)
def written(request: pytest.FixtureRequest, run: Run, tmp_path: Path) -> tuple[str, Path]:
    """The name of the server and its folder."""
    folder = tmp_path / str(request.param)
    assert run("init", str(request.param), str(folder)).status == 0
    return request.param, folder


def test_keys_are_their_owners_alone(written: tuple[str, Path]) -> None:
    """Mode 0600 in a folder of mode 0700; the servers refuse anything else."""
    _, folder = written
    keys = list((folder / "state").glob("*.key"))
    assert keys
    for path in (folder, folder / "state", *keys):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_servers_use_the_keys_that_init_made(run: Run, tmp_path: Path) -> None:
    """A key that a start replaced would have been compared by people for nothing."""
    for kind in SERVERS:
        run("init", kind, str(tmp_path / kind))
    before = (tmp_path / "node" / "state" / "signing.key").read_bytes()
    assert MemberKeys.in_folder(tmp_path / "node" / "state").signing.private_bytes_raw() == before
    before = (tmp_path / "gateway" / "state" / "signing.key").read_bytes()
    assert signing_key(tmp_path / "gateway" / "state").private_bytes_raw() == before


def test_the_unit_gives_the_server_nothing_that_it_does_not_need(
    written: tuple[str, Path],
) -> None:
    """Read as systemd reads it: sections, keys, values."""
    server, folder = written
    unit = folder / f"landbridge-{server}.service"
    lines = [line for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]
    settings = dict(line.split("=", 1) for line in lines)
    assert settings["ExecStart"].endswith(f" {server} serve {folder}/{server}.toml")
    assert Path(settings["ExecStart"].split()[0]).name == "landbridge"
    assert settings["ReadWritePaths"] == str(folder)
    assert (settings["NoNewPrivileges"], settings["ProtectSystem"]) == ("yes", "strict")
    assert settings["CapabilityBoundingSet"] == ""
    assert settings["User"] != "root"
    assert int(settings["TimeoutStopSec"]) > 30


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd on this machine")
def test_systemd_accepts_the_unit_and_finds_little_exposed(written: tuple[str, Path]) -> None:
    """Its own verifier, and its own score: 0 is closed, 10 is open."""
    server, folder = written
    unit = folder / f"landbridge-{server}.service"
    text = unit.read_text()
    assert str(Path(sys.executable).with_name("landbridge")) in text
    found = subprocess.run(
        [_analyze(), "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    scored = subprocess.run(
        [_analyze(), "security", "--offline=true", "--threshold=20", str(unit)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert scored.returncode == 0, scored.stdout[-200:]


def _analyze() -> str:
    return str(shutil.which("systemd-analyze"))


def test_a_linter_finds_nothing_in_the_containerfile(written: tuple[str, Path]) -> None:
    """hadolint, with every rule; there is no container engine in the check."""
    server, folder = written
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(
        [linter, folder / "Containerfile"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")
    text = (folder / "Containerfile").read_text()
    assert "USER 10001" in text
    assert f'"{server}", "serve"' in text


def test_the_linter_would_find_something(tmp_path: Path) -> None:
    """Positive control."""
    bad = tmp_path / "Containerfile"
    bad.write_text("FROM python\nRUN pip install landbridge-server\n")
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, bad], capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "DL3006" in found.stdout


def test_nothing_of_the_folder_but_wheels_goes_to_the_image(written: tuple[str, Path]) -> None:
    """Keys lie beside the Containerfile; a build sends its whole folder otherwise."""
    _, folder = written
    assert (folder / ".containerignore").read_text() == "*\n!wheels\n"


def test_a_folder_that_a_unit_cannot_name_gets_none(run: Run, tmp_path: Path) -> None:
    """In a unit a space ends a word and a % begins another thing."""
    folder = tmp_path / "my node"
    ended = run("init", "node", str(folder))
    assert ended.status == 0
    assert "No systemd unit is written" in ended.err
    assert not list(folder.glob("*.service"))
