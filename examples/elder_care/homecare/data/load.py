"""The sensors this morning: one elder has been quiet for two days."""

import runpy
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "source.py"


def load(folder: Path) -> Mapping[str, Path]:
    """Writes the file into `folder`; gives the file of each contract."""
    elders = runpy.run_path(str(SOURCE))["elders"]
    return {"elders": elders(folder / "elders.csv", quiet=("E-0042",))}
