"""A federation as a folder: what `federation.toml` and the folders beside it say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landbridge.days import is_day

_DEPARTMENT = re.compile(r"[a-z][a-z0-9_]{0,30}")


class FederationInvalid(Exception):
    """The folder is no federation; one sentence that says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class MemberFolder:
    """A department: its name, its port (0: any free one) and its own folder.

    `engine` is what its node's settings say of their engine; empty: DuckDB. `as_of` is the day that
    its data are of, where the folder says so.
    `publish_access` lets auditors at the gateway read its access policy.
    """

    department: str
    title: str
    port: int
    folder: Path
    engine: Mapping[str, str] = field(default_factory=dict)
    publish_access: bool = False
    as_of: str = ""

    @property
    def script(self) -> Path:
        """The program that writes the department's data files."""
        return self.folder / "data" / "load.py"

    @property
    def files(self) -> dict[str, Path]:
        """Data files by contract id, where they lie in the folder as they are."""
        found = [*self.folder.glob("data/*.parquet"), *self.folder.glob("data/*.csv")]
        return {path.stem: path for path in sorted(found)}


@dataclass(frozen=True, slots=True)
class DevelopmentCaller:
    """Somebody who may get a development token, from `gateway/callers.toml`."""

    name: str
    organisation: str
    clearance: str
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FederationFolder:
    """Everything that the folder says; without `flight_port` no Arrow Flight SQL is spoken.

    `console_port` is for whoever runs it with its console.
    """

    path: Path
    name: str
    issuer: str
    audience: str
    gateway_port: int
    members: tuple[MemberFolder, ...]
    callers: dict[str, DevelopmentCaller]
    flight_port: int | None = None
    console_port: int = 0


def read(path: Path) -> FederationFolder:
    """The federation in that folder; raises FederationInvalid."""
    values = _toml(path / "federation.toml")
    try:
        members = tuple(
            MemberFolder(
                department=_department(member["department"], path),
                title=_title(str(member.get("title", member["department"])), path),
                port=int(member.get("port", 0)),
                folder=path / member["department"],
                engine={key: str(each) for key, each in member.get("engine", {}).items()},
                publish_access=member.get("publish_access", False) is True,
                as_of=_day(str(member.get("as_of", "")), path),
            )
            for member in values["members"]
        )
        federation = FederationFolder(
            path=path,
            name=str(values["name"]),
            issuer=str(values["issuer"]["issuer"]),
            audience=str(values["issuer"]["audience"]),
            gateway_port=int(values.get("gateway", {}).get("port", 0)),
            members=members,
            callers=_callers(path / "gateway" / "callers.toml"),
            flight_port=_optional_port(values.get("gateway", {}).get("flight_port")),
            console_port=int(values.get("gateway", {}).get("console_port", 0)),
        )
    except KeyError as missing:
        raise FederationInvalid(f"{path / 'federation.toml'} lacks the key {missing}.") from None
    except (TypeError, ValueError, OverflowError, AttributeError):
        raise FederationInvalid(
            f"{path / 'federation.toml'} has a value of the wrong kind; see the examples."
        ) from None
    if len({member.department for member in members}) < len(members) or not members:
        raise FederationInvalid(
            f"{path / 'federation.toml'} lists no member, or one of them twice."
        )
    for member in members:
        if not (member.folder / "contracts").is_dir():
            raise FederationInvalid(f"{member.folder} has no folder contracts.")
    return federation


def _optional_port(value: object) -> int | None:
    return None if value is None else int(str(value))


def _department(name: object, path: Path) -> str:
    if not isinstance(name, str) or not _DEPARTMENT.fullmatch(name) or name == "gateway":
        raise FederationInvalid(
            f"{path / 'federation.toml'}: a department is a lower-case name of up to 31 letters, "
            "digits and underscores, and not 'gateway'."
        )
    return name


def _day(text: str, path: Path) -> str:
    if text and not is_day(text):
        raise FederationInvalid(f"{path / 'federation.toml'}: as_of is a day, as in 2026-10-31.")
    return text


def _title(text: str, path: Path) -> str:
    if not text.isprintable():
        raise FederationInvalid(
            f"{path / 'federation.toml'}: a title must hold no control or invisible characters."
        )
    return text


def _callers(path: Path) -> dict[str, DevelopmentCaller]:
    if not path.exists():
        return {}
    listed = _toml(path).get("callers", {})
    try:
        return {
            name: DevelopmentCaller(
                name,
                str(terms["organisation"]),
                str(terms["clearance"]),
                tuple(map(str, terms["purposes"])),
            )
            for name, terms in listed.items()
        }
    except (KeyError, TypeError, AttributeError):
        raise FederationInvalid(
            f"{path}: each [callers.NAME] has organisation, clearance and purposes."
        ) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise FederationInvalid(f"{path} cannot be read ({failure.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise FederationInvalid(f"{path} is no TOML ({failure}).") from None
    except ValueError:
        raise FederationInvalid(f"{path} holds a number of thousands of digits.") from None
