"""This department's data: points of the last inspection."""

import csv
from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("company_id", "score")
ROWS = (
    ("R-100", 88),
    ("R-200", 41),
    ("R-300", 90),
)


def load(folder: Path) -> Mapping[str, Path]:
    """Writes the department's file into `folder`; gives the file of each contract."""
    path = folder / "kitchens.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((COLUMNS, *ROWS))
    return {"kitchens": path}
