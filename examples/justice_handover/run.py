"""Police, prosecution, court: in sequence, each with its own sealed part and no more."""

from landbridge.testing import current

PURPOSE = "dpv:LegalCompliance"


def main() -> None:
    """Runs inside `landbridge up examples/justice_handover --once ...`."""
    federation = current()
    with federation.client("officer") as officer, federation.client("clerk") as clerk:
        for file in ("F-1", "F-2", "F-3"):
            case = officer.open_case("hand_over", purpose=PURPOSE, file=file)
            for change in case.changes(timeout=30):
                said = " ".join((change.code, *change.reasons))
                print(f"{file}  {change.step or 'case':<12} {change.state} {said}".rstrip())

        # The registry sees what became of them. Whom they are about it does not see.
        for seen in clerk.cases("hand_over"):
            print(seen.id[:8], seen.state, [step.state for step in seen.steps])


main()
