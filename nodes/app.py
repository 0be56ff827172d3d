"""The node's composition root: reads the settings, makes every part, and serves."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from landbridge.edge import life
from landbridge.edge.calls import Calls
from landbridge.edge.exporters import Exporting, exporting
from landbridge.edge.first_look import FirstLook
from landbridge.edge.health import Health
from landbridge.edge.interceptor import Report
from landbridge.edge.local import Local, serve_local
from landbridge.edge.observing import Ended, Observing, unheard
from landbridge.edge.own_log import OwnLog
from landbridge.edge.record import Recorder
from landbridge.edge.seats import Seats
from landbridge.edge.server import Running, Tls, serve
from landbridge.edge.state import log_signer, subject_key, subject_keys, witness_key
from landbridge.edge.trust import Trusted, trusted
from landbridge.errors import Unavailable
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.keyfile import read_key
from landbridge.evidence.log import Log
from landbridge.evidence.oversight import Oversight
from landbridge.evidence.signer import Signer, Verifier
from landbridge.evidence.witness_memory import Witness
from landbridge.identity.certificates import Admission
from landbridge.membership.keys import MemberKeys
from landbridge.membership.link_statement import LinkVerifier
from landbridge.membership.pinned import Pinned
from landbridge.membership.statement import AskingVerifier
from landbridge.protocols.masks import Exchanges
from landbridge.v1 import (
    attend_pb2_grpc,
    batch_pb2_grpc,
    census_pb2_grpc,
    consult_pb2_grpc,
    group_pb2_grpc,
    link_pb2_grpc,
    membership_pb2_grpc,
    node_pb2,
    node_pb2_grpc,
    pooled_pb2_grpc,
    portal_pb2_grpc,
    renewal_pb2_grpc,
    step_pb2_grpc,
    watch_pb2_grpc,
    witness_pb2_grpc,
)
from nodes import policy as policies_of
from nodes.answering import Answering
from nodes.attend_servicer import AttendingServicer
from nodes.attending import Attending
from nodes.census import Census
from nodes.census_batch import CensusBatches
from nodes.census_servicer import TallyServicer
from nodes.census_side import Sides
from nodes.census_store import CensusStore
from nodes.circle import Circles
from nodes.computing import Computing
from nodes.concerns import Concerns
from nodes.consult_servicer import ConsultingServicer, ReviewingServicer
from nodes.consulting import Consulting
from nodes.contributors import Contributors
from nodes.description import handler_to
from nodes.desk import Desk
from nodes.engines.choice import unfit
from nodes.engines.duckdb import Limits
from nodes.engines.engine import Engine
from nodes.engines.opening import opener
from nodes.engines.shared import KEPT, SharedEngine
from nodes.engines.watched import WatchedEngine
from nodes.following import Enforcement, Following, PolicyFollower
from nodes.granting import Granting
from nodes.group_servicer import GroupingServicer, GroupOfficeServicer
from nodes.grouping import Grouping
from nodes.guard import Guard
from nodes.hand_over import HandOver
from nodes.handler_servicer import HandlersServicer, StepsServicer
from nodes.handlers.pool import FunctionPool
from nodes.history import History
from nodes.intake import Intakes
from nodes.intake_servicer import IntakeServicer
from nodes.intaking import Intaking
from nodes.ledger import Ledger
from nodes.link_making import Making
from nodes.link_matching import Matching
from nodes.link_peers import Peers
from nodes.link_product import Products
from nodes.link_servicer import LinkServicer
from nodes.link_state import Underways
from nodes.linking import Linking
from nodes.members import MembersServicer, logged
from nodes.notices import Notices
from nodes.policy import Policy
from nodes.pooling import Pooling
from nodes.pooling_servicer import PoolingServicer
from nodes.publishing import Publishing
from nodes.queue import Queue
from nodes.quotas import Quotas
from nodes.renewal import Renewal, RenewalServicer
from nodes.replying import Replying
from nodes.reviewing import Reviewing
from nodes.servicer import NodeServicer
from nodes.settings import Settings
from nodes.standing import StandingQuestions
from nodes.step_memory import StepMemory
from nodes.stepping import Stepping
from nodes.store import Store
from nodes.subject_access import SubjectAccessServicer
from nodes.tables import Tables
from nodes.watch_memory import WatchMemory
from nodes.watch_servicer import WatchingServicer, read_wanted
from nodes.witnessing import WitnessedLogServicer, WitnessServicer
from policies.contract import Contract
from policies.noise import draw

OFFICERS = 8
"""Calls of officers at a time, those that wait for news included."""


@dataclass(slots=True)
class Node:
    """A node that serves."""

    running: Running
    log_key: str
    witness_key: str
    _local: Local
    _desk: Desk
    _queue: Queue
    _tables: Tables[Engine]
    _functions: FunctionPool
    _ledger: Ledger
    _quotas: Quotas
    _memory: StepMemory
    _watches: WatchMemory
    _attending: Attending
    _concerns: Concerns
    _history: History
    _census: CensusStore
    _log: Log
    _recorder: Recorder
    _witness: Witness
    _trusted: Trusted
    _watched: Exporting
    _grace: float
    _first_look: FirstLook
    _following: Following
    _underways: Underways
    _intakes: Intakes
    _publishing: Publishing
    _grouping: Grouping
    _notices: Notices
    _tell: Callable[[str], None]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.running.port

    @property
    def metrics_port(self) -> int:
        """Where Prometheus is served; 0 for nowhere."""
        return self._watched.port

    def hurry(self) -> None:
        """Looks at the policy's files at once, on a thread of its own."""
        self._following.hurry()

    def stop(self, grace: float | None = None) -> None:
        """Takes no more calls, lets those under way finish, and puts everything on disk."""
        begun = self._first_look.end()
        self._following.close()
        self._publishing.close()
        grace = self._grace if grace is None else grace
        self._desk.stop()
        self._attending.stop()
        self._grouping.stop()
        self._local.stop(grace)
        self.running.stop(grace)
        self._underways.close()
        self._intakes.close()
        self._queue.close()
        self._notices.close()
        self._tables.close()
        self._functions.close()
        self._trusted.close()
        with suppress(Unavailable):  # a log that was stopped takes no last entry
            if begun:
                life.end(self._recorder)
        try:
            self._log.close()
        except Unavailable:
            self._tell("The log could not be published to its end; the next start does it.")
        self._witness.close()
        self._ledger.close()
        self._quotas.close()
        self._memory.close()
        self._watches.close()
        self._concerns.close()
        self._history.close()
        self._census.close()
        self._watched.close()


def start(
    settings: Settings,
    report: Report,
    tell: Callable[[str], None],
    ended: Ended = unheard,
) -> Node:
    """A node that listens when this returns; raises one clear error of its parts otherwise.

    `report` takes defects for the operator's eyes, `tell` sentences about the log, `ended` how each
    call ended.
    """
    collect = partial(
        policies_of.collect,
        settings.contracts,
        settings.handlers,
        settings.access,
        settings.groups,
    )

    def understand(found: policies_of.PolicyTexts) -> Policy:
        understood = policies_of.understand(settings.department, found, settings.contracts)
        if wrong := unfit(settings.engine, understood.contracts, understood.handlers.values()):
            raise policies_of.PolicyFolderInvalid(" ".join(wrong))
        return understood

    texts = collect()
    policy = understand(texts)
    trust = trusted(settings.trust)
    tls = Tls(
        read_key(settings.tls_key),
        settings.tls_certificate.read_bytes(),
        settings.tls_authority.read_bytes(),
        settings.tls_certificate.read_bytes,
    )
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = log_signer(settings.state, f"{settings.federation}/{settings.department}")
    cosigner = witness_key(settings.state, signer.name)
    settings = _as_pinned(settings)
    oversight = _oversight(settings, signer, tell)
    gateways = [key for key in (settings.gateway_log, *settings.gateway_replicas) if key]
    witness = Witness.open(
        settings.state / "witness", cosigner, map(Verifier.parse, gateways), clock=time.time
    )
    log = Log.open(settings.state / "log", settings.state / "journal", signer, oversight=oversight)
    lasting, periods = subject_key(settings.state), subject_keys(settings.state)
    first_look = FirstLook()
    calls = Calls(settings.calls)
    recorder = Recorder(log, lasting, policy.digest, time.time, periods, first_look, calls)
    ledger = Ledger(settings.state / "ledger.sqlite", time.time)
    history = History(settings.state / "history.sqlite")
    watching = exporting(settings.operating, f"landbridge.node.{settings.department}")
    watching.telemetry.gauge(
        "landbridge.log.size", "{entry}", "Entries of the log.", lambda: log.size
    )
    health = Health(log.require)
    limits = Limits(settings.memory_mb << 20, settings.threads, settings.cpu_seconds)
    quotas = Quotas(settings.state / "quotas.sqlite", time.time)
    memory = StepMemory(settings.state / "steps.sqlite", time.time)
    memory.recover(settings.state / "log")
    watches = WatchMemory(settings.state / "watches.sqlite", time.time)
    watches.recover(settings.state / "log")
    guard = Guard(
        settings.department,
        policy.contracts,
        policy.handlers,
        policy.access,
        trust.callers(officers=True),
        time.time,
        policy.digest,
        policy.groups,
        counted=lambda contract: publishing.counted(contract),
    )
    store = Store(settings.state / "data")
    workers = Seats(settings.workers, KEPT)
    open_engine = opener(
        settings.engine,
        limits,
        (settings.workers, workers.all),
        lambda: tuple(guard.rules.contracts),
    )
    tables: Tables[Engine] = Tables(
        store,
        tuple(policy.contracts),
        lambda files: SharedEngine(
            WatchedEngine(open_engine(files), watching.telemetry, files), workers, lambda: calls.who
        ),
    )
    functions = FunctionPool(store, limits, lambda: calls.who, settings.engine.file_key)
    functions.prepare(tuple(policy.contracts), policy.handlers)
    functions.serve()
    computing = Computing(settings.department, tables, functions)
    keys = MemberKeys.in_folder(settings.state)  # with unusable keys a node does not start
    pinned = Pinned(settings.state, settings.department, logged(recorder))
    replying = Replying(guard, quotas, computing, recorder, ledger)
    stepping = Stepping(
        guard,
        quotas,
        computing,
        recorder,
        memory,
        HandOver(settings.department, keys, lambda: pinned.manifest),
    )
    signed = AskingVerifier(settings.federation, settings.department, pinned.gateway_key, time.time)
    circles = Circles(settings.department, lambda: pinned.manifest, Exchanges(keys.masking))
    admission = Admission(settings.gateway, settings.federation, trust.revoked)
    answering = Answering(guard, ledger, tables, recorder, draw, history)
    servicer = NodeServicer(
        admission,
        _description(settings, policy, signer.vkey),
        tables.as_of,
        answering,
        replying,
        recorder,
        watching.telemetry,
        signed,
    )
    pooling = PoolingServicer(
        servicer.admit,
        Pooling(guard, circles, ledger, tables, recorder, draw),
        recorder,
        watching.telemetry,
        signed,
    )
    census = CensusStore(settings.state / "census.sqlite", time.time)
    sides = Sides(
        settings.department,
        settings.federation,
        keys,
        circles.exchanges,
        lambda: pinned.manifest,
    )
    tally = TallyServicer(
        servicer.require,
        Census(guard, sides, census, recorder),
        CensusBatches(guard, sides, census, ledger, recorder, draw),
        recorder,
        watching.telemetry,
    )
    granting = Granting(guard, settings.federation, keys.signing, time.time)
    queue = Queue(settings.state / "consultations.sqlite", time.time)
    waiting = max(1, settings.calls // 4)
    desk = Desk(queue, guard, ledger, recorder, granting, waiting)
    consulting = ConsultingServicer(
        servicer.admit,
        signed,
        Consulting(desk, recorder),
        granting,
        answering,
        replying,
        recorder,
        watching.telemetry,
    )
    standing = StandingQuestions(
        guard,
        ledger,
        tables,
        recorder,
        draw,
        history,
        watches,
        lambda caller: trust.revoked_caller(caller, time.time()),
        read_wanted,
    )
    standing.recover()
    watching_questions = WatchingServicer(
        servicer.admit, signed, standing, recorder, watching.telemetry
    )
    concerns = Concerns(settings.state / "concerns.sqlite", time.time)
    concerns.recover(settings.state / "log")
    attending = Attending(guard, tables, computing, concerns, recorder, report)
    notices = Notices(settings.state / "groups.sqlite", time.time)
    grouping = Grouping(
        settings.federation, guard, keys.signing, notices, recorder, max(1, settings.calls // 4)
    )
    subject_access = SubjectAccessServicer(
        servicer.admit,
        signed,
        guard,
        OwnLog(settings.state / "log", signer.name, periods, lasting, time.time),
        recorder,
        watching.telemetry,
    )
    underways = Underways(time.monotonic)
    peers = Peers(settings.department, keys, lambda: pinned.manifest)
    folder = settings.state / "linking"
    linking = LinkServicer(
        settings.department,
        servicer.admit,
        Linking(guard, ledger, tables, recorder, peers, underways, Making(folder)),
        Matching(peers, underways, folder),
        Products(peers, underways, draw),
        recorder,
        watching.telemetry,
        LinkVerifier(settings.federation, settings.department, pinned.gateway_key, time.time),
    )

    intakes = Intakes(settings.state / "intake", time.time)
    contributors = Contributors(settings.state / "intake", intakes)
    collected = watching.telemetry.counter(
        "landbridge.intake.records", "{record}", "Records that came in, by what became of them."
    )
    intaking = IntakeServicer(
        servicer.require,
        servicer.admit,
        Intaking(
            settings.federation, guard, keys, intakes, recorder, time.time, contributors,
            lambda fate, records: collected(records, {"landbridge.fate": fate}),
        ),
        recorder,
        watching.telemetry,
        report,
    )  # fmt: skip
    documents = policy.documents

    def collecting() -> dict[str, tuple[Contract, bytes]]:
        """The contracts in force that collect, with their texts."""
        return {
            name: (contract, documents[name])
            for name, contract in guard.rules.contracts.items()
            if contract.collection is not None
            and sha256(documents.get(name, b"")).hexdigest() == contract.digest
        }

    publishing = Publishing(
        settings.state / "intake", settings.state / "data", intakes, collecting, time.time, tell,
        report, contributors.forget,
    )  # fmt: skip

    def describe(changed: Policy) -> None:
        nonlocal documents
        documents = changed.documents
        servicer.describe(_description(settings, changed, signer.vkey))

    members = MembersServicer(admission, pinned, recorder)

    def begin() -> None:
        with suppress(Unavailable):  # it serves and refuses, so that callers are told why
            life.begin(
                recorder.starting(),
                settings.state / "log",
                log.size,
                policies_of.digests(policy),
                policy=policy.digest,
            )

    # The gateway comes by itself: what is on the disk may be older than what it has seen.
    late = oversight is not None and log.size > 0
    if not late:
        first_look.begin(begin)
    officers = ReviewingServicer(Reviewing(desk, recorder), recorder)
    local = serve_local(
        [
            partial(consult_pb2_grpc.add_ReviewingServicer_to_server, officers),
            partial(
                attend_pb2_grpc.add_AttendingServicer_to_server,
                AttendingServicer(attending, recorder),
            ),
            partial(
                group_pb2_grpc.add_GroupOfficeServicer_to_server,
                GroupOfficeServicer(grouping, recorder),
            ),
        ],
        settings.review or settings.state / "review",
        report=report,
        threads=OFFICERS,
    )
    renewal = Renewal(
        settings.federation,
        settings.department,
        settings.tls_certificate,
        settings.tls_authority,
        tls.key,
        keys.signing,
        recorder,
        tell,
    )
    own_witness = WitnessKey.parse(settings.gateway_witness).name if oversight else ""
    running = serve(
        [
            health.register,
            partial(node_pb2_grpc.add_NodeServicer_to_server, servicer),
            partial(link_pb2_grpc.add_LinkServicer_to_server, linking),
            partial(pooled_pb2_grpc.add_PoolingServicer_to_server, pooling),
            partial(census_pb2_grpc.add_TallyServicer_to_server, tally),
            partial(
                batch_pb2_grpc.add_HandlersServicer_to_server,
                HandlersServicer(servicer.require, replying, recorder, watching.telemetry),
            ),
            partial(
                step_pb2_grpc.add_StepsServicer_to_server,
                StepsServicer(servicer.require, stepping, recorder, watching.telemetry),
            ),
            partial(
                witness_pb2_grpc.add_WitnessServicer_to_server,
                WitnessServicer(servicer.admit, witness),
            ),
            partial(
                witness_pb2_grpc.add_WitnessedLogServicer_to_server,
                WitnessedLogServicer(servicer.admit, log, own_witness),
            ),
            partial(portal_pb2_grpc.add_SubjectAccessServicer_to_server, subject_access),
            partial(membership_pb2_grpc.add_MembersServicer_to_server, members),
            partial(consult_pb2_grpc.add_ConsultingServicer_to_server, consulting),
            partial(watch_pb2_grpc.add_WatchingServicer_to_server, watching_questions),
            partial(
                renewal_pb2_grpc.add_RenewalServicer_to_server,
                RenewalServicer(servicer.admit, renewal, recorder),
            ),
            partial(
                group_pb2_grpc.add_GroupingServicer_to_server,
                GroupingServicer(servicer.require, grouping, recorder, watching.telemetry),
            ),
            intaking.register,
        ],
        address=settings.listen,
        tls=tls,
        report=report,
        outside=[Observing(watching.telemetry, ended)],
        leave=health.leaving(settings.operating.notice_seconds),
        threads=calls.threads,
        maximum_seconds=settings.call_seconds,
        calls=calls,
    )
    health.enter()
    attending.start()
    publishing.start()
    if late and oversight is not None:
        first_look.begin(begin, oversight.looked)
    enforce = Enforcement(guard, tables, functions, describe, tell)

    def usable(found: policies_of.PolicyTexts) -> Policy:
        understood = understand(found)
        functions.prepare(tuple(understood.contracts), understood.handlers)
        return understood

    follower = PolicyFollower(policy, texts, collect, usable, enforce, recorder, tell)

    def looks(*, at_once: bool) -> None:
        renewal.look()
        standing.tidy()
        underways.purge()
        follower.look(at_once=at_once)

    return Node(
        running,
        signer.vkey,
        cosigner.vkey,
        local,
        desk,
        queue,
        tables,
        functions,
        ledger,
        quotas,
        memory,
        watches,
        attending,
        concerns,
        history,
        census,
        log,
        recorder,
        witness,
        trust,
        watching,
        settings.operating.grace_seconds,
        first_look,
        Following(looks, report),
        underways,
        intakes,
        publishing,
        grouping,
        notices,
        tell,
    )


def _as_pinned(settings: Settings) -> Settings:
    """The gateway's keys from the pinned manifest, where the operator wrote no others."""
    manifest = Pinned(settings.state, settings.department).manifest
    return replace(
        settings,
        gateway_log=settings.gateway_log or manifest.gateway_log,
        gateway_witness=settings.gateway_witness or manifest.gateway_witness,
    )


def _oversight(settings: Settings, signer: Signer, tell: Callable[[str], None]) -> Oversight | None:
    """The gateway as the log's witness; None where the settings name no key of it."""
    if not settings.gateway_witness and not settings.quorum:
        return None
    keys = [WitnessKey.parse(settings.gateway_witness)] if settings.gateway_witness else []
    return Oversight(
        Verifier.parse(signer.vkey),
        dict.fromkeys(keys),
        tell=tell,
        needed=settings.quorum,
        limit=settings.maximum_unwitnessed_seconds,
    )


def _description(settings: Settings, policy: Policy, log_key: str) -> node_pb2.DescribeResponse:
    return node_pb2.DescribeResponse(
        department=settings.department,
        title=settings.title or settings.department,
        contracts=[
            node_pb2.ContractDescription(id=name, document=document)
            for name, document in policy.documents.items()
        ],
        handlers=[handler_to(handler) for handler in policy.handlers.values()],
        groups=[
            node_pb2.GroupDescription(name=group.name, purpose=group.purpose)
            for group in policy.groups.values()
        ],
        log_key=log_key,
        policy_digest=policy.digest,
        access=policy.access_text if settings.publish_access else b"",
    )
