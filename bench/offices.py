"""A federation for cases: two offices, each with two handlers that take a tenth of a second."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

PURPOSE: Final = "dpv:ServiceProvision"
HANDLERS: Final = ("north.a", "north.b", "south.a", "south.b")
MILLISECONDS: Final = 100
PROCEDURE: Final = "four_steps"
_EXAMPLE: Final = Path(__file__).parents[1] / "examples" / "one_stop_licence"

_HANDLER = """-- handler: {name}
-- version: 1
-- description: Says yes after a while
-- contract: companies
-- subject: company_id
-- arguments: {{company_id: string}}
-- returns: verdict
-- reasons: [UNKNOWN]
-- absent: UNKNOWN
-- level: open
-- purposes: ["dpv:ServiceProvision"]
-- subjects_per_day: 1000000
SELECT true, concat('', sleep_ms({milliseconds})) FROM companies WHERE company_id = $company_id
"""
_ACCESS = """@id("{name}.bench")
permit (principal, action in [Action::"call", Action::"step"], resource);
"""
_GATEWAY = """@id("gateway.case")
permit (principal, action == Action::"case", resource);
@id("gateway.call")
permit (principal, action == Action::"call", resource);
"""


def lay(folder: Path) -> Path:
    """Writes the federation's folder."""
    (folder / "gateway" / "procedures").mkdir(parents=True)
    (folder / "gateway" / "access.cedar").write_text(_GATEWAY)
    (folder / "gateway" / "callers.toml").write_text(
        f'[callers.desk]\norganisation = "desk"\nclearance = "open"\npurposes = ["{PURPOSE}"]\n'
    )
    members = ""
    for name in ("north", "south"):
        office = folder / name
        shutil.copytree(_EXAMPLE / "market" / "contracts", office / "contracts")
        shutil.copytree(_EXAMPLE / "market" / "data", office / "data")
        (office / "handlers").mkdir()
        for handler in ("a", "b"):
            (office / "handlers" / f"{handler}.sql").write_text(
                _HANDLER.format(name=handler, milliseconds=MILLISECONDS)
            )
        (office / "access.cedar").write_text(_ACCESS.format(name=name))
        members += f'[[members]]\ndepartment = "{name}"\n'
    (folder / "federation.toml").write_text(
        'name = "bench"\n[issuer]\nissuer = "https://issuer.bench.example"\n'
        f'audience = "https://gateway.bench.example"\n{members}'
    )
    steps = "".join(
        f"  s{number}: {{handler: {handler}, form: {{company_id: company}}, deadline: 9d, "
        "silence: refuse}\n"
        for number, handler in enumerate(HANDLERS)
    )
    (folder / "gateway" / "procedures" / "four_steps.yaml").write_text(
        f"procedure: {PROCEDURE}\nversion: 1\ntitle: Four steps at once\n"
        f'purposes: ["{PURPOSE}"]\nform: {{company: string}}\nsteps:\n{steps}decision: all\n'
    )
    return folder
