"""`python -m bench.scale`: the tables and the picture of docs/scale.md, made anew.

`--measure` takes the measurements first (minutes; on a quiet machine), `--check` changes nothing
and exits with status 1 where the page is not what it would be made to.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.scale.costs import MEASURED, Costs
from bench.scale.drawing import picture
from bench.scale.nation import Nation
from bench.scale.page import growth, tables

DOCS: Final = Path(__file__).parents[2] / "docs"
SECONDS: Final = 20.0


def made(text: str, found: dict[str, str]) -> str:
    """The page with its tables; each stands between comments with its name."""
    for name, table in found.items():
        head, begins, rest = text.partition(f"<!-- {name} -->\n")
        _, ends, tail = rest.partition(f"<!-- end {name} -->")
        if not begins or not ends:
            raise ValueError(f"docs/scale.md has no place for the table {name}")
        text = head + begins + table + ends + tail
    return text


def main(arguments: Sequence[str], docs: Path = DOCS) -> int:
    """Writes page and picture; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the busiest hour")
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        from bench.scale.measuring import write  # everything that is measured loads with it

        write(MEASURED, lambda said: print(said, file=sys.stderr))
    costs, nation = Costs.read(), Nation()
    wanted = {
        docs / "scale.md": made(
            (docs / "scale.md").read_text("utf-8"), tables(nation, costs, chosen.seconds)
        ),
        docs / "scale.svg": picture(growth(nation, costs)),
    }
    stale = [path for path, text in wanted.items() if _text(path) != text]
    if chosen.check:
        for path in stale:
            print(f"{path.name} is stale: python -m bench.scale", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    return 0


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
