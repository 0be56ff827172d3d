"""The gateway's composition root: reads the settings, makes every part, and serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.asking import Asking
from gateway.departments import Departments, over_tls
from gateway.enrolment import EnrolmentServicer
from gateway.membership import prepare
from gateway.outside import over_http
from gateway.planning import Planning
from gateway.register import Register
from gateway.servicer import GatewayServicer
from gateway.settings import Settings, log_name, members_of, open_manifest, read_witnesses
from gateway.sql import silence
from gateway.standing import standing
from gateway.witnessing import Rounds, logs, witnesses
from landbridge.edge import life
from landbridge.edge.exporters import Watched, watched
from landbridge.edge.health import Health
from landbridge.edge.interceptor import Report
from landbridge.edge.observing import Ended, Observing, unheard
from landbridge.edge.record import Recorder
from landbridge.edge.reflection import Reflection
from landbridge.edge.server import Running, Tls, serve
from landbridge.edge.state import log_signer, subject_key, subject_keys, witness_key
from landbridge.edge.trust import Trusted, trusted
from landbridge.errors import Unavailable
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.log import Log
from landbridge.evidence.oversight import Oversight
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness_memory import Witness
from landbridge.membership.keys import signing_key
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import enrolment_pb2_grpc, gateway_pb2_grpc
from policies.access import AccessPolicy

REFRESH_SECONDS = 5.0


@dataclass(slots=True)
class Gateway:
    """A gateway that serves."""

    running: Running
    log_key: str
    witness_key: str
    _departments: Departments
    _log: Log
    _recorder: Recorder
    _witness: Witness
    _trusted: Trusted
    _watched: Watched
    _grace: float
    _refreshing: threading.Thread
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.running.port

    @property
    def metrics_port(self) -> int:
        """Where Prometheus is served; 0 for nowhere."""
        return self._watched.port

    def stop(self, grace: float | None = None) -> None:
        """Takes no more calls, lets those under way finish, and puts everything on disk."""
        self.running.stop(self._grace if grace is None else grace)
        self._stopping.set()
        self._refreshing.join()
        self._trusted.close()
        with suppress(Unavailable):  # a log that was stopped takes no last entry
            life.end(self._recorder)
        self._log.close()
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
    authority = settings.tls_authority.read_bytes()
    key, certificate = settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
    callers = settings.tls_callers.read_bytes() if settings.tls_callers else None
    credentials = grpc.ssl_channel_credentials(authority, key, certificate)
    departments = Departments(members, over_tls(credentials), tell)
    silent = departments.refresh()
    departments.offer(document)
    for name in silent:
        tell(f"department {name} does not answer yet")
    access = AccessPolicy.load(
        # It names what members serve. Before there is one nobody can be asked, so nothing is read.
        settings.access.read_text(encoding="utf-8") if members else "",
        str(settings.access),
        contracts={name for member in members for name in member.contracts},
        handlers={f"{member.department}.{name}" for member in members for name in member.handlers},
    )
    signer = log_signer(settings.state, log_name(settings))
    cosigner = witness_key(settings.state, signer.name)
    witness = Witness.open(
        settings.state / "witness", cosigner, logs(members, tell), clock=time.time
    )
    outside = {
        WitnessKey.parse(each.key): over_http(each.url, signer.name)
        for each in read_witnesses(settings.witnesses)
    }
    oversight = Oversight(
        Verifier.parse(signer.vkey),
        {**witnesses(members, departments.channels), **outside},
        tell=tell,
        needed=settings.quorum,
        limit=settings.maximum_unwitnessed_seconds,
    )
    log = Log.open(settings.state / "log", settings.state / "journal", signer, oversight=oversight)
    # One replica goes round: a node's log has one witness of the gateway's name.
    rounds = Rounds(witness, {} if settings.replica else departments.channels, tell)
    rounds.go()
    recorder = Recorder(
        log, subject_key(settings.state), access.digest, time.time, subject_keys(settings.state)
    )
    trust = trusted(settings.trust)
    asking = Asking(
        Planning(access, time.time),
        departments,
        trust.verifier,
        recorder,
        signer.vkey,
        AskingSigner(settings.federation, key_of_gateway, time.time),
    )
    watching = watched(settings.operating, "landbridge.gateway")
    watching.telemetry.gauge(
        "landbridge.log.size", "{entry}", "Entries of the log.", lambda: log.size
    )
    health = Health(log.require)
    with suppress(Unavailable):  # it serves and refuses, so that callers are told why
        life.begin(
            recorder,
            settings.state / "log",
            log.size,
            standing(access.digest, members, departments.catalogue()),
            # What a silent department serves is not known; it has not changed for that.
            unknown=tuple(f"contract:{name}/" for name in silent),
        )
    servicer = GatewayServicer(asking, departments, watching.telemetry)
    running = serve(
        [
            health.register,
            *_reflected(settings, servicer, report),
            partial(
                gateway_pb2_grpc.add_GatewayServicer_to_server,
                servicer,
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
        tls=Tls(key, certificate, renewed=settings.tls_certificate.read_bytes),
        # Here they show both, for tokens that are bound to a certificate (RFC 8705).
        others=[(settings.listen_mutual, Tls(key, certificate, callers))] if callers else [],
        report=report,
        outside=[Observing(watching.telemetry, ended)],
        leave=health.leaving(settings.operating.notice_seconds),
        threads=settings.calls,
    )
    health.enter()
    stopping = threading.Event()
    follow = partial(_follow, departments, settings, key_of_gateway, recorder)
    refreshing = threading.Thread(
        target=_keep_fresh,
        args=(follow, rounds, stopping, report),
        name="describe",
        daemon=True,
    )
    refreshing.start()
    return Gateway(
        running,
        signer.vkey,
        cosigner.vkey,
        departments,
        log,
        recorder,
        witness,
        trust,
        watching,
        settings.operating.grace_seconds,
        refreshing,
        stopping,
    )


def _reflected(
    settings: Settings, servicer: GatewayServicer, report: Report
) -> list[Callable[[grpc.Server], None]]:
    if not settings.reflection:
        return []
    names = ("landbridge.v1.Gateway", "landbridge.v1.Enrolment")
    return [Reflection(names, servicer.admit, report).register]


def _follow(
    departments: Departments, settings: Settings, key: Ed25519PrivateKey, recorder: Recorder
) -> None:
    """One round: who is out is asked no more, and everybody hears of the manifest as it is now."""
    manifest = open_manifest(settings, key)
    gone = departments.keep({each.department for each in manifest.members})
    if gone:
        recorder.event(
            "membership_change",
            program=life.program(),
            members=list(gone),
            changed=[f"removed member:{name}" for name in gone],
            note=f"manifest {manifest.version}",
        )
    departments.refresh()
    departments.offer(manifest.signed(key))


def _keep_fresh(
    follow: Callable[[], None], rounds: Rounds, stopping: threading.Event, report: Report
) -> None:
    """A node that starts late, with new contracts or with an old log is known within seconds."""
    while not stopping.wait(REFRESH_SECONDS):
        try:
            follow()
            rounds.go(stopping)
        except Exception as defect:  # noqa: BLE001 - the next round must come whatever happened
            report(defect)
