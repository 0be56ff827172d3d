"""How to ask a federation by hand that runs on this machine."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landbridge.federation.running import Federation


def lines(running: Federation, question: Sequence[str] = ("directory",)) -> list[str]:
    """Shell lines; the caller is the first of `gateway/callers.toml`. No token stands in them."""
    ourselves = program()
    caller = next(iter(running.folder.callers), "CALLER")
    state = shlex.quote(str(running.state))
    return [
        f"export LANDBRIDGE_ADDRESS={running.address}",
        f"export LANDBRIDGE_CA={shlex.quote(str(running.ca))}",
        f"export LANDBRIDGE_TOKEN=$({ourselves} token issue {state} {shlex.quote(caller)})",
        f"{ourselves} {shlex.join(question)}",
    ]


def console(running: Federation) -> list[str]:
    """Where the web console is, and who can look at something there; nothing without one."""
    if not running.console_address:
        return []
    return [
        f"# Look at it in a browser: {running.console_address}",
        *(
            f"# The officers' desk of {each.department}: {running.desk_address(each.department)}"
            for each in running.folder.members
            if running.desk_address(each.department)
        ),
        "# Its certificate is of a development authority, and its sign-in asks for no password.",
    ]


def program() -> str:
    """How this program is called here: by its name where the shell finds it, else by its path."""
    if shutil.which("landbridge"):
        return "landbridge"
    path = Path(sys.argv[0])
    return shlex.quote(str(path.absolute())) if path.name == "landbridge" else "landbridge"
