"""This department's data: made-up files about made-up people."""

import csv
from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("file_id", "suspect", "offence", "statements")
ROWS = (
    ("F-1", "S-17", "fraud", 4),
    ("F-2", "S-18", "theft", 1),
    ("F-3", "S-19", "assault", 3),
)


def load(folder: Path) -> Mapping[str, Path]:
    """Writes the department's file into `folder`; gives the file of each contract."""
    path = folder / "files.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((COLUMNS, *ROWS))
    return {"files": path}
