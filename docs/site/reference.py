"""The reference: read off the code, with a sentence for each thing that code cannot say itself."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import typer

import landbridge
from gateway import settings as gateway_settings
from landbridge.cli.app import application
from landbridge.desk import settings as desk_settings
from landbridge.edge.settings import Known, SettingsInvalid, variable
from landbridge.errors import CATALOGUE
from nodes import settings as node_settings

ROOT: Final = Path(__file__).parents[2]
WORDS: Final = Path(__file__).parents[1] / "words"
PROPERTY: Final = re.compile(r'"(landbridge[A-Z][A-Za-z]*)"')
SERVERS: Final = (
    ("gateway", gateway_settings),
    ("node", node_settings),
    ("desk", desk_settings),
)


NAMES: Final = ("command-line", "python", "settings", "contract", "errors", "protocol")
"""Of the pages."""


def pages() -> dict[str, str]:
    """Every page of the reference that is generated, by name, in Markdown."""
    introductions = words("introductions")
    makers = (_command_line, _python, _settings, _contract, _errors, _protocol)
    return {name: make(introductions) for name, make in zip(NAMES, makers, strict=True)}


def words(name: str) -> dict[str, Any]:
    """The sentences about things of one kind, by name."""
    return tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))


def settings_of(server: str) -> list[Known]:
    """Every setting that the server reads, in the order of the code."""
    known: list[Known] = []
    module = dict(SERVERS)[server]
    template = ROOT / "landbridge" / "cli" / "templates" / server / f"{server}.toml"
    module.read(template, {}, known)
    # Settings of [[issuer]] are those of [identity] with another name.
    with suppress(SettingsInvalid):
        module.read(template, {f"{module.PREFIX}ISSUER": "[{}, {}]"}, known)
    unique: dict[str, Known] = {}
    for each in known:
        name = re.sub(r"\[\d+\]", "", each.name)
        unique.setdefault(name, dataclasses.replace(each, name=name))
    return list(unique.values())


def contract_properties() -> set[str]:
    """Every property that the contract's reader knows by name."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "policies").glob("*.py")]
    return {found for text in texts for found in PROPERTY.findall(text)}


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Every command and group: its whole name, itself, and its context."""
    root: Any = typer.main.get_command(application())

    def walk(name: str, command: Any, parent: Any) -> Iterator[Any]:
        context = command.context_class(command, info_name=name, parent=parent)
        yield context.command_path, command, context
        for each in getattr(command, "commands", {}):
            yield from walk(each, command.commands[each], context)

    yield from walk("landbridge", root, None)


def _command_line(introductions: dict[str, str]) -> str:
    parts = [introductions["command-line"]]
    for name, command, context in commands():
        context.max_content_width = 80
        context.terminal_width = 80
        shown = command.get_help(context)
        parts.append(f"## `{name}`\n\n```text\n{shown}\n```\n")
    return "\n".join(parts)


def _python(introductions: dict[str, str]) -> str:
    parts = [introductions["python"]]
    for name in landbridge.__all__:
        thing = getattr(landbridge, name)
        parts.append(f"## `{name}`\n\n{_signature(name, thing)}{_text(thing)}\n")
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for member in _members(thing):
                value = getattr(thing, member)
                call = value.fget if isinstance(value, property) else value
                parts.append(f"### `{name}.{member}`\n\n{_signature(member, value)}{_text(call)}\n")
    return "\n".join(parts)


def _members(thing: type) -> list[str]:
    """The public methods and properties, inherited ones too, in the order of their definition."""
    names = dict.fromkeys(name for kind in reversed(thing.__mro__[:-1]) for name in vars(kind))
    return [
        name
        for name in names
        if not name.startswith("_")
        and (inspect.isfunction(getattr(thing, name)) or _is_property(getattr(thing, name)))
    ]


def _settings(introductions: dict[str, str]) -> str:
    parts = [introductions["settings"]]
    said = words("settings")
    for server, module in SERVERS:
        parts.append(f"## `{server}.toml`\n")
        for each in settings_of(server):
            default = "must be given" if each.default is None else f"else `{_toml(each.default)}`"
            about = said.get(each.name, "")
            parts.append(f"- **`{each.name}`** ({each.kind}; {default})\\\n  {about}")
        parts.append(
            f"\nFor example `{variable(module.PREFIX, 'log.quorum')}=1` for `log.quorum`.\n"
        )
    return "\n".join(parts)


def _contract(introductions: dict[str, str]) -> str:
    parts = [introductions["contract"]]
    for name, said in words("contract").items():
        parts.append(f"- **`{name}`** ({said['on']})\\\n  {said['says']}")
    return "\n".join([*parts, ""])


def _errors(introductions: dict[str, str]) -> str:
    parts = [
        introductions["errors"],
        "| reason | exception | gRPC status | sentence |\n|---|---|---|---|",
    ]
    for reason, row in CATALOGUE.items():
        exception = row.exception.__name__
        # Each has a page of its own, by docs/errors/generate.py.
        name = f"[`{reason}`](../errors/{reason}.md)"
        parts.append(f"| {name} | `{exception}` | {row.status} | {row.sentence} |")
    return "\n".join([*parts, ""])


def _protocol(introductions: dict[str, str]) -> str:
    parts = [introductions["protocol"]]
    for path in sorted((ROOT / "proto" / "landbridge" / "v1").glob("*.proto")):
        text = path.read_text(encoding="utf-8").rstrip()
        parts.append(f"## `{path.name}`\n\n```protobuf\n{text}\n```\n")
    return "\n".join(parts)


def _signature(name: str, thing: object) -> str:
    if _is_property(thing) or (inspect.isclass(thing) and issubclass(thing, Exception)):
        return ""
    try:
        return f"```python\n{name}{inspect.signature(thing)}\n```\n\n"  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""


def _is_property(thing: object) -> bool:
    return isinstance(thing, property)


def _text(thing: object) -> str:
    said = inspect.getdoc(thing) or ""
    # A block that is indented in a docstring is an example.
    return re.sub(
        r"(?m)((?:^    .*\n?)+)", lambda block: f"```python\n{_flush(block[1])}```\n", said
    )


def _flush(block: str) -> str:
    return inspect.cleandoc(block) + "\n"


def _toml(value: object) -> str:
    return json.dumps(value)
