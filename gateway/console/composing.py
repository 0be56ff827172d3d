"""The console's parts put together, for the gateway's composition root."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cases.store import Store
from gateway.catalogue import Catalogue
from gateway.console.about_page import AboutPage, Portal
from gateway.console.anomaly_page import Anomalies
from gateway.console.browse import Searching
from gateway.console.budgets import Budgets
from gateway.console.case_pages import CasePages
from gateway.console.consultation_page import ConsultationPage
from gateway.console.index import Index
from gateway.console.keeping import Keeping
from gateway.console.latencies import Latencies
from gateway.console.log_pages import LogPages
from gateway.console.member_pages import Enrolling, MemberPages
from gateway.console.overview import Overview
from gateway.console.policy_pages import PolicyPages
from gateway.console.reading import Reading
from gateway.console.settings import ConsoleSettings
from gateway.console.site import Site, Tab, Way
from gateway.console.versions import Versions
from landbridge.edge.record import Recorder
from landbridge.edge.server import CannotListen
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_secret
from landbridge.evidence.subject import SubjectKey
from landbridge.evidence.subject_keys import SubjectKeys
from landbridge.identity.issuers import Verifier
from landbridge.web.door import Door, listen
from landbridge.web.front import Front
from landbridge.web.pages import Pages
from landbridge.web.provider import Client, HttpsProvider
from landbridge.web.sessions import Sessions
from landbridge.web.signin import SignIn
from landbridge.web.words import Words
from policies.access import AccessPolicy
from policies.procedure import Procedure

FOLDER: Final = Path(__file__).parent
LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What the gateway is, for the console to show: all of it is looked at, little is done.

    `witnesses` are the keys of the log's witnesses now, `silent` the departments that did not
    describe themselves when they were last asked, `issuer` the first that the gateway trusts,
    `environment` the process's, by which git is found.
    """

    federation: str
    log: Path
    log_name: str
    vkey: str
    state: Path
    issuer: str
    key: Path
    certificate: Path
    recorder: Recorder
    verifier: Verifier
    access: Callable[[], AccessPolicy]
    catalogue: Callable[[], Catalogue]
    silent: Callable[[], Collection[str]]
    witnesses: Callable[[], Collection[WitnessKey]]
    periods: SubjectKeys
    lasting: SubjectKey
    latencies: Latencies
    store: Store
    procedures: Callable[[], Mapping[str, Procedure]]
    policy: Path
    enrolling: Enrolling
    portal: Callable[[str], Portal]
    environment: Mapping[str, str]
    report: Callable[[BaseException], None]


class Console:
    """A console that serves; `close` ends it."""

    def __init__(
        self,
        door: Door,
        index: Index,
        keep: Callable[[], None],
        report: Callable[[BaseException], None],
    ) -> None:
        self._door = door
        self._index = index
        self._keep = keep
        self._report = report
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="console-index", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._door.port

    def renew(self) -> None:
        """Shows the certificate that is on disk now."""
        self._door.renew()

    def close(self) -> None:
        """Takes no more requests, and stops following the log."""
        self._ending.set()
        self._door.close()
        self._thread.join()

    def _follow(self) -> None:
        """The index follows the log, and the kept policies the one in force."""
        while not self._ending.is_set():
            try:
                self._keep()
                while not self._ending.is_set() and not self._index.catch_up(65_536):
                    pass
            except (EvidenceError, OSError):
                pass  # pages say that the log cannot be read
            except Exception as defect:  # noqa: BLE001 - the next look must come
                self._report(defect)
            self._ending.wait(LOOK_SECONDS)


def open_console(settings: ConsoleSettings, ground: Ground) -> Console:
    """A console that listens when this returns; raises CannotListen, one sentence."""
    pages = Pages([FOLDER])
    words = Words([FOLDER / "words"])
    reading = Reading(ground.log, ground.log_name)
    index = Index(ground.state / "console" / "index.sqlite", ground.log)
    try:
        index.open()
        listening = listen(settings.listen)
    except (ValueError, OSError, EvidenceError) as problem:
        raise CannotListen(f"The console cannot be opened: {problem}") from None
    address = settings.address or _address(settings.listen, listening.getsockname()[1])

    def searching() -> Searching:
        # Each month has a key of its own, and a forgotten month has none.
        kept = [each.key for each in ground.periods.every().values()]
        return Searching([ground.lasting, *kept])

    log = LogPages(index, reading, searching, ground.vkey)
    budgets = Budgets(index, ground.catalogue)
    overview = Overview(
        index,
        reading,
        ground.catalogue,
        ground.silent,
        ground.witnesses,
        ground.latencies,
        budgets,
    )
    versions = Versions(ground.state / "console" / "policies")
    keeping = Keeping(versions, ground.policy, ground.access, ground.catalogue, ground.environment)
    policies = PolicyPages(versions, ground.access, ground.catalogue, index, reading, ground.vkey)
    cases = CasePages(ground.store, ground.procedures)
    members = MemberPages(ground.enrolling, ground.silent)
    about = AboutPage(ground.portal)
    ways = [
        Way.of("GET", "/", overview),
        Way.of("GET", "/log", log.search),
        Way.of("GET", "/log/export", log.export),
        Way.of("GET", "/log/checkpoint", log.checkpoint),
        Way.of("GET", "/log/consistency.json", log.consistency),
        Way.of("GET", "/log/{index}", log.entry),
        Way.of("GET", "/log/{index}/proof.json", log.proof),
        Way.of("GET", "/log/{index}/receipt", log.receipt),
        Way.of("GET", "/anomalies", Anomalies(index, settings)),
        Way.of("GET", "/budgets", budgets),
        Way.of("GET", "/policies", policies.show),
        Way.of("GET", "/policies/diff", policies.compare),
        Way.of("GET", "/consultations", ConsultationPage(index, reading, settings.desks)),
        Way.of("GET", "/cases", cases.list),
        Way.of("GET", "/cases/{id}", cases.show),
        Way.of("GET", "/members", members.show),
        Way.of("POST", "/members", members.decide),
        Way.of("GET", "/about", about.form),
        Way.of("POST", "/about", about.show),
    ]
    tabs = [
        Tab("/", "Overview", lambda _: True),
        Tab("/log", "Log", lambda roles: roles.looks),
        Tab("/anomalies", "Anomalies", lambda roles: roles.looks),
        Tab("/budgets", "Budgets", lambda roles: roles.looks),
        Tab("/policies", "Policies", lambda roles: roles.looks),
        Tab("/consultations", "Consultations", lambda roles: roles.looks),
        Tab("/cases", "Cases", lambda roles: roles.looks),
        Tab("/members", "Members", lambda roles: roles.looks or roles.enrols),
        Tab("/about", "About me", lambda roles: roles.portal),
    ]
    site = Site(
        f"Landbridge {ground.federation}",
        ground.log_name,
        ways,
        tabs,
        ground.recorder,
        ground.access,
        lambda: ground.catalogue().members,
        pages,
        words.names,
        time.time,
    )
    issuer = settings.issuer or ground.issuer
    secret = read_secret(settings.client_secret) if settings.client_secret else ""
    client = Client(
        issuer, settings.provider or issuer, settings.provider_ca, settings.client, secret
    )
    sign_in = SignIn(
        HttpsProvider(client, time.time, time.monotonic),
        ground.verifier,
        settings.client,
        issuer,
        lambda: f"{address}/sign-in/back",
        settings.scope,
        time.monotonic,
    )
    live = Sessions(settings.idle_minutes * 60.0, settings.longest_hours * 3_600.0, time.monotonic)
    front = Front(site, sign_in, live, ground.verifier, pages, words, time.monotonic)
    door = Door(front.answer, listening, ground.key, ground.certificate, ground.report)
    return Console(door, index, lambda: keeping.look(time.time()), ground.report)


def _address(configured: str, port: int) -> str:
    host = configured.rpartition(":")[0] or "localhost"
    return f"https://{host}:{port}"
