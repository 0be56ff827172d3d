"""This department's data: a handful of made-up companies."""

import csv
from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("company_id", "standing", "premises")
ROWS = (
    ("R-100", "good", "Quay 3"),
    ("R-200", "good", "Mill Lane 9"),
    ("R-300", "struck_off", "Old Market 1"),
)


def load(folder: Path) -> Mapping[str, Path]:
    """Writes the department's file into `folder`; gives the file of each contract."""
    path = folder / "companies.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((COLUMNS, *ROWS))
    return {"companies": path}
