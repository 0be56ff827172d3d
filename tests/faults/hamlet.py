"""A gateway and one department that do a little of everything.

Question, call, case, watch, consultation, and records handed in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.operating import town
from tests.ports import free_port
from tests.submission.town import RULES, document

DEPARTMENT: Final = "library"
PURPOSE: Final = town.PURPOSE
SERVICE: Final = "dpv:ServiceProvision"
PROCEDURE: Final = "readmission"
COLLECTION: Final = "requests"

_PROCEDURE: Final = f"""\
procedure: {PROCEDURE}
version: 1
title: A reader who was away comes back
purposes: ["{SERVICE}"]
form:
  reader: {{type: string, title: Number of the card}}
steps:
  library:
    title: The card is known
    handler: library.known
    form: {{reader: reader}}
    deadline: 2d
    silence: {{escalate: desk}}
decision: all
roles:
  desk: [library-desk]
open: [library-desk]
"""
_HANDLER: Final = f"""\
-- handler: known
-- version: 1
-- description: Whether the library knows the card
-- contract: loans
-- subject: reader
-- arguments: {{reader: string}}
-- returns: verdict
-- reasons: [NO_CARD]
-- absent: NO_CARD
-- procedures: [{PROCEDURE}]
-- level: restricted
-- purposes: ["{SERVICE}"]
-- subjects_per_day: 2000
SELECT count(*) > 0, CASE WHEN count(*) > 0 THEN '' ELSE 'NO_CARD' END
FROM loans
WHERE reader = $reader
HAVING count(*) > 0
"""
_MORE: Final = """
@id("{where}.watching")
permit (principal in Organisation::"city-planning", action == Action::"watch", resource)
when {{ context.purpose == "dpv:ServiceOptimisation" }};
"""
_CASES: Final = f"""
@id("gateway.cases")
permit (
  principal in Organisation::"library-desk",
  action == Action::"case",
  resource == Procedure::"{PROCEDURE}"
)
when {{ context.purpose == "{SERVICE}" }};
"""
_DESK: Final = f"""
@id("{{where}}.handing_in")
permit (principal in Organisation::"library-desk", action == Action::"submit", resource)
when {{{{ context.purpose == "{SERVICE}" }}}};

@id("{{where}}.consulting")
permit (principal in Organisation::"library-desk", action == Action::"consult", resource)
when {{{{ context.purpose == "{SERVICE}" }}}};
"""
_STEPS: Final = f"""
@id("library.steps")
permit (
  principal in Organisation::"library-desk",
  action == Action::"step",
  resource == Handler::"library.known"
)
when {{ context.purpose == "{SERVICE}" }};
"""


def write(folder: Path) -> Path:
    """The federation's folder, with ports that stay and budgets for thousands of questions."""
    place = town.write(folder, capital=100_000)
    description = place / "federation.toml"
    text = description.read_text()
    for _ in range(2):
        text = text.replace("port = 0\n", f"port = {free_port()}\n", 1)
    description.write_text(text)
    for where, more in (("gateway", _CASES), (DEPARTMENT, _STEPS)):
        access = place / where / "access.cedar"
        access.write_text(
            access.read_text() + _MORE.format(where=where) + _DESK.format(where=where) + more
        )
    (place / "gateway" / "procedures").mkdir()
    (place / "gateway" / "procedures" / f"{PROCEDURE}.yaml").write_text(_PROCEDURE)
    collected = document({**RULES, "one": {"per": ["person"]}, "visible": {"seconds": 3600}})
    (place / DEPARTMENT / "contracts" / f"{COLLECTION}.odcs.yaml").write_text(collected)
    handlers = place / DEPARTMENT / "handlers"
    (handlers / "known.sql").write_text(_HANDLER)
    standing = handlers / "reader_standing.sql"
    standing.write_text(
        standing.read_text().replace("subjects_per_day: 20\n", "subjects_per_day: 2000\n")
    )
    return place
