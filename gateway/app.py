"""The gateway's composition root: reads the settings, makes every part, and serves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.asking import Asking
from gateway.batch import CallsServicer
from gateway.cases.cases import Cases
from gateway.cases.database import Database
from gateway.cases.driver import Driver
from gateway.cases.holding import Holding
from gateway.cases.procedures import Procedures, read_folder
from gateway.cases.recording import Recording
from gateway.cases.servicer import CasesServicer
from gateway.cases.store import Store
from gateway.cases.taking import Taking
from gateway.cases.tenure import Tenure
from gateway.census import Census
from gateway.census_servicer import CensusServicer
from gateway.connection import Connect, Connection, Member, over_tls
from gateway.console.latencies import Latencies
from gateway.consult_planning import ConsultPlanning
from gateway.consult_servicer import ConsultationsServicer
from gateway.consulting import Consulting
from gateway.departments import Departments
from gateway.descriptions import Descriptions
from gateway.enrolment import EnrolmentServicer
from gateway.flow import Paces, Places
from gateway.following import Follower, access_policy, read_access
from gateway.group_servicer import GroupsServicer
from gateway.groups import Groups
from gateway.links import Links
from gateway.membership import own_authority, prepare
from gateway.outside import over_http
from gateway.planning import Planning
from gateway.portal import PortalServicer
from gateway.refreshing import Refreshing
from gateway.register import Register
from gateway.renewal import OwnCertificate, Renewals
from gateway.servicer import GatewayServicer
from gateway.settings import (
    Settings,
    log_name,
    masking_keys,
    members_of,
    open_manifest,
    read_witnesses,
)
from gateway.shown import Shown
from gateway.shown import over_tls as seen_over_tls
from gateway.sight import Watched
from gateway.sql import silence
from gateway.standing import standing
from gateway.submission_servicer import SubmissionsServicer
from gateway.submitting import Submitting
from gateway.watches.evaluator import Evaluator
from gateway.watches.holding import WatchHolding
from gateway.watches.servicer import WatchesServicer
from gateway.watches.store import WatchStore
from gateway.watches.telling import Telling
from gateway.watches.watches import Watches
from gateway.witnessing import Rounds, logs, witnesses
from landbridge.client import connect as connect_client
from landbridge.edge import life
from landbridge.edge.calls import Calls
from landbridge.edge.exporters import Exporting, exporting
from landbridge.edge.health import Health
from landbridge.edge.interceptor import Report
from landbridge.edge.observing import Ended, Observing, unheard
from landbridge.edge.own_log import OwnLog
from landbridge.edge.record import Recorder
from landbridge.edge.reflection import Reflection
from landbridge.edge.server import CannotListen, Running, Tls, serve
from landbridge.edge.state import log_signer, subject_key, subject_keys, witness_key
from landbridge.edge.streams import StreamBoundary
from landbridge.edge.telemetry import Telemetry
from landbridge.edge.trust import Trusted, trusted
from landbridge.errors import LandbridgeError, Unavailable
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.keyfile import read_key
from landbridge.evidence.log import Log
from landbridge.evidence.oversight import Oversight
from landbridge.evidence.signer import Verifier
from landbridge.evidence.subject import SubjectKey
from landbridge.evidence.subject_keys import SubjectKeys
from landbridge.evidence.witness_memory import Witness
from landbridge.membership.keys import signing_key
from landbridge.membership.link_statement import LinkSigner
from landbridge.membership.manifest import Manifest
from landbridge.membership.renewal import Life
from landbridge.membership.statement import AskingSigner
from landbridge.protocols.keeping import Keeper
from landbridge.v1 import (
    batch_pb2_grpc,
    case_pb2_grpc,
    census_pb2_grpc,
    consult_pb2_grpc,
    enrolment_pb2_grpc,
    gateway_pb2_grpc,
    group_pb2_grpc,
    portal_pb2_grpc,
    watch_pb2_grpc,
)
from policies.noise import draw

if TYPE_CHECKING:
    from gateway.console.composing import Console


@dataclass(slots=True)
class Gateway:
    """A gateway that serves."""

    running: Running
    log_key: str
    witness_key: str
    _departments: Departments
    _driver: Driver
    _evaluator: Evaluator
    _store: Store
    _holding: Holding | None
    _tenure: Tenure
    _log: Log
    _recorder: Recorder
    _witness: Witness
    _trusted: Trusted
    _watched: Exporting
    _grace: float
    _refreshing: tuple[Refreshing, Refreshing]
    _tell: Callable[[str], None]
    flight: Running | None = None
    console: Console | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.running.port

    @property
    def more_ports(self) -> dict[str, int]:
        """Those of the other faces, by name."""
        flight = {"flight_port": self.flight.port} if self.flight else {}
        return flight | ({"console_port": self.console.port} if self.console else {})

    @property
    def metrics_port(self) -> int:
        """Where Prometheus is served; 0 for nowhere."""
        return self._watched.port

    def hurry(self) -> None:
        """Looks at its policy and members at once, on a thread of its own."""
        self._refreshing[0].hurry()

    def stop(self, grace: float | None = None) -> None:
        """Takes no more calls, lets those under way finish, and puts everything on disk."""
        grace = self._grace if grace is None else grace
        if self.console is not None:
            self.console.close()
        faces = [face for face in (self.running, self.flight) if face is not None]
        stops = [threading.Thread(target=face.stop, args=(grace,)) for face in faces]
        for each in stops:
            each.start()  # together, so that two take no longer than one
        for each in stops:
            each.join()
        for rounds in self._refreshing:
            rounds.close()
        if self._holding is not None:
            self._holding.stop()
        self._driver.stop()
        self._evaluator.stop()
        if self._holding is not None:
            with suppress(LandbridgeError):  # the lease ends by itself
                self._tenure.leave()
        self._store.close()
        self._trusted.close()
        with suppress(Unavailable):  # a log that was stopped takes no last entry
            life.end(self._recorder)
        try:
            self._log.close()
        except Unavailable:
            self._tell("The log could not be published to its end; the next start does it.")
        self._departments.close()
        self._witness.close()
        self._watched.close()


def start(
    settings: Settings,
    report: Report,
    tell: Callable[[str], None],
    ended: Ended = unheard,
) -> Gateway:
    """A gateway that listens when this returns; raises one clear error of its parts otherwise.

    `report` takes defects for the operator's eyes, `tell` sentences about the members, `ended` how
    each call ended.
    """
    silence()
    prepare(settings)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key_of_gateway = signing_key(settings.state)
    manifest = open_manifest(settings, key_of_gateway)
    document = manifest.signed(key_of_gateway)
    members = members_of(manifest)
    own = own_authority(settings)
    own_certificate = OwnCertificate(settings, own)
    own_certificate.renew(time.time())
    authority = settings.tls_authority.read_bytes()
    key, certificate = read_key(settings.tls_key), settings.tls_certificate.read_bytes()
    callers = settings.tls_callers.read_bytes() if settings.tls_callers else None

    def connect(shown: bytes) -> Connect:
        return over_tls(grpc.ssl_channel_credentials(authority, key, shown))

    departments = Departments(
        members, connect(certificate), tell, Descriptions(settings.state / "descriptions")
    )
    silent = departments.refresh()
    departments.pin(masking_keys(manifest))
    departments.offer(document)
    for name in silent:
        tell(f"department {name} does not answer yet")
    declared = read_folder(settings.procedures) if settings.procedures else {}
    access = access_policy(settings, members, read_access(settings, members), declared)
    signer = log_signer(settings.state, log_name(settings))
    cosigner = witness_key(settings.state, signer.name)
    witness = Witness.open(
        settings.state / "witness", cosigner, logs(members, tell), clock=time.time
    )
    outside = {
        WitnessKey.parse(each.key): over_http(each.url, signer.name)
        for each in read_witnesses(settings.witnesses)
    }

    def connections() -> Mapping[str, Connection]:
        return departments.connections

    oversight = Oversight(
        Verifier.parse(signer.vkey),
        {**witnesses(members, connections), **outside},
        tell=tell,
        needed=settings.quorum,
        limit=settings.maximum_unwitnessed_seconds,
    )
    log = Log.open(settings.state / "log", settings.state / "journal", signer, oversight=oversight)
    sight = Watched(settings.federation, witness.latest)
    # One replica goes round: a node's log has one witness of the gateway's name.
    rounds = Rounds(witness, dict if settings.replica else connections, tell, sight)
    looked = rounds.go()
    lasting, periods = subject_key(settings.state), subject_keys(settings.state)
    calls = Calls(settings.calls)
    recorder = Recorder(log, lasting, access.digest, time.time, periods, calls=calls)
    trust = trusted(settings.trust)
    verifying = trust.callers()
    planning = Planning(access, time.time)
    signing = AskingSigner(settings.federation, key_of_gateway, time.time)
    asking = Consulting(
        planning,
        ConsultPlanning(planning, time.time),
        departments,
        verifying,
        recorder,
        signer.vkey,
        signing,
        Links(
            departments,
            LinkSigner(settings.federation, key_of_gateway, time.time),
            draw,
            Keeper(key_of_gateway.private_bytes_raw()),
        ),
        sight,
        waiting=max(1, settings.calls // 4),
    )
    watching = exporting(settings.operating, "landbridge.gateway")
    watching.telemetry.gauge(
        "landbridge.log.size", "{entry}", "Entries of the log.", lambda: log.size
    )
    health = Health(log.require)
    groups = Groups(
        planning,
        departments,
        verifying,
        recorder,
        signer.vkey,
        signing,
        sight,
        settings.manifest.read_bytes,
        time.time,
        settings.calls // 4,
    )
    servicer = GatewayServicer(
        asking,
        departments,
        watching.telemetry,
        settings.federation,
        groups=groups.directory,
    )
    portal = PortalServicer(
        planning,
        departments,
        verifying,
        recorder,
        OwnLog(settings.state / "log", signer.name, periods, lasting, time.time),
        signer.vkey,
        signing,
        watching.telemetry,
        sight,
    )
    census = Census(
        planning,
        departments,
        verifying,
        recorder,
        signer.vkey,
        signing,
        sight,
        settings.manifest.read_bytes,
        time.time,
    )
    # Streams hold a thread each: questions keep most of them, and every department its own.
    submitting = Submitting(
        planning,
        departments,
        verifying,
        recorder,
        signer.vkey,
        signing,
        sight,
        settings.manifest.read_bytes,
        Paces(),
        Places(max(1, settings.calls // 2), max(1, settings.calls // 4)),
        time.monotonic,
        time.time,
    )
    database = Database(settings.case_store)
    store = Store(database, signer.name)
    tenure = Tenure(database, signer.name, recorder.digest("caller", "cases"))
    if database.shared:
        tenure.begin()
    recording = Recording(store, recorder)
    procedures = Procedures(declared, store, departments.catalogue, tell)
    driver = Driver(
        store,
        recording,
        procedures,
        Taking(store, departments, signing, asking, signer.vkey),
        time.time,
        time.monotonic,
        report,
        lambda case: tenure.adopt(case, recorder.size),
        settings.state / "log",
    )
    cases = Cases(
        store,
        recording,
        driver,
        procedures,
        lambda: planning.access,
        verifying,
        recorder,
        departments.catalogue,
        settings.manifest.read_bytes,
        settings.calls // 2,
    )
    watch_store = WatchStore(database, signer.name)
    telling = Telling(watch_store, recorder)
    evaluator = Evaluator(
        watch_store, telling, planning, departments, signing, recorder, sight, signer.vkey,
        time.time, time.monotonic, report,
    )  # fmt: skip
    watches = Watches(
        watch_store, evaluator, telling, planning, departments, verifying, signing, recorder,
        sight, signer.vkey, time.time, settings.calls // 4,
    )  # fmt: skip
    with suppress(Unavailable):  # it serves and refuses, so that callers are told why
        life.begin(
            recorder,
            settings.state / "log",
            log.size,
            standing(access.digest, members, departments.catalogue()),
            # What a silent department serves is not known; it has not changed for that.
            unknown=tuple(f"contract:{name}/" for name in silent),
            policy=access.digest,
            followed=("access",),
        )
    certificates_shown = None
    if trust.revocations is not None:
        certificates_shown = Shown(
            trust.revocations, departments, seen_over_tls(settings), recorder, tell, time.time
        )
        with suppress(Unavailable):  # who shows a revoked one is let go of before that is logged
            certificates_shown.look(members)
    with suppress(Unavailable):
        recording.recover(settings.state / "log")
        telling.recover(settings.state / "log")
    procedures.look()
    driver.start()
    holding = None
    if database.shared:
        watches_held = WatchHolding(
            tenure, watch_store, telling, evaluator, lambda: recorder.size,
            settings.state / "log", tell,
        )  # fmt: skip
        holding = Holding(
            tenure, recording, driver, lambda: recorder.size, settings.state / "log", tell, report,
            watches_held.go,
        )  # fmt: skip
        holding.start()
    evaluator.start()
    renewed = settings.tls_certificate.read_bytes
    latencies = Latencies()

    def observed(method: str, status: str, reason: str, seconds: float, trace: str) -> None:
        latencies.ended(method, seconds)
        ended(method, status, reason, seconds, trace)

    running = serve(
        [
            health.register,
            *_reflected(settings, servicer, report),
            partial(gateway_pb2_grpc.add_GatewayServicer_to_server, servicer),
            partial(
                consult_pb2_grpc.add_ConsultationsServicer_to_server,
                ConsultationsServicer(asking, servicer.request),
            ),
            partial(portal_pb2_grpc.add_PortalServicer_to_server, portal),
            SubmissionsServicer(submitting, watching.telemetry, report).register,
            partial(
                census_pb2_grpc.add_CensusServicer_to_server,
                CensusServicer(census, servicer.request),
            ),
            partial(
                group_pb2_grpc.add_GroupsServicer_to_server,
                GroupsServicer(groups, servicer.request),
            ),
            partial(
                watch_pb2_grpc.add_WatchesServicer_to_server,
                WatchesServicer(watches, servicer.request),
            ),
            partial(
                batch_pb2_grpc.add_CallsServicer_to_server,
                CallsServicer(asking, departments, signing, recorder, watching.telemetry),
            ),
            partial(
                case_pb2_grpc.add_CasesServicer_to_server, CasesServicer(cases, watching.telemetry)
            ),
            partial(
                enrolment_pb2_grpc.add_EnrolmentServicer_to_server,
                EnrolmentServicer(
                    Register(settings.state, settings.federation, time.time),
                    authority,
                    settings.manifest,
                    recorder,
                    time.monotonic,
                ),
            ),
        ],
        address=settings.listen,
        # Callers show a token, not a certificate; the connection is the server's word only.
        tls=Tls(key, certificate, renewed=renewed),
        # Here they show both, for tokens that are bound to a certificate (RFC 8705).
        others=[(settings.listen_mutual, Tls(key, certificate, callers, renewed))]
        if callers
        else [],
        report=report,
        share_port=settings.share_port,
        outside=[Observing(watching.telemetry, observed)],
        leave=health.leaving(settings.operating.notice_seconds),
        threads=calls.threads,
        maximum_seconds=settings.call_seconds,
        calls=calls,
    )
    flight: Running | None = None
    try:
        flight = _serve_flight(settings, asking, departments, watching.telemetry, report, calls)
        console = _open_console(
            settings, planning, departments, trust, recorder, periods, lasting, signer.vkey,
            key_of_gateway, latencies, store, procedures, running.port, report,
        )  # fmt: skip
    except CannotListen:
        for face in (running, flight):
            if face is not None:
                face.stop(0)
        raise
    health.enter()

    def joined(now: Sequence[Member]) -> None:
        for verifier in logs(now, tell):
            witness.know(verifier)
        for each, ask in witnesses(now, connections).items():
            oversight.include(each, ask)

    renewals = (
        None
        if own is None
        else Renewals(
            settings.federation,
            own,
            settings.certificate_seconds,
            trust.revocations,
            recorder,
            tell,
            time.time,
        )
    )

    def certificates(manifest: Manifest) -> None:
        if renewals is not None:
            connections = departments.connections
            with departments.mending(connections):
                renewals.go(manifest, connections)
        changed = own_certificate.follow(time.time())
        if changed is not None:
            if console is not None:
                console.renew()
            departments.reconnect(connect(changed))
            until = Life.of(changed).last_moment
            recorder.event(
                "membership_change",
                program=life.program(),
                members=[settings.name],
                note=f"the gateway's own certificate is another, until {until}",
            )

    follower = Follower(
        settings, key_of_gateway, members, access, departments, planning, recorder, joined,
        certificates, certificates_shown, tell, tuple(declared),
    )  # fmt: skip
    refreshing = Refreshing(
        lambda now: follower.look(at_once=now.at_once), departments.waited_for.overdue, report,
        name="describe", settled=not silent,
    )  # fmt: skip
    # Apart: who does not describe itself in time must not delay a look at another one's log.
    looking = Refreshing(
        lambda now: rounds.go(now.stopping), departments.waited_for.overdue, report,
        name="witness", settled=looked,
    )  # fmt: skip

    def outdated() -> None:
        refreshing.wake()
        looking.wake()

    departments.outdated = outdated
    return Gateway(
        running,
        signer.vkey,
        cosigner.vkey,
        departments,
        driver,
        evaluator,
        store,
        holding,
        tenure,
        log,
        recorder,
        witness,
        trust,
        watching,
        settings.operating.grace_seconds,
        (refreshing, looking),
        tell,
        flight,
        console,
    )


def _serve_flight(
    settings: Settings,
    asking: Asking,
    departments: Departments,
    telemetry: Telemetry,
    report: Report,
    calls: Calls,
) -> Running | None:
    """Arrow Flight SQL on a port of its own, with the same limits; None where it is off."""
    if not settings.listen_flight:
        return None
    try:
        from gateway.flight.servicer import FlightServicer  # nobody else here needs pyarrow
    except ImportError:
        raise CannotListen(
            "listen_flight needs pyarrow, which is not installed: pip install 'landbridge[flight]'."
        ) from None
    certificate = settings.tls_certificate
    return serve(
        [FlightServicer(asking, departments, telemetry).register],
        address=settings.listen_flight,
        tls=Tls(
            read_key(settings.tls_key), certificate.read_bytes(), renewed=certificate.read_bytes
        ),
        report=report,
        threads=calls.threads,
        maximum_seconds=settings.call_seconds,
        calls=calls,
        boundary=StreamBoundary,
        share_port=settings.share_port,
    )


def _open_console(
    settings: Settings,
    planning: Planning,
    departments: Departments,
    trust: Trusted,
    recorder: Recorder,
    periods: SubjectKeys,
    lasting: SubjectKey,
    vkey: str,
    key: Ed25519PrivateKey,
    latencies: Latencies,
    store: Store,
    procedures: Procedures,
    port: int,
    report: Report,
) -> Console | None:
    """The web console on a port of its own; None where it is off."""
    if not settings.console.listen:
        return None
    try:
        from gateway.console.composing import Ground, open_console  # nobody else here needs pages
        from gateway.console.enrolling import Commands
    except ImportError as missing:
        raise CannotListen(
            f"The console needs {missing.name}, which is not installed: "
            "pip install 'landbridge[server]'."
        ) from None

    host = settings.listen.rpartition(":")[0]
    own = f"{'127.0.0.1' if host in ('', '0.0.0.0', '[::]') else host}:{port}"  # noqa: S104

    def watching() -> list[WitnessKey]:
        members = members_of(open_manifest(settings, key))
        listed = [each.witness_key for each in members if each.witness_key]
        outside = [each.key for each in read_witnesses(settings.witnesses)]
        return [WitnessKey.parse(each) for each in (*listed, *outside)]

    return open_console(
        settings.console,
        Ground(
            federation=settings.federation,
            log=settings.state / "log",
            log_name=log_name(settings),
            vkey=vkey,
            state=settings.state,
            issuer=settings.trust.issuers[0].name,
            key=settings.tls_key,
            certificate=settings.tls_certificate,
            recorder=recorder,
            verifier=trust.verifier,
            access=lambda: planning.access,
            catalogue=departments.catalogue,
            silent=lambda: departments.silent,
            witnesses=watching,
            periods=periods,
            lasting=lasting,
            latencies=latencies,
            store=store,
            procedures=procedures.known,
            policy=settings.access,
            enrolling=Commands(settings, time.time),
            environment=os.environ,
            portal=lambda token: connect_client(own, token=token, ca=settings.tls_authority),
            report=report,
        ),
    )


def _reflected(
    settings: Settings, servicer: GatewayServicer, report: Report
) -> list[Callable[[grpc.Server], None]]:
    if not settings.reflection:
        return []
    names = ("landbridge.v1.Gateway", "landbridge.v1.Enrolment")
    return [Reflection(names, servicer.admit, report).register]
