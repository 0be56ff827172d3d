"""An elder who is quiet is named to the community worker alone; a street is told of as a number."""

import runpy
import tempfile
from pathlib import Path

from landbridge.errors import Refused
from landbridge.testing import current

PURPOSE = "dpv:ServiceProvision"


def main() -> None:
    """Runs inside `landbridge up examples/elder_care --once ...`."""
    federation = current()
    elders = runpy.run_path(str(federation.folder.path / "source.py"))["elders"]
    with (
        federation.client("street") as office,
        federation.attendant("homecare", "worker") as worker,
        federation.attendant("homecare", "bookkeeper") as bookkeeper,
        tempfile.TemporaryDirectory() as folder,
    ):
        # The street office hears when many are quiet at once, and never who.
        many = office.watch(
            "SELECT street, count(*) AS n FROM homecare.elders "
            "WHERE door_hours >= 48 AND water_hours >= 48 GROUP BY street",
            when="n >= 60",
            every=1,
            epsilon=4,
            alerts=3,
            purpose=PURPOSE,
        )
        # The home-care service looks at its own elders; this never leaves its machine.
        case = next(worker.follow(timeout=60))
        print(f"To the {case.role}: {case.subject} is {case.code}")
        print(f"The bookkeeper of the same service sees {len(bookkeeper.list())} cases.")
        worker.done(case)
        print(f"After a visit {len(worker.list())} cases are open.")
        try:
            office.call("homecare.quiet", purpose=PURPOSE, elder_id="E-0042")
        except Refused as refusal:
            print(f"To the street office: {refusal.reason}")
        told = next(iter(many.follow(timeout=3)), None)
        print(f"One quiet elder is no alert to the street office: {told is None}")

        federation.load("homecare", "elders", elders(Path(folder) / "e.csv", ("E-0042",), "quay"))
        alert = next(many.follow(timeout=60))
        print(f"Alert to the street office: {alert.cells[0].keys['street']}, no name, no number")
        many.stop()


main()
