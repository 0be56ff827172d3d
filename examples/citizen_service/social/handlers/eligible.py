"""Insured long enough for the number of children, and without another benefit."""

from nodes.handlers import Verdict, View, failed, handler, passed

MONTHS = {1: 12, 2: 9}
"""Of insurance, for so many children; fewer for larger families."""


@handler(
    version=1,
    description="Whether somebody with so many children is insured long enough",
    contract="insured",
    subject="citizen_id",
    sources={
        "citizen_id": ["civil.family.citizen"],
        "children": ["civil.family.children"],
    },
    reasons=["NOT_INSURED", "INSURED_TOO_SHORT", "OTHER_BENEFIT"],
    absent="NOT_INSURED",
    procedures=["child_benefit"],
    level="restricted",
    purposes=["dpv:ServiceProvision"],
    subjects_per_day=500,
)
def eligible(view: View, citizen_id: str, children: int) -> Verdict:
    """Reads one row; the reasons are declared above."""
    row = view.one("SELECT months, other FROM insured WHERE citizen_id = ?", citizen_id)
    if row is None:
        return failed("NOT_INSURED")
    months, other = row
    reasons = []
    if months < MONTHS.get(children, 6):
        reasons.append("INSURED_TOO_SHORT")
    if other:
        reasons.append("OTHER_BENEFIT")
    return failed(*reasons) if reasons else passed()
