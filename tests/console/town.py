"""A small federation whose console is looked at: two cities of a questionnaire, a market registry.

Made of the examples' own departments, with an auditor, officers and an operator beside them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
FORMS, LICENCES = EXAMPLES / "joint_questionnaire", EXAMPLES / "one_stop_licence"
XSS = "<script>document.title='taken'</script>"
"""Also a name: whoever shows it must show it."""

FEDERATION = """
name = "town"

[issuer]
issuer = "https://issuer.town.example"
audience = "https://gateway.town.example"

[[members]]
department = "harbour"
title = "City of Harbour"
publish_access = true

[[members]]
department = "hilltop"
title = "City of Hilltop"

[[members]]
department = "market"
title = "Market registry"
"""

CALLERS = """
[callers.planner]
organisation = "province-office"
clearance = "internal"
purposes = ["dpv:ServiceProvision"]

[callers.officer_harbour]
organisation = "city-harbour"
clearance = "restricted"
purposes = ["dpv:ServiceProvision"]

[callers.auditor]
organisation = "audit-office"
clearance = "restricted"
purposes = []

[callers.operator]
organisation = "operations"
clearance = "restricted"
purposes = []

[callers.portal]
organisation = "citizens-portal"
clearance = "restricted"
purposes = ["dpv:RightsFulfilment"]

[callers.applicant]
organisation = "licence-desk"
clearance = "restricted"
purposes = ["dpv:ServiceProvision"]

[callers.nobody]
organisation = "elsewhere"
clearance = "open"
purposes = []

[callers."<script>document.title='taken'</script>"]
organisation = "province-office"
clearance = "internal"
purposes = ["dpv:ServiceProvision"]
"""

POLICY = """
@id("town.audit")
permit (principal in Organisation::"audit-office", action == Action::"audit", resource);

@id("town.harbour-officers")
permit (
  principal in Organisation::"city-harbour",
  action == Action::"view",
  resource == Department::"harbour"
);

@id("town.operators")
permit (
  principal in Organisation::"operations",
  action in [Action::"audit", Action::"enrol"],
  resource
);

@id("town.portal")
permit (principal in Organisation::"citizens-portal", action == Action::"about", resource)
when { context.purpose == "dpv:RightsFulfilment" };

@id("town.licences")
permit (
  principal in Organisation::"licence-desk",
  action == Action::"case",
  resource == Procedure::"open_restaurant"
)
when { context.purpose == "dpv:ServiceProvision" };
"""


PROCEDURE = """
procedure: open_restaurant
version: 1
title: Standing in the market registry
purposes: ["dpv:ServiceProvision"]
form:
  company: {type: string, title: Number in the market registry}
steps:
  registry:
    title: Registered and in good standing
    handler: market.registered
    form: {company_id: company}
    deadline: 1s
    silence: {escalate: licensing}
decision: all
roles:
  licensing: [licence-desk]
open: [licence-desk]
follow: [applicant]
cancel: [applicant]
"""


def lay(folder: Path) -> Path:
    """Writes the federation into `folder`."""
    for source, name in ((FORMS, "harbour"), (FORMS, "hilltop"), (LICENCES, "market")):
        shutil.copytree(source / name, folder / name)
    shutil.copy(FORMS / "source.py", folder)
    # Only one city has officers here: each desk is a process.
    alone = folder / "hilltop" / "access.cedar"
    alone.write_text(alone.read_text().partition("// Whatever else")[0])
    gateway = folder / "gateway"
    (gateway / "procedures").mkdir(parents=True)
    (folder / "federation.toml").write_text(FEDERATION)
    (gateway / "callers.toml").write_text(CALLERS)
    forms = (FORMS / "gateway" / "access.cedar").read_text()
    (gateway / "access.cedar").write_text(forms + POLICY)
    (gateway / "procedures" / "open_restaurant.yaml").write_text(PROCEDURE)
    return folder
