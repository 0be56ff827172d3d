"""A town with a grid: the north owns the group, the south holds a share of one poll's ballots."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import landbridge
from landbridge.federation.running import Federation
from tests.groups.documents import PURPOSE, ballots, document, reports, sealed

GROUP = "north.grid"
BALLOTS = {"caller": "voter", "one": {"per": ["voter"]}, "open": "2026-01-01"}
OPEN, OVER = "2036-01-01", "2026-11-01"
MEMBERS = [f"r-{number:02}" for number in range(20)]

_FEDERATION = """
name = "town"

[issuer]
issuer = "https://issuer.town.example"
audience = "https://gateway.town.example"

[[members]]
department = "north"
title = "Northern district office"

[[members]]
department = "south"
title = "Southern district office"
"""
_GATEWAY = """
@id("gateway.part")
permit (
  principal in Organisation::"residents",
  action == Action::"take_part",
  resource == Group::"north.grid"
);

@id("gateway.clinic")
permit (
  principal in Organisation::"clinic",
  action == Action::"take_part",
  resource == Group::"north.grid"
);

// Who may hand in and ask is each department's to say; here everybody comes through.
@id("gateway.all")
permit (principal, action in [Action::"submit", Action::"query"], resource);
"""
_NORTH = """
@id("north.residents")
permit (
  principal in Group::"north.grid",
  action == Action::"take_part",
  resource == Group::"north.grid"
);

// A clinic is a member as a whole.
@id("north.clinic")
permit (
  principal in Organisation::"clinic",
  action == Action::"take_part",
  resource == Group::"north.grid"
);

// Wide on purpose: that channels are for members is the group's, whatever else is permitted.
@id("north.submit")
permit (principal, action == Action::"submit", resource);

@id("north.declared")
permit (principal in Group::"north.grid", action == Action::"query", resource)
when { context.declared };

@id("north.office")
permit (principal in Organisation::"office", action == Action::"query", resource);

@id("north.officer")
permit (
  principal == Caller::"officer",
  action == Action::"publish",
  resource == Group::"north.grid"
)
when { context.role == "community-officer" };

@id("north.clearance")
forbid (principal, action == Action::"query", resource)
unless { context.level <= principal.clearance };
"""
_SOUTH = """
@id("south.ballots")
permit (
  principal in Organisation::"residents",
  action == Action::"submit",
  resource == Contract::"market"
);

@id("south.office")
permit (
  principal in Organisation::"office",
  action == Action::"query",
  resource == Contract::"market"
);
"""
GRID: dict[str, Any] = {
    "group": "grid",
    "title": "The northern grid",
    "purpose": PURPOSE,
    "notices": {"role": "community-officer"},
    "reports": ["reports"],
    "polls": {
        "playground": {
            "title": "What becomes of the old playground?",
            "contract": "ballots",
            "column": "choice",
        },
        "market": {
            "title": "Shall there be a night market?",
            "contract": "market",
            "column": "wanted",
        },
    },
    "questions": {
        "symptoms": {
            "title": "Who is unwell",
            "contract": "reports",
            "by": ["symptom"],
            "epsilon": 4,
        }
    },
}
_EXACT = {
    "landbridgeMethod": "exact",
    "landbridgeMinimumUnits": 3,
    "landbridgeExactFor": ["residents", "office"],
    "landbridgeExactBy": ["choice"],
    "landbridgeRowsPerUnit": None,
    "landbridgeBudget": None,
    "landbridgeEpsilon": None,
}


def playground(close: str) -> str:
    """The contract of the ballots that the north counts alone."""
    return json.dumps(ballots({**BALLOTS, "close": close}, **_EXACT))


def market() -> str:
    """The contract of the ballots that both hold one share of."""
    wanted = {
        "name": "wanted", "logicalType": "boolean", "required": True, "classification": "open",
    }  # fmt: skip
    return json.dumps(
        document(
            "market",
            [sealed("voter"), wanted],
            "voter",
            landbridgeMeasurements=[
                {"column": "wanted", "owner": "north", "with": "south", "minimum": 10, "each": 1}
            ],
        )
    )


def lay(folder: Path) -> Path:
    """Writes the federation's folder."""
    for name in ("gateway", "north/contracts", "north/groups", "south/contracts"):
        (folder / name).mkdir(parents=True)
    (folder / "federation.toml").write_text(_FEDERATION)
    callers = "".join(
        f'[callers.{name}]\norganisation = "{organisation}"\nclearance = "{clearance}"\n'
        f'purposes = ["{PURPOSE}"]\n\n'
        for name, organisation, clearance in (
            ("resident", "residents", "open"),
            ("stranger", "strangers", "sealed"),
            ("doctor", "clinic", "open"),
            ("analyst", "office", "internal"),
            ("officer", "office", "internal"),
            ("clerk", "office", "internal"),
        )
    )
    (folder / "gateway" / "callers.toml").write_text(callers)
    (folder / "gateway" / "access.cedar").write_text(_GATEWAY)
    north = folder / "north"
    (north / "access.cedar").write_text(_NORTH)
    rules = {"one": {"per": ["home"], "period": "day", "of": "day"}, "visible": {"seconds": 1}}
    (north / "contracts" / "reports.odcs.yaml").write_text(
        json.dumps(reports(rules, landbridgeEpsilon={"default": 1.0, "maximum": 4.0}))
    )
    (north / "contracts" / "ballots.odcs.yaml").write_text(playground(OPEN))
    (north / "contracts" / "market.odcs.yaml").write_text(market())
    (north / "groups" / "grid.yaml").write_text(json.dumps(GRID))
    register(folder, MEMBERS)
    (folder / "south" / "access.cedar").write_text(_SOUTH)
    (folder / "south" / "contracts" / "market.odcs.yaml").write_text(market())
    return folder


def register(folder: Path, members: list[str]) -> None:
    """Writes the registry: these residents and nobody else."""
    lines = "".join(f"residents {name}\n" for name in members)
    beside = folder / "north" / "groups" / "grid.new"
    beside.write_text(f"# who is registered\n{lines}")
    beside.replace(folder / "north" / "groups" / "grid.members")


def resident(town: Federation, name: str) -> landbridge.Client:
    """A connected client of that resident."""
    return landbridge.connect(town.address, token=town.token("resident", subject=name), ca=town.ca)


def eventually(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Returns once it is so."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not become so")
        time.sleep(0.2)


def today() -> str:
    """As a report has it."""
    return (datetime.now(UTC) - timedelta(minutes=10)).date().isoformat()
