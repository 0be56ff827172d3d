"""The console's pages over a made-up log, without its door: what two rows of the bench ask."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.crowd import contract_of
from bench.row import RowFailed, Say
from bench.samples import in_turn, seconds
from gateway.catalogue import Catalogue, Offer, catalogue
from gateway.console.browse import Searching
from gateway.console.budgets import Budgets
from gateway.console.composing import FOLDER
from gateway.console.index import Index
from gateway.console.latencies import Latencies
from gateway.console.log_pages import LogPages
from gateway.console.overview import Overview
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
from policies.contract import Contract

ENTRIES: Final = int(os.environ.get("LANDBRIDGE_BENCH_ENTRIES", "1000000"))
FEW: Final = 50
ROUNDS: Final = 31
OFFICES, RESOURCES = 40, 25
DEPARTMENTS: Final = ("ewr", "jfk", "lga", "faa", "noaa")
NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
"""Within the entries' year, whenever this is run: the overview looks two weeks back."""
ENGLISH: Final = Words([]).wanted("en", "")
POLICY: Final = '@id("bench") permit (principal, action == Action::"audit", resource);'


def page_of(address: str, say: Say) -> tuple[list[float], list[float]]:
    """Milliseconds for that page of a log of `ENTRIES`, and of one of `FEW`, in turn."""
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        say(f"a log of {ENTRIES} entries and its index")
        with (
            site(Path(folder) / "many", ENTRIES, say) as many,
            site(Path(folder) / "few", FEW, say) as few,
        ):
            ours, floor = in_turn(
                lambda: seconds(lambda: show(many, address)) * 1_000,
                lambda: seconds(lambda: show(few, address)) * 1_000,
                rounds=ROUNDS,
            )
    return ours, floor


def show(shown: Site, address: str) -> bytes:
    """The page, as somebody who is signed in gets it."""
    caller = Caller("auditor", "audit", "bench", Level.RESTRICTED, frozenset(), "t", 1e12)
    session = Session("auditor", "token", "form", 0.0, 0.0)
    reply = shown.visit(Visit(Ask("GET", address), caller, session, ENGLISH))
    if reply.status != 200 or not isinstance(reply.body, bytes):
        raise RowFailed("The page was not shown.")
    return reply.body


@contextmanager
def site(folder: Path, entries: int, say: Say) -> Iterator[Site]:
    """The console's two first pages over a log of so many entries, with its index."""
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
        known = _catalogue()
        overview = Overview(
            index,
            Reading(folder / "log", signer.name),
            lambda: known,
            lambda: DEPARTMENTS[-1:],
            list,
            Latencies(),
            Budgets(index, lambda: known),
        )
        yield Site(
            "Bench",
            signer.name,
            [Way.of("GET", "/", overview), Way.of("GET", "/log", pages.search)],
            [],
            Recorder(log, key, access.digest, lambda: NOW),
            lambda: access,
            lambda: known.members,
            Pages([FOLDER]),
            {"en": "English"},
            lambda: NOW,
        )


def _catalogue() -> Catalogue:
    """Departments that serve the entries' tables, each with a budget."""
    contract = contract_of(1)
    offers = {
        name: Offer(
            name,
            name,
            {each.id: each for each in _tables(contract, place)},
            {},
            "",
        )
        for place, name in enumerate(DEPARTMENTS)
    }
    declared = {name: tuple(offer.contracts) for name, offer in offers.items()}
    return catalogue(DEPARTMENTS, declared, offers)


def _tables(contract: Contract, place: int) -> list[Contract]:
    numbers = range(place, RESOURCES, len(DEPARTMENTS))
    return [replace(contract, id=f"table-{number}") for number in numbers]


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
        "members": [DEPARTMENTS[number % RESOURCES % len(DEPARTMENTS)]],
        "charged_micro_rho": number % 1_000,
        "question_id": f"{number:032x}",
    }
    if number % 9 == 0:
        asked["reason"] = "ACCESS_DENIED"
    return asked
