"""Who answers for a dataset and how to reach them: the contract's team and support sections.

Source: Open Data Contract Standard 3.2, sections Team and Support. What is not needed to reach
somebody is left where it is; names of persons are not asked for, roles are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.place import Place

LONGEST: Final = 300
MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Role:
    """A role in the team; `who` is how the team calls whoever has it."""

    role: str
    who: str
    description: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach the team: `url` is mailto:, https: or whatever the owner wrote."""

    name: str
    url: str
    description: str


@dataclass(frozen=True, slots=True)
class Responsible:
    """Everything that a contract says of it."""

    team: str = ""
    roles: tuple[Role, ...] = ()
    channels: tuple[Channel, ...] = ()


NOBODY_NAMED: Final = Responsible()


def read_responsible(root: Place) -> Responsible:
    """The team and the support channels; problems go to the document's list."""
    team = root.at("team")
    # Before 3.1 the team was the list of its members.
    listed = isinstance(team.tree, list)
    members = (team if listed else team.at("members")).entries() if not team.absent else []
    name = "" if listed or team.absent else _text(team, "name") or _text(team, "description")
    roles = tuple(
        Role(_text(each, "role"), _text(each, "username") or _text(each, "name"),
             _text(each, "description"))
        for each in members[:MOST]
        if not each.at("role").absent and each.at("dateOut").absent
    )  # fmt: skip
    support = root.at("support")
    channels = tuple(
        Channel(_text(each, "channel"), _text(each, "url"), _text(each, "description"))
        for each in ([] if support.absent else support.entries())[:MOST]
    )
    return Responsible(name, roles, channels)


def _text(place: Place, key: str) -> str:
    found = place.at(key)
    text = " ".join((found.text() or "").split())
    if len(text) > LONGEST or not text.isprintable():
        found.wrong(f"must be one line of at most {LONGEST} printable characters.")
        return ""
    return text
