"""The node as a process: `python -m nodes serve FILE` and `python -m nodes load ...`.

`landbridge node` is the same with help for people.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

from landbridge.days import is_day
from landbridge.edge.process import STOPPED_BY_OPERATOR, run, tell, without_core
from landbridge.edge.record import Recorder
from landbridge.edge.server import CannotListen
from landbridge.edge.settings import SettingsInvalid
from landbridge.edge.state import log_signer, subject_key
from landbridge.edge.words import Words
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.log import Log
from landbridge.identity.keys import KeySetError
from landbridge.membership.code import CodeInvalid, JoinCode
from landbridge.membership.manifest import ManifestInvalid
from landbridge.membership.pinned import Pinned
from nodes import policy, settings
from nodes.engines.engine import EngineNotStarted
from nodes.join import JoinFailed, join
from nodes.ledger import LedgerUnusable
from nodes.members import logged
from nodes.queue import QueueUnusable
from nodes.store import Store, StoreBusy, StoreDamaged
from policies import odcs
from policies.access import PolicyInvalid
from policies.handler import HandlerInvalid

OPERATOR_ERRORS = (
    CannotListen,
    EngineNotStarted,
    EvidenceError,
    CodeInvalid,
    HandlerInvalid,
    JoinFailed,
    ManifestInvalid,
    KeySetError,
    LedgerUnusable,
    OSError,
    PolicyInvalid,
    QueueUnusable,
    SettingsInvalid,
    StoreBusy,
    StoreDamaged,
    odcs.ContractInvalid,
    policy.PolicyFolderInvalid,
)


def main(arguments: list[str]) -> int:
    """Runs one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nodes", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    serve = commands.add_parser("serve", help="serve until told to stop")
    serve.add_argument("settings", type=Path)
    serve.add_argument("--with-parent", action="store_true", help="stop when stdin closes")
    doctor = commands.add_parser("doctor", help="say what is wrong, and what to do")
    doctor.add_argument("settings", type=Path)
    doctor.add_argument("--gateway", default="", help="its address, to be reached as well")
    doctor.add_argument("--json", action="store_true")
    doctor.add_argument("--quiet", action="store_true")
    load = commands.add_parser("load", help="load a file, or what a script writes")
    load.add_argument("settings", type=Path)
    load.add_argument("contract", nargs="?")
    load.add_argument("source", nargs="?")
    load.add_argument("--script", type=Path, help="a load.py whose load(folder) gives the files")
    load.add_argument("--as-of", default="", help="the day that the data are of, 2026-10-31")
    check = commands.add_parser("policy-check", help="validate a policy, show what it lets out")
    check.add_argument("folder", type=Path)
    check.add_argument("--json", action="store_true")
    diff = commands.add_parser("policy-diff", help="show what a change newly lets out")
    diff.add_argument("old", type=Path)
    diff.add_argument("new", type=Path)
    diff.add_argument("--json", action="store_true")
    diff.add_argument("--strict", action="store_true", help="status 1 where more is let out")
    joining = commands.add_parser("join", help="become a member with a join code")
    joining.add_argument("code")
    joining.add_argument("folder", type=Path)
    joining.add_argument("--address", default="", help="where the gateway reaches this node")
    joining.add_argument("--yes", action="store_true", help="the fingerprint was compared")
    accept = commands.add_parser("accept", help="see, and accept, a manifest that waits")
    accept.add_argument("settings", type=Path)
    accept.add_argument("--version", type=int, default=0)
    chosen = parser.parse_args(arguments)
    if chosen.command == "serve":
        return _serve(chosen.settings, with_parent=chosen.with_parent)
    if chosen.command == "doctor":
        from landbridge.edge.examination_page import show
        from nodes.doctor import examine

        findings = examine(chosen.settings, os.environ, time.time, chosen.gateway)
        return show(findings, as_json=chosen.json, quiet=chosen.quiet)
    try:
        if chosen.command == "policy-check":
            return _policy_check(chosen.folder, as_json=chosen.json)
        if chosen.command == "policy-diff":
            return _policy_diff(chosen.old, chosen.new, as_json=chosen.json, strict=chosen.strict)
        if chosen.command == "join":
            return _join(chosen)
        if chosen.command == "accept":
            return _accept(chosen.settings, chosen.version)
        return _load(chosen.settings, chosen.contract, chosen.source, chosen.script, chosen.as_of)
    except OPERATOR_ERRORS as failure:
        tell(str(failure))
        return STOPPED_BY_OPERATOR


def _serve(path: Path, *, with_parent: bool) -> int:
    from nodes.app import Node, start  # the loader has no use for a server

    def begin() -> Node:
        found = settings.read(path, os.environ)
        words = Words(found.operating.logs)
        words.listen()
        return start(found, words.report, words.tell, words.call)

    return run(begin, OPERATOR_ERRORS, with_parent=with_parent)


def _policy_check(folder: Path, *, as_json: bool) -> int:
    from nodes import policy_folder, policy_page  # a server has no use for tables

    reviewed = policy_folder.review(folder)
    if as_json:
        print(json.dumps(policy_page.outlets_document(reviewed), indent=1))
    else:
        policy_page.show_outlets(reviewed)
    return 0


def _policy_diff(old: Path, new: Path, *, as_json: bool, strict: bool) -> int:
    from nodes import policy_folder, policy_page

    changed = policy_folder.compare(old, new)
    if as_json:
        print(json.dumps(policy_page.changes_document(changed), indent=1))
    else:
        policy_page.show_changes(changed)
    wider = any(change.wider for found in changed.values() for change in found)
    return int(strict and wider)


def _join(chosen: argparse.Namespace) -> int:
    def confirm(fingerprint: str) -> bool:
        tell(f"The gateway's fingerprint is {fingerprint}")
        if chosen.yes:
            return True
        tell("Is that what the gateway's operator told you? [y/N]")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    # "-": on the command line other users of this machine could read it.
    code = sys.stdin.readline() if chosen.code == "-" else chosen.code
    found = settings.read(chosen.folder / "node.toml", os.environ)
    address = chosen.address or found.listen
    join(JoinCode.read(code.strip()), found, address, confirm, tell)
    tell(f"{found.department} is a member; start it with its node.toml.")
    return 0


def _accept(path: Path, version: int) -> int:
    """Without a version, says what waits. To accept, the node must not run: the log is one's."""
    found = settings.read(path, os.environ)
    if version:
        return _accepted(found, version)
    pinned = Pinned(found.state, found.department)
    waiting = pinned.waiting()
    if waiting is None:
        tell("No manifest waits for an answer.")
        return 0
    offered, differences = waiting
    for change in differences:
        tell(f"{change.department} {change.what}{' (needs your yes)' if change.needs_yes else ''}")
    tell(f"To accept it, stop the node and say --version {offered.version}")
    return 0


def _accepted(found: settings.Settings, version: int) -> int:
    served = policy.read(
        found.department, found.contracts, found.handlers, found.access, found.groups
    )
    signer = log_signer(found.state, f"{found.federation}/{found.department}")
    log = Log.open(found.state / "log", found.state / "journal", signer)
    try:
        recorder = Recorder(log, subject_key(found.state), served.digest, time.time)
        Pinned(found.state, found.department, logged(recorder)).accept(version)
    finally:
        log.close()
    tell(f"Version {version} is pinned.")
    return 0


def _load(
    path: Path, contract: str | None, source: str | None, script: Path | None, as_of: str
) -> int:
    """Prints one JSON line per loaded contract; a violation is one sentence and status 2."""
    from nodes.load_report import LoadRefused
    from nodes.loading import loading  # brings DuckDB, which the server never loads

    if as_of and not is_day(as_of):
        tell("--as-of must be the day that the data are of, as in 2026-10-31.")
        return STOPPED_BY_OPERATOR
    without_core()  # whole tables are in its memory
    chosen = settings.read(path, os.environ)
    contracts = {
        found.id: found
        for file in sorted(chosen.contracts.glob("*.odcs.yaml"))
        for found in [odcs.read(file.read_bytes(), str(file))]
    }
    store = Store(chosen.state / "data")
    with (
        tempfile.TemporaryDirectory(prefix="landbridge-load-") as folder,
        loading(chosen.engine, store) as load,
    ):
        if script is not None:
            files = runpy.run_path(str(script))["load"](Path(folder))
        elif contract is not None and source is not None:
            files = {contract: source}
        else:
            tell("Name a contract and a file or table, or a script.")
            return STOPPED_BY_OPERATOR
        for name, file in files.items():
            if name not in contracts:
                tell(f"There is no contract {name}; there are {', '.join(contracts)}.")
                return STOPPED_BY_OPERATOR
            if contracts[name].collection is not None:
                tell(
                    f"The rows of {name} are handed in (landbridgeCollection) and not loaded; "
                    "hand the file in with landbridge submit."
                )
                return STOPPED_BY_OPERATOR
            try:
                found = load(contracts[name], str(file), as_of)
            except LoadRefused as refused:
                tell(str(refused))
                return STOPPED_BY_OPERATOR
            loaded = found.loaded
            print(
                json.dumps(
                    {
                        "contract": name,
                        "rows": found.rows,
                        "set_aside": loaded.set_aside if loaded else 0,
                        "units": loaded.units if loaded else 0,
                        "largest_unit": loaded.largest_unit if loaded else 0,
                        "ignored_columns": list(found.ignored),
                        "data_version": loaded.version if loaded else "",
                        "as_of": as_of,
                        "unchanged": found.unchanged,
                    }
                ),
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
