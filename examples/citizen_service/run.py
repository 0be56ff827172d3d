"""One click for a citizen: three registers decide, and each says PASS or FAIL and why."""

from landbridge import Refused
from landbridge.testing import current

PURPOSE = "dpv:ServiceProvision"


def main() -> None:
    """Runs inside `landbridge up examples/citizen_service --once ...`."""
    with current().client("portal") as portal:
        for citizen in ("C-01", "C-02", "C-04", "C-99"):
            case = portal.open_case(
                "child_benefit",
                purpose=PURPOSE,
                consent=f"consent:2026/{citizen}",
                citizen=citizen,
            ).wait(30)
            print(f"{citizen}: {case.state:<8} {', '.join(case.reasons)}".rstrip())

        # Many at once: one call, a log entry for each citizen.
        replies = portal.call_many(
            "civil.residence", ["C-01", "C-02", "C-03", "C-98"], purpose=PURPOSE
        )
        print(*(reply.code for reply in replies))

        # What belongs to a procedure cannot be called without one.
        try:
            portal.call("civil.family", purpose=PURPOSE, citizen_id="C-01")
        except Refused as refused:
            print(f"{refused.reason}: {refused.message}")


main()
