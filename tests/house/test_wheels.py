"""Two distributions: what a service developer installs, and what a server does."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "distribution" / "server"
SERVERS = ("gateway", "nodes", "policies")


@dataclass(frozen=True, slots=True)
class Wheels:
    """Both, as files."""

    sdk: Path
    server: Path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Built as they are published."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, SERVER):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
            cwd=source,
            check=True,
            capture_output=True,
        )
    (sdk,) = folder.glob("landbridge-*.whl")
    (server,) = folder.glob("landbridge_server-*.whl")
    return Wheels(sdk, server)


def names(wheel: Path) -> set[str]:
    """Every file of it but its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources(*rooms: str) -> set[str]:
    """Every Python file of these rooms in the tree."""
    return {str(path.relative_to(ROOT)) for room in rooms for path in (ROOT / room).rglob("*.py")}


def test_the_sdks_wheel_holds_landbridge_alone(wheels: Wheels) -> None:
    """Generic names are not ours to install into other people's environments."""
    found = names(wheels.sdk)
    assert {name.split("/")[0] for name in found} == {"landbridge"}
    assert sources("landbridge") <= found


def test_the_servers_wheel_holds_the_three_rooms_and_nothing_else(wheels: Wheels) -> None:
    """Whole, and without tests, examples, state or what Python leaves beside its files."""
    found = names(wheels.server)
    assert {name.split("/")[0] for name in found} == set(SERVERS)
    assert {name for name in found if name.endswith(".py")} == sources(*SERVERS)
    assert not [name for name in found if "__pycache__" in name or name.endswith((".key", ".pem"))]


def test_both_say_one_version_and_the_same_dependencies() -> None:
    """The extra `server` is for the tree, the distribution for everybody else: the same things."""
    sdk = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    server = tomllib.loads((SERVER / "pyproject.toml").read_text())["project"]
    assert server["version"] == sdk["version"]
    assert server["dependencies"] == [
        f"landbridge=={sdk['version']}",
        *sdk["optional-dependencies"]["server"],
    ]
    assert server["requires-python"] == sdk["requires-python"]


@pytest.mark.journey
def test_a_server_starts_from_a_fresh_environment(wheels: Wheels, tmp_path: Path) -> None:
    """As an operator does: install both, write a configuration, start; the tree is nowhere."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    (packages,) = place.glob("lib/python*/site-packages")
    # Third-party packages are those of this environment; a .pth in it does not lead to the tree.
    (packages / "dependencies.pth").write_text(site.getsitepackages()[0])
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install", "--no-deps",
         "--no-index", "--disable-pip-version-check", str(wheels.sdk), str(wheels.server)],
        check=True, capture_output=True,
    )  # fmt: skip
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LANDB"))
    }
    landbridge = place / "bin" / "landbridge"
    folder = tmp_path / "gateway"
    subprocess.run([landbridge, "init", "gateway", folder], check=True, capture_output=True,
                   env=environment, cwd=tmp_path)  # fmt: skip
    (folder / "jwks.json").write_text(json.dumps({"keys": [_key()]}))
    code = "import gateway, nodes, policies; print(gateway.__file__, nodes.__file__)"
    where = subprocess.run([python, "-P", "-c", code], check=True, capture_output=True, text=True,
                           env=environment, cwd=tmp_path)  # fmt: skip
    assert all(path.startswith(str(place)) for path in where.stdout.split())
    process = subprocess.Popen(
        [landbridge, "gateway", "serve", folder / "gateway.toml"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env={**environment, "LANDBRIDGE_GATEWAY__LISTEN": "127.0.0.1:0"},
    )  # fmt: skip
    assert process.stdout is not None
    ready = process.stdout.readline()
    process.terminate()
    _, said = process.communicate(timeout=300)
    assert json.loads(ready)["port"], said
    assert process.returncode == 0
    assert (folder / "state" / "log" / "checkpoint").exists()


def _key() -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "kid": "one",
        "alg": "EdDSA",
        "use": "sig",
        # The public key of RFC 8037, appendix A.2.
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
