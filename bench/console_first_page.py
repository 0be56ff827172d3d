"""`console_first_page`: what an auditor waits for the log's first page, of a million entries."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.row import Aim, Row, RowFailed, Say
from bench.samples import in_turn, seconds
from gateway.console.browse import Searching
from gateway.console.composing import FOLDER
from gateway.console.index import Index
from gateway.console.log_pages import LogPages
from gateway.console.reading import Reading
from gateway.console.site import Site, Way
from landbridge.edge.record import Recorder
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.signer import Signer
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.web.asking import Ask
from landbridge.web.front import Visit
from landbridge.web.pages import Pages
from landbridge.web.sessions import Session
from landbridge.web.words import Words
from policies.access import AccessPolicy

ENTRIES: Final = int(os.environ.get("LANDBRIDGE_BENCH_ENTRIES", "1000000"))
FEW: Final = 50
ROUNDS: Final = 31
OFFICES, RESOURCES = 40, 25
ENGLISH: Final = Words([]).wanted("en", "")
POLICY: Final = '@id("bench") permit (principal, action == Action::"audit", resource);'


def measure(say: Say) -> Row:
    """Milliseconds of server time for `/log`, signed in, searched, rendered and logged."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        say(f"a log of {ENTRIES} entries and its index")
        with (
            _site(Path(folder) / "many", ENTRIES, say) as many,
            _site(Path(folder) / "few", FEW, say) as few,
        ):
            ours, floor = in_turn(
                lambda: seconds(lambda: _page(many)) * 1_000,
                lambda: seconds(lambda: _page(few)) * 1_000,
                rounds=ROUNDS,
            )
    return Row.of(
        "console_first_page",
        ours,
        floor,
        better="lower",
        aim=Aim("value", 100.0),
        note=f"milliseconds of server time for the log's first page, {ENTRIES} entries: policy, "
        "search, facets, fifty entries read and hashed, the page rendered and its own entry "
        f"durable; floor: the same of a log of {FEW}",
    )


def _page(site: Site) -> None:
    caller = Caller("auditor", "audit", "bench", Level.RESTRICTED, frozenset(), "t", 1e12)
    session = Session("auditor", "token", "form", 0.0, 0.0)
    ask = Ask("GET", "/log")
    reply = site.visit(Visit(ask, caller, session, ENGLISH))
    if reply.status != 200:
        raise RowFailed("The page was not shown.")


@contextmanager
def _site(folder: Path, entries: int, say: Say) -> Iterator[Site]:
    signer, key = Signer.create("bench/gateway"), SubjectKey.create()
    with Log.open(folder / "log", folder / "journal", signer) as log:
        waiting = []
        for number in range(entries):
            waiting.append(log.submit(Entry.bytes_of(_entry(number))))
            if len(waiting) == 1_024:
                waiting[-1].result()
                waiting.clear()
        for each in waiting:
            each.result()
        index = Index(folder / "console" / "index.sqlite", folder / "log")
        while log.size > Reading(folder / "log", signer.name).published().size:
            time.sleep(0.05)  # the folder is published twice a second
        index.open()
        took = seconds(lambda: index.catch_up())
        say(f"indexed {index.size} entries in {took:.1f} s")
        pages = LogPages(
            index, Reading(folder / "log", signer.name), lambda: Searching([key]), signer.vkey
        )
        access = AccessPolicy.load(POLICY, "bench", contracts=(), handlers=())
        yield Site(
            "Bench",
            signer.name,
            [Way.of("GET", "/log", pages.search)],
            [],
            Recorder(log, key, access.digest, time.time),
            lambda: access,
            lambda: ("ewr", "jfk"),
            Pages([FOLDER]),
            {"en": "English"},
            time.time,
        )


def _entry(number: int) -> dict[str, Any]:
    """Like a day's: many offices and tables, some refusals, an hour's worth each minute."""
    asked: dict[str, Any] = {
        "kind": "query" if number % 4 else "call",
        "time": f"2026-{1 + number // 90_000 % 12:02d}-{1 + number // 3_000 % 28:02d}T"
        f"{number // 125 % 24:02d}:{number % 60:02d}:00.000000Z",
        "outcome": "refused" if number % 9 == 0 else "answered",
        "organisation": f"office-{number % OFFICES}",
        "purpose": "dpv:ServiceProvision",
        "caller": f"{number % 997:064x}",
        "resource": f"table-{number % RESOURCES}",
        "members": ["ewr", "jfk"] if number % 3 else ["ewr"],
        "charged_micro_rho": number % 1_000,
        "question_id": f"{number:032x}",
    }
    if number % 9 == 0:
        asked["reason"] = "ACCESS_DENIED"
    return asked
