"""`landbridge init`: small things that run, to start from."""

from __future__ import annotations

import shlex
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import by_hand
from landbridge.cli.ending import OperatorError
from landbridge.cli.terminal import say, tell

Target = Annotated[
    Path,
    typer.Argument(metavar="DIR", help="A folder that is new or empty.", show_default=False),
]
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
    """Write a department's configuration, with comments: node.toml and what it names."""
    _write(folder, {"node": ".", "department": "."})
    tell(f"Edit {folder / 'node.toml'}, and join with a code from the gateway's operator; then:")
    _next("node", folder / "node.toml")


def gateway(folder: Target) -> None:
    """Write a gateway's configuration, with comments: gateway.toml and what it names."""
    _write(folder, {"gateway": "."})
    tell(f"Edit {folder / 'gateway.toml'}; then:")
    _next("gateway", folder / "gateway.toml")


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
