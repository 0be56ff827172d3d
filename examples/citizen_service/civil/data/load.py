"""This department's data: made-up residents."""

import csv
from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("citizen_id", "resident", "children")
ROWS = (
    ("C-01", 1, 2),
    ("C-02", 1, 0),
    ("C-03", 0, 1),
    ("C-04", 1, 1),
)


def load(folder: Path) -> Mapping[str, Path]:
    """Writes the department's file into `folder`; gives the file of each contract."""
    path = folder / "residents.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((COLUMNS, *ROWS))
    return {"residents": path}
