"""`landbridge init`: small things that run, to start from."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from landbridge.cli import by_hand
from landbridge.cli.ending import OperatorError
from landbridge.cli.terminal import say, tell

Target = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="A folder that is new or empty.", show_default=False),
]
_PLAIN: Final = re.compile(r"/[A-Za-z0-9_./-]*")
"""Paths that mean in a unit what they say; a space or a % there means something else."""
QUESTION = "SELECT topic, count(*) AS loans FROM loans GROUP BY topic"


def federation(folder: Target) -> None:
    """Write a small federation that runs at once.

    One department with a contract, an access policy, a handler and fifty made-up rows, a gateway's
    policy, and callers.
    """
    _write(folder, {"federation": ".", "department": "library", "rows": "library"})
    program = by_hand.program()
    say(f"{program} up {shlex.quote(str(folder))}")
    tell("It prints how to connect from another terminal; then ask, for example:")
    say(f'{program} query "{QUESTION}" --purpose dpv:ServiceOptimisation')


def node(folder: Target) -> None:
    """Write a department's configuration, with comments: node.toml and what it names.

    A first contract, policy and handler, the department's keys, a systemd unit and a Containerfile.
    """
    from landbridge.membership.keys import MemberKeys  # help loads no cryptography

    _write(folder, {"node": ".", "department": "."})
    _close(folder)
    MemberKeys.in_folder(_state(folder))
    _deploy(folder, "node", 7443)
    tell(f"Edit {folder / 'node.toml'}, and join with a code from the gateway's operator; then:")
    _next("node", folder / "node.toml")


def gateway(folder: Target) -> None:
    """Write a gateway's configuration, with comments: gateway.toml and what it names.

    A first policy, the gateway's signing key, a systemd unit and a Containerfile.
    """
    from landbridge.membership.keys import signing_key

    _write(folder, {"gateway": "."})
    _close(folder)
    signing_key(_state(folder))
    _deploy(folder, "gateway", 8443)
    tell(f"Edit {folder / 'gateway.toml'}; then:")
    _next("gateway", folder / "gateway.toml")


def desk(folder: Target) -> None:
    """Write the configuration of an officers' desk, with comments: desk.toml.

    It belongs on the machine of the department's node, whose queue it shows.
    """
    _write(folder, {"desk": "."})
    _close(folder)
    tell(f"Edit {folder / 'desk.toml'}; then:")
    say(f"{by_hand.program()} review serve {shlex.quote(str(folder / 'desk.toml'))}")


def _close(folder: Path) -> None:
    """Nobody but its owner reads what lies in the folder, or will."""
    folder.chmod(0o700)


def _state(folder: Path) -> Path:
    state = folder / "state"
    state.mkdir(mode=0o700)
    return state


def _deploy(folder: Path, server: str, port: int) -> None:
    """A unit for systemd and a Containerfile, for this folder and this program."""
    place = folder.resolve()
    if not _PLAIN.fullmatch(str(place)):
        tell(f"No systemd unit is written: it could not name {place} without quoting.")
        return
    values = {
        "server": server,
        "unit": f"landbridge-{server}",
        "account": "landbridge",
        "folder": str(place),
        "program": str(Path(sys.executable).with_name("landbridge")),
        # Where the folder is somebody's home, the rest of it can still not be written.
        "home": "read-only" if place.parts[1:2] in (("home",), ("root",)) else "yes",
        "prefix": server.upper(),
        "port": str(port),
        "version": _version(),
    }
    templates = files("landbridge.cli") / "templates"
    for template, name in (
        ("service.txt", f"landbridge-{server}.service"),
        ("container.txt", "Containerfile"),
    ):
        text = (templates / template).read_text(encoding="utf-8").format_map(values)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / ".containerignore").write_text("*\n!wheels\n", encoding="utf-8")


def _version() -> str:
    try:
        return version("landbridge")
    except PackageNotFoundError:
        return "0.1.0"


def _next(server: str, config: Path) -> None:
    say(f"{by_hand.program()} {server} serve {shlex.quote(str(config))}")


def _write(folder: Path, parts: dict[str, str]) -> None:
    """Copies templates into places of the folder; OperatorError where something is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OperatorError(f"{folder} is there already and is not empty; nothing was written.")
    templates = files("landbridge.cli") / "templates"
    for part, place in parts.items():
        _copy(templates / part, folder / place)


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for each in source.iterdir():
        if each.is_dir():
            _copy(each, target / each.name)
        else:
            # "x": what appeared in the meantime is not overwritten either.
            with (target / each.name).open("xb") as file:
                file.write(each.read_bytes())
