"""What a caller should know of a linked question beside its numbers. Never from data."""

from __future__ import annotations

from gateway.combine import LAPLACE, Combined, expected_noise
from gateway.table import half_width
from policies.contract import Method
from policies.disclosure import Mechanism
from policies.link_plan import LinkPlan


def notes(link: LinkPlan) -> list[tuple[str, str]]:
    """Kind and text of each note."""
    protected = [s for s in link.sides if s.contract.disclosure.method is Method.DP]
    names = " and ".join(f"{side.department}.{side.contract.id}" for side in protected)
    unit = link.contract.unit
    found = [
        (
            "noise",
            "Every number carries two draws of noise, an owner's and the gateway's; half-widths "
            "hold with 95 % probability.",
        ),
        ("join", f"Charged in full to the budgets of {names}."),
        (
            "clipping",
            f"At most {link.contract.disclosure.rows_per_unit} linked rows of one {unit} count.",
        ),
        (
            "withheld",
            f"Cells in which fewer than {link.minimum} {unit} are counted are NULL; each is "
            f"counted with one of its rows{' at each department' if len(link.hiders) > 1 else ''}."
            if link.votes is not None
            else f"Cells whose noisy number of linked {' and '.join(link.question.key)} is under "
            f"{link.minimum} are NULL"
            + (
                "; groups of the table with several rows for a key are told as soon as the rest "
                "of their cell is."
                if any(side.many and side.axes for side in link.sides)
                else "."
            ),
        ),
    ]
    if link.contract.disclosure.units_span > 1:
        found.append(
            (
                "noise",
                f"One {unit} can be in {link.contract.disclosure.units_span} departments, so each "
                "gives out a share of what the epsilon allows.",
            )
        )
    found += [
        ("join", f"{side.department}.{side.contract.id} protects nobody and is charged nothing.")
        for side in link.sides
        if side not in protected
    ]
    return found


def accuracy(link: LinkPlan, mechanism: Mechanism) -> float | None:
    """The expected 95 % half-width of one measure in one cell."""
    place = link.release.mechanisms.index(mechanism)
    if place in link.counted:
        return half_width(Combined(mechanism, (), link.deviation, LAPLACE))
    return half_width(Combined(mechanism, (), *expected_noise(mechanism, link.draws(place))))
