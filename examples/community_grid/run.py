"""A community grid: notices down, health reports up, and two votes.

landbridge up examples/community_grid --once examples/community_grid/run.py
"""

import runpy
import time

import landbridge
from landbridge.testing import current

GROUP = "health.hillside"


def main() -> None:
    """Runs inside `landbridge up examples/community_grid --once ...`."""
    town = current()
    source = runpy.run_path(str(town.folder.path / "source.py"))

    def resident(name: str) -> landbridge.Client:
        token = town.token("resident", subject=name)
        return landbridge.connect(town.address, token=token, ca=town.ca)

    # Down: an officer publishes on the health office's own machine; members read, with a token to
    # go on behind.
    with town.publisher("health", "nurse") as nurse, resident("R-001") as mina:
        nurse.notice("hillside", "Flu", "Vaccination in the hall on Friday, from nine.")
        grid = mina.group(GROUP)
        last = grid.notices()[-1]
        print(f"Notice {last.number} to {grid.title}: {last.title}")
        nurse.notice("hillside", "Heat", "The library is open as a cool place.")
        new = next(grid.follow(30, after=last.token))
        print(f"Notice {new.number}, as it came: {new.title}")

        # Up: reports are sealed to the health office; members ask what the group declares.
        taken = grid.report(source["reports"](400))
        print(f"{taken.accepted} health reports taken")
        for _ in range(60):
            try:
                counts = {symptom: n for symptom, n, *_ in grid.ask("symptoms").rows()}
            except landbridge.Unavailable:
                counts = {}  # no version is there yet
            if sum(map(float, counts.values())) > 200:
                break
            time.sleep(0.5)
        print("Unwell:", ", ".join(f"{name} {n:.0f}" for name, n in counts.items()))

    # A vote in two shares, which no office can open; one ballot of each person.
    for number, name in enumerate(source["RESIDENTS"][:60]):
        with resident(name) as voter:
            voter.group(GROUP).vote("night_market", number % 3 != 0)
    with resident("R-001") as mina:
        grid = mina.group(GROUP)
        try:
            grid.vote("night_market", choice=False)
        except landbridge.Refused as refused:
            print(f"A second ballot: {refused.reason}, {refused.rule}")
        # The other poll is counted by one office, when it is over and not before.
        grid.vote("playground", "garden")
        try:
            grid.result("playground")
        except landbridge.Refused as refused:
            print(f"How the playground stands: {refused.reason}")
    with town.client("grid-worker") as worker:
        print(worker.group(GROUP).result("night_market", epsilon=2))

    with town.client("tourist") as tourist:
        print(f"A tourist sees {len(tourist.groups().groups)} groups", end=", ")
        try:
            tourist.group(GROUP)
        except landbridge.Refused as refused:
            print(f"and no hillside: {refused.reason}")


main()
