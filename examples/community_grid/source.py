"""The registry of the hillside and what its residents report; the same each time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

RESIDENTS = [f"R-{number:03}" for number in range(1, 81)]
STREETS = ("quay", "mill", "terrace")
SYMPTOMS = ("none", "none", "none", "cough", "fever")


def registry() -> str:
    """As it lies in health/groups/hillside.members."""
    lines = "".join(f"residents {resident}\n" for resident in RESIDENTS)
    return f"# Registered residents of the hillside: organisation and subject.\n{lines}"


def reports(households: int) -> list[dict[str, object]]:
    """A health report of each household, taken down yesterday."""
    chance = Random(2026)  # noqa: S311 - an example tells the same story each time
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    return [
        {
            "household": f"H-{number:04}",
            "street": STREETS[number % 3],
            "symptom": chance.choice(SYMPTOMS),
            "day": day,
        }
        for number in range(households)
    ]


if __name__ == "__main__":
    place = Path(__file__).parent / "health" / "groups" / "hillside.members"
    place.write_text(registry(), encoding="utf-8")
