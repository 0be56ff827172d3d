"""One form for a restaurant, four offices at once, and one of them silent."""

from landbridge.testing import current

PURPOSE = "dpv:ServiceProvision"


def main() -> None:
    """Runs inside `landbridge up examples/one_stop_licence --once ...`."""
    federation = current()
    with federation.client("applicant") as desk, federation.client("supervisor") as mayor:
        # The desk seals the company's number to each office. The gateway never sees it.
        good = desk.open_case("open_restaurant", purpose=PURPOSE, company="R-100").wait(30)
        print(f"R-100: {good.state}")

        bad = desk.open_case("open_restaurant", purpose=PURPOSE, company="R-200").wait(30)
        print(f"R-200: {bad.state}, because {', '.join(bad.reasons)}")

        federation.kill("tax")  # an office that says nothing
        case = desk.open_case("open_restaurant", purpose=PURPOSE, company="R-100")
        for change in case.changes(timeout=30):
            what = change.step or "the case"
            print(
                f"  {change.sequence}. {what}: {change.state} {' '.join(change.reasons)}".rstrip()
            )
        print(f"R-100 with a silent tax office: {case.refresh().state}")

        seen = mayor.cases("open_restaurant")
        print(f"The mayor's office supervises {len(seen)} cases.")
        federation.restart("tax")


main()
