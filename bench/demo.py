"""The demo's federation, as several rows use it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from landbridge.federation.process import ROOT

FOLDER: Final[Path] = ROOT / "examples" / "nyc_flights"

RESEARCH: Final = "dpv:ResearchAndDevelopment"
LAW: Final = "dpv:LegalCompliance"

ONE_EACH: Final = {
    "ewr": "SELECT count(*) AS n FROM ewr.flights",
    "jfk": "SELECT count(*) AS n FROM jfk.flights",
    "lga": "SELECT count(*) AS n FROM lga.flights",
    "faa": "SELECT count(*) AS n FROM planes",
    "noaa": "SELECT count(*) AS n FROM weather",
}
"""A question for each department alone, as alice may ask it for research."""
