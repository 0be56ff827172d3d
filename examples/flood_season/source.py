"""What the hotline heard: made up, the same in every run."""

import csv
import random
from pathlib import Path

DISTRICTS = ("riverside", "harbour", "hill")
KINDS = ("flooded_road", "no_power", "trapped")


def reports(path: Path, hours: int, flooded: str = "") -> Path:
    """Writes the reports of so many hours; in the later ones many come from the `flooded` one."""
    chance = random.Random("flood season")  # noqa: S311 - data, no secrets
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("caller", "district", "kind", "hour"))
        number = 0
        for hour in range(hours):
            calls = [(chance.choice(DISTRICTS), chance.choice(KINDS)) for _ in range(10)]
            if flooded and hour >= 6:
                calls += [(flooded, "flooded_road")] * 150
            for district, kind in calls:
                number += 1
                writer.writerow((f"C-{number:05}", district, kind, hour))
    return path
