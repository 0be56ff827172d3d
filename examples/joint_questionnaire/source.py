"""The data of the example: households of five cities answer one form. Made up, by a fixed seed."""

import csv
import random
from datetime import date, timedelta
from pathlib import Path

QUARTERS = ("centre", "north", "south", "rural")
HEATING = ("district", "gas", "oil", "wood", "electric")
ARREARS = ("never", "once", "often")


def answers(folder: Path, city: str, count: int) -> dict[str, Path]:
    """Writes `household.csv`: so many answers of one city."""
    chance = random.Random(f"joint questionnaire, {city}")  # noqa: S311 - data, no secrets
    path = folder / "household.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("household_id", "quarter", "size", "answered", "heating", "income", "arrears")
        )
        for number in range(1, count + 1):
            income = max(0, round(chance.gauss(3200, 1300)))
            writer.writerow(
                (
                    number,
                    chance.choices(QUARTERS, (4, 3, 2, 1))[0],
                    min(8, 1 + int(chance.expovariate(0.7))),
                    date(2026, 3, 1) + timedelta(days=chance.randrange(92)),
                    chance.choices(HEATING, (3, 4, 2, 1, 2))[0],
                    income,
                    chance.choices(ARREARS, (8, 1, 1) if income > 2000 else (3, 1, 1))[0],
                )
            )
    return {"household": path}
