"""What the sensors say: made up, the same in every run."""

import csv
import random
from pathlib import Path

STREETS = ("mill_lane", "quay", "old_market")


def elders(path: Path, quiet: tuple[str, ...] = (), without_water: str = "") -> Path:
    """Writes 300 elders; the `quiet` ones have used nothing for days, nor has a whole street."""
    chance = random.Random("elder care")  # noqa: S311 - data, no secrets
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("elder_id", "street", "door_hours", "water_hours"))
        for number in range(1, 301):
            name, street = f"E-{number:04}", STREETS[number % 3]
            door, water = chance.randrange(30), chance.randrange(14)
            if name in quiet or street == without_water:
                door, water = door + 50, water + 50
            writer.writerow((name, street, door, water))
    return path
