"""The gateway as a process: `python -m gateway serve FILE`.

`landbridge gateway` is the same with help for people.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import membership, settings
from gateway.register import RegisterRefuses
from landbridge.edge.examination_page import show
from landbridge.edge.process import STOPPED_BY_OPERATOR, run, tell
from landbridge.edge.server import CannotListen
from landbridge.edge.settings import SettingsInvalid
from landbridge.edge.words import Words
from landbridge.evidence.finding import EvidenceError
from landbridge.identity.keys import KeySetError
from policies.access import PolicyInvalid
from policies.handler import HandlerInvalid
from policies.procedure import ProcedureInvalid

if TYPE_CHECKING:
    from gateway.app import Gateway

OPERATOR_ERRORS = (
    CannotListen,
    EvidenceError,
    KeySetError,
    OSError,
    PolicyInvalid,
    ProcedureInvalid,
    SettingsInvalid,
)


def main(arguments: list[str]) -> int:
    """Runs one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m gateway", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    serve = commands.add_parser("serve", help="serve until told to stop")
    serve.add_argument("settings", type=Path)
    serve.add_argument("--with-parent", action="store_true", help="stop when stdin closes")
    doctor = commands.add_parser("doctor", help="say what is wrong, and what to do")
    doctor.add_argument("settings", type=Path)
    doctor.add_argument("--json", action="store_true")
    doctor.add_argument("--quiet", action="store_true")
    check = commands.add_parser("procedure-check", help="show what procedures do")
    check.add_argument("folder", type=Path)
    check.add_argument("--json", action="store_true")
    for name, words in (
        ("invite", "print a join code for a department"),
        ("members", "list members and those who wait"),
        ("approve", "let a department in"),
        ("reject", "refuse a department"),
        ("revoke", "take a member out"),
        ("grant", "ask a member for further contracts or handlers"),
    ):
        command = commands.add_parser(name, help=words)
        command.add_argument("settings", type=Path)
        if name != "members":
            command.add_argument("department")
        if name == "approve":
            command.add_argument("--fingerprint", required=True)
        if name == "grant":
            command.add_argument("--contract", action="append", default=[])
            command.add_argument("--handler", action="append", default=[])
        if name == "invite":
            command.add_argument("--address", default="", help="where departments reach it")
    chosen = parser.parse_args(arguments)
    if chosen.command == "doctor":
        from gateway.doctor import examine

        findings = examine(chosen.settings, os.environ, time.time)
        return show(findings, as_json=chosen.json, quiet=chosen.quiet)
    if chosen.command == "procedure-check":
        return _procedure_check(chosen.folder, as_json=chosen.json)
    if chosen.command != "serve":
        return _operate(chosen)
    return _serve(chosen.settings, with_parent=chosen.with_parent)


def _serve(path: Path, *, with_parent: bool) -> int:
    # An operator's command has no use for a server.
    from gateway.app import start
    from gateway.cases.database import StoreUnusable

    try:
        several = settings.read(path, os.environ)
    except SettingsInvalid as invalid:
        tell(str(invalid))
        return STOPPED_BY_OPERATOR
    if several.workers > 1:
        from gateway import workers

        return workers.run(several, path, tell, with_parent=with_parent)

    def begin() -> Gateway:
        found = settings.read(path, os.environ)
        words = Words(found.operating.logs)
        words.listen()
        return start(found, words.report, words.tell, words.call)

    return run(begin, (*OPERATOR_ERRORS, StoreUnusable), with_parent=with_parent)


def _procedure_check(folder: Path, *, as_json: bool) -> int:
    """Status 1 where a procedure would not be loaded."""
    from rich.console import Console  # a server has no use for tables

    from gateway.cases import page

    try:
        checked = page.check(folder)
    except (OSError, ProcedureInvalid, HandlerInvalid, page.NoProcedures) as failure:
        tell(str(failure))
        return STOPPED_BY_OPERATOR
    if as_json:
        print(json.dumps(page.document(checked), indent=1))
    else:
        page.show(checked, Console())
    return int(any(each.problems for each in checked))


def _operate(chosen: argparse.Namespace) -> int:
    """One of the operator's commands; results on standard output, one JSON line per member."""
    try:
        found = settings.read(chosen.settings, os.environ)
        match chosen.command:
            case "invite":
                address = chosen.address or found.listen
                code = membership.invite(found, chosen.department, address, time.time)
                print(code.text(), flush=True)
                tell(f"The gateway's fingerprint is {code.fingerprint}")
                tell("The code is good once and for fifteen minutes; whoever has it can apply.")
            case "members":
                for line in membership.listing(found, time.time):
                    print(json.dumps(line), flush=True)
            case "approve":
                membership.approve(found, chosen.department, chosen.fingerprint, time.time)
                tell(
                    f"{chosen.department} is a member; a gateway that runs asks it within seconds."
                )
            case "revoke":
                membership.revoke(found, chosen.department, time.time)
                tell(
                    f"{chosen.department} is no member any more; mend access.cedar if it is named."
                )
            case "grant":
                membership.grant(found, chosen.department, chosen.contract, chosen.handler)
                tell(f"{chosen.department} is asked for them; a running gateway follows.")
            case _:
                membership.reject(found, chosen.department, time.time)
                tell(f"{chosen.department} was refused.")
    except (*OPERATOR_ERRORS, RegisterRefuses) as failure:
        tell(str(failure))
        return STOPPED_BY_OPERATOR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
