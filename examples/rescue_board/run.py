"""A flood: requests for help, corrected by whoever comes by; rescuers and the public."""

import tempfile
import time
from pathlib import Path

from landbridge import Contribution, Refused, Unavailable
from landbridge.testing import current

EMERGENCY, PUBLIC = "dpv:EmergencyServices", "dpv:PublicInformation"
DISTRICTS = ("harbour", "meadow", "old_town", "station")
SQL = "SELECT district, sum(people) AS people FROM requests WHERE NOT rescued GROUP BY district"


def request(number, **changes):
    """What a volunteer takes down."""
    return {
        "household": f"H-{number:05}",
        "district": DISTRICTS[number % 4],
        "people": 1 + number % 6,
        "urgent": number % 10 == 0,
        "rescued": False,
        **changes,
    }


def seen(crew, household, wanted):
    """What the crew is told of a household, once the next version is there."""
    for _ in range(120):
        try:
            code = crew.call("rescue.case", purpose=EMERGENCY, household=household).code
        except Unavailable:
            code = "nothing, because no version is there yet"
        if code == wanted:
            break
        time.sleep(0.5)
    return code


def main():
    """Runs inside `landbridge up examples/rescue_board --once ...`."""
    town = current()
    with (
        town.client("app") as app,
        town.client("boat") as boat,
        town.client("crew") as crew,
        town.client("portal") as portal,
        tempfile.TemporaryDirectory() as folder,
    ):
        taken = app.submit("requests", map(request, range(3000)), purpose=EMERGENCY)
        print(f"{taken.accepted} requests taken, {taken.refused_count} refused")

        # A phone without a connection keeps what it took down; later it goes, once.
        queue = Path(folder) / "phone.sqlite"
        boat.submit("requests", purpose=EMERGENCY, queue=queue)
        late = boat.submit("requests", [request(9000, urgent=True)], purpose=EMERGENCY, queue=queue)
        print(f"from the phone's queue: {late.accepted}, waiting: {late.waiting}")

        bad = app.submit("requests", [request(1), request(9001, people=99)], purpose=EMERGENCY)
        print("refused:", ", ".join(f"{each.reason} {each.field}".strip() for each in bad.refused))

        print("H-00010:", seen(crew, "H-00010", "DANGER_FEW"))
        rescued = Contribution(request(10, rescued=True), corrects=True)
        boat.submit("requests", [rescued], purpose=EMERGENCY)
        print("H-00010 after the boat:", seen(crew, "H-00010", "RESCUED"))

        answer = portal.query(SQL, purpose=PUBLIC)
        print("the public sees", ", ".join(f"{d} {n:.0f}" for d, n in answer.rows()))
        try:
            portal.call("rescue.case", purpose=PUBLIC, household="H-00010")
        except Refused as refused:
            print(f"and no case: {refused.reason}")


main()
