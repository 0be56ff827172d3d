"""What a doctor found, as a table for people or as JSON, and the exit status that says the same."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from landbridge.edge.examination import Finding
from landbridge.edge.process import STOPPED_BY_OPERATOR

_MARKS: Final = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}
_STYLES: Final = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def show(findings: Sequence[Finding], *, as_json: bool, quiet: bool) -> int:
    """Prints them; 0, or 2 where there is a problem. `quiet` leaves out what is well."""
    shown = [each for each in findings if not quiet or each.state != "ok"]
    if as_json:
        sys.stdout.write(json.dumps([asdict(each) for each in shown], indent=1) + "\n")
    elif shown:
        table = Table("check", "", "what was found", "what to do", box=None, pad_edge=False)
        for each in shown:
            mark = Text(_MARKS[each.state], _STYLES[each.state])
            table.add_row(each.check, mark, Text(each.found), Text(each.remedy))
        Console().print(table)
    return STOPPED_BY_OPERATOR if any(each.state == "problem" for each in findings) else 0
