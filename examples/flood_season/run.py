"""The river rises: an alert, what citizens report, and a team that goes."""

import runpy
import tempfile
from pathlib import Path

from landbridge.testing import current

PURPOSE = "dpv:PublicSafety"


def main() -> None:
    """Runs inside `landbridge up examples/flood_season --once ...`."""
    federation = current()
    here = federation.folder.path
    with federation.client("operations") as centre:
        # Gauges describe nobody: the alert names the gauge and the number.
        river = centre.watch(
            "SELECT gauge, count(*) AS hours FROM water.levels WHERE level_cm >= 350 "
            "GROUP BY gauge",
            when="hours >= 1",
            purpose=PURPOSE,
        )
        # Callers are protected: the whole life of this watch costs one epsilon, silence nothing.
        calls = centre.watch(
            "SELECT district, count(*) AS n FROM hotline.reports "
            "WHERE kind = 'flooded_road' GROUP BY district",
            when="n >= 300",
            every=1,
            epsilon=4,
            alerts=4,
            purpose=PURPOSE,
        )
        print(f"Watching: {river.view.when} by {river.view.method}, ", end="")
        print(f"{calls.view.when} (+- {calls.view.accuracy:.0f}) by {calls.view.method}")

        rain = centre.watch(
            "SELECT sum(millimetres) AS mm FROM weather.rain WHERE station = 'upper' AND hour >= 4",
            when="mm >= 10",
            purpose=PURPOSE,
        )
        (fallen,) = next(rain.follow(timeout=60)).cells
        print(f"Alert of the rain: {fallen.number:.0f} mm in the upper valley")

        federation.load("water", "levels", here / "later" / "levels.csv")
        high = next(river.follow(timeout=60))
        gauges = {cell.keys["gauge"]: cell.number for cell in high.cells}
        print(f"Alert {high.number} of the river: {gauges}")

        with tempfile.TemporaryDirectory() as folder:
            reports = runpy.run_path(str(here / "source.py"))["reports"]
            federation.load(
                "hotline", "reports", reports(Path(folder) / "r.csv", 12, flooded="riverside")
            )
        told = next(calls.follow(timeout=60))
        (cell,) = told.cells
        district = cell.keys["district"]
        print(f"Alert of the hotline: {district}, number {cell.number}")

        case = centre.open_case("flood_response", purpose=PURPOSE, district=district).wait(30)
        print(f"Response for {district}: {case.state}")
        other = centre.open_case("flood_response", purpose=PURPOSE, district="harbour").wait(30)
        print(f"Response for harbour: {other.state}, because {', '.join(other.reasons)}")

        view = calls.stop()
        print(f"The hotline's watch: {view.alerts} alert, state {view.state}: {view.reason}")
        print(f"It spent {view.spent / view.reserved:.0%} of what was set aside.")


main()
