"""The gateway's composition root: reads the settings, makes every part, and serves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.asking import Asking
from gateway.departments import Departments, over_tls
from gateway.enrolment import EnrolmentServicer
from gateway.membership import prepare
from gateway.planning import Planning
from gateway.register import Register
from gateway.servicer import GatewayServicer
from gateway.settings import Settings, members_of, open_manifest
from gateway.sql import silence
from landbridge.edge.interceptor import Report
from landbridge.edge.record import Recorder
from landbridge.edge.server import Running, Tls, serve
from landbridge.edge.state import log_signer, subject_key
from landbridge.edge.telemetry import Telemetry
from landbridge.evidence.log import Log
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier
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
    _departments: Departments
    _log: Log
    _recorder: Recorder
    _refreshing: threading.Thread
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.running.port

    def stop(self, grace: float = 5.0) -> None:
        """Takes no more calls, lets those under way finish, and puts everything on disk."""
        self.running.stop(grace)
        self._stopping.set()
        self._refreshing.join()
        self._departments.close()
        self._recorder.event("stop")
        self._log.close()


def start(settings: Settings, report: Report, tell: Callable[[str], None]) -> Gateway:
    """A gateway that listens when this returns; raises one clear error of its parts otherwise.

    `report` takes defects for the operator's eyes, `tell` sentences about the members.
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
    signer = log_signer(settings.state, f"{settings.federation}/{settings.name}")
    log = Log.open(settings.state / "log", settings.state / "journal", signer)
    recorder = Recorder(log, subject_key(settings.state), access.digest, time.time)
    verifier = TokenVerifier(settings.issuer, settings.audience, KeySet.load(settings.jwks))
    asking = Asking(
        Planning(access),
        departments,
        verifier,
        recorder,
        signer.vkey,
        AskingSigner(settings.federation, key_of_gateway, time.time),
    )
    telemetry = Telemetry("landbridge.gateway")
    recorder.event("start")
    running = serve(
        [
            partial(
                gateway_pb2_grpc.add_GatewayServicer_to_server,
                GatewayServicer(asking, departments, telemetry),
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
        report=report,
        threads=settings.calls,
    )
    stopping = threading.Event()
    follow = partial(_follow, departments, settings, key_of_gateway, recorder)
    refreshing = threading.Thread(
        target=_keep_fresh,
        args=(follow, stopping, report),
        name="describe",
        daemon=True,
    )
    refreshing.start()
    return Gateway(
        running,
        signer.vkey,
        departments,
        log,
        recorder,
        refreshing,
        stopping,
    )


def _follow(
    departments: Departments, settings: Settings, key: Ed25519PrivateKey, recorder: Recorder
) -> None:
    """One round: who is out is asked no more, and everybody hears of the manifest as it is now."""
    manifest = open_manifest(settings, key)
    gone = departments.keep({each.department for each in manifest.members})
    if gone:
        recorder.event(
            "membership", members=list(gone), note=f"manifest {manifest.version}: they leave"
        )
    departments.refresh()
    departments.offer(manifest.signed(key))


def _keep_fresh(follow: Callable[[], None], stopping: threading.Event, report: Report) -> None:
    """A node that starts late, or with new contracts, is known within seconds."""
    while not stopping.wait(REFRESH_SECONDS):
        try:
            follow()
        except Exception as defect:  # noqa: BLE001 - the next round must come whatever happened
            report(defect)
