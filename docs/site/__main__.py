"""Build the site: `python -m docs.site FOLDER`. Any warning is an error; nothing is fetched."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from docs.site.building import build


def main() -> int:
    """Builds into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as staging:
        status = build(Path(staging), folder)
    if not status:
        print(folder / "index.html")
    return status


if __name__ == "__main__":
    sys.exit(main())
