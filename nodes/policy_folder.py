"""Policies as they lie in folders, for whoever reviews them: no node has to run.

A folder is a department's (its `contracts`, `handlers`, `access.cedar`, or a `node.toml` that says
where they are) or a whole federation's, where the gateway's own policy has its say too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nodes import policy, settings
from nodes.policy import Policy, PolicyFolderInvalid
from policies.access import AccessPolicy
from policies.admitted import Admitted, admitted
from policies.change import Change, changes
from policies.closed import Closed, closed
from policies.considered import Considered, considered
from policies.group_review import Reviewed as ReviewedGroup
from policies.group_review import changes as group_changes
from policies.group_review import reviewed
from policies.outlet import Outlet, outlets


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One department's policy and what it lets out, with the gateway's consent where known."""

    department: str
    policy: Policy
    outlets: tuple[Outlet, ...]
    closed: tuple[Closed, ...]
    considered: tuple[Considered, ...] = ()
    admitted: tuple[Admitted, ...] = ()
    groups: tuple[ReviewedGroup, ...] = ()


def review(folder: Path) -> tuple[Reviewed, ...]:
    """Every department of the folder.

    Raises what `nodes.policy.read` raises, each naming file, place and reason, and
    SettingsInvalid for a `node.toml`.
    """
    if not folder.is_dir():
        raise PolicyFolderInvalid(f"{folder} is no folder")
    found = _departments(folder)
    gateway = folder / "gateway" / "access.cedar"
    above: tuple[AccessPolicy, ...] = ()
    if (folder / "federation.toml").exists() and gateway.exists():
        text = gateway.read_text(encoding="utf-8")
        contracts = {name for each in found.values() for name in each.contracts}
        handlers = {
            f"{department}.{name}" for department, each in found.items() for name in each.handlers
        }
        columns = {
            column
            for each in found.values()
            for contract in each.contracts.values()
            for column in contract.column_ids
        }
        above = (
            AccessPolicy.load(
                text, str(gateway), contracts=contracts, handlers=handlers, columns=columns
            ),
        )
    return tuple(
        Reviewed(
            department,
            each,
            outlets(department, each.contracts, each.handlers, (*above, each.access)),
            closed(each.contracts, (*above, each.access)),
            considered(department, each.contracts, each.handlers, each.access),
            admitted(department, each.contracts, each.handlers, (*above, each.access), each.access),
            reviewed(department, each.groups, each.contracts, (*above, each.access)),
        )
        for department, each in found.items()
    )


def compare(old: Path, new: Path) -> dict[str, tuple[Change, ...]]:
    """What changed at each department, by name; raises as `review` does."""
    before = {each.department: each for each in review(old)}
    after = {each.department: each for each in review(new)}
    if len(before) == len(after) == 1:
        # Two versions of one department may lie in folders of any name.
        (was,), (now,) = before.values(), after.values()
        before = {now.department: was}
    found = {}
    for name in sorted(before.keys() | after.keys()):
        sides = [
            ({}, {}, ())
            if each is None
            else (each.policy.contracts, each.policy.handlers, each.outlets)
            for each in (before.get(name), after.get(name))
        ]
        old_side, new_side = before.get(name), after.get(name)
        found[name] = tuple(
            sorted(
                (
                    *changes(sides[0], sides[1]),
                    *group_changes(
                        {} if old_side is None else old_side.policy.groups,
                        {} if new_side is None else new_side.policy.groups,
                    ),
                ),
                key=lambda each: (not each.wider, each.where, each.what),
            )
        )
    return found


def _departments(folder: Path) -> Mapping[str, Policy]:
    if (folder / "node.toml").exists():
        chosen = settings.read(folder / "node.toml")
        read = policy.read(
            chosen.department, chosen.contracts, chosen.handlers, chosen.access, chosen.groups
        )
        return {chosen.department: read}
    if (folder / "contracts").is_dir():
        # Where no configuration names it, the folder does; policies name handlers by it.
        return {folder.resolve().name: _lying(folder)}
    found = {
        place.name: _lying(place)
        for place in sorted(folder.iterdir())
        if (place / "contracts").is_dir()
    }
    if not found:
        raise PolicyFolderInvalid(
            f"{folder} holds no policy: name a department's folder, with contracts/ and "
            "access.cedar, or a federation's"
        )
    return found


def _lying(place: Path) -> Policy:
    return policy.read(
        place.resolve().name,
        place / "contracts",
        place / "handlers",
        place / "access.cedar",
        place / "groups",
    )
