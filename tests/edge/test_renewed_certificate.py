"""A server takes up a renewed certificate, and goes on living while many connect."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from landbridge.edge.renewed_certificate import PAUSE_SECONDS, Followed
from landbridge.edge.server import Tls, serve
from landbridge.federation.process import ROOT
from landbridge.identity.development import DevelopmentAuthority

CALLERS, HANDSHAKES, RENEWALS = 12, 100, 5


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentAuthority:
    """Whoever certifies the server."""
    return DevelopmentAuthority.create(tmp_path_factory.mktemp("authority"), "bench")


class Disk:
    """Where the operator puts certificates; counts what the server asks and how it pauses."""

    def __init__(self, first: bytes) -> None:
        self.held = first
        self.pauses: list[float] = []

    def read(self) -> bytes:
        """As `Path.read_bytes`, with the same complaint about a file that is not there."""
        if not self.held:
            raise FileNotFoundError
        return self.held


def test_grpc_is_told_of_a_change_only_when_there_is_one(authority: DevelopmentAuthority) -> None:
    """Told "changed" at every connection, gRPC's core frees what another handshake is using."""
    key, first = authority.certificate("gateway", ["localhost"])
    public = x509.load_pem_x509_certificate(first).public_key()
    second = authority.certify("gateway", ["localhost"], public)  # type: ignore[arg-type]
    disk = Disk(first)
    followed = Followed(key, first, disk.read, disk.pauses.append)
    assert [followed.changed() for _ in range(100)] == [None] * 100
    assert not disk.pauses
    disk.held = second
    assert [followed.changed() for _ in range(100)] == [second, *[None] * 99]
    assert disk.pauses == [PAUSE_SECONDS]


@pytest.mark.parametrize("found", ["of another key", "no certificate", "missing"])
def test_what_is_not_this_servers_certificate_changes_nothing(
    authority: DevelopmentAuthority, found: str
) -> None:
    """A half-copied file must not take a server off the air, nor be shown."""
    key, first = authority.certificate("gateway", ["localhost"])
    _, foreign = authority.certificate("gateway", ["localhost"])
    disk = Disk(first)
    followed = Followed(key, first, disk.read, disk.pauses.append)
    disk.held = {"of another key": foreign, "no certificate": b"-----", "missing": b""}[found]
    assert followed.changed() is None
    assert followed.changed() is None
    disk.held = first
    assert followed.changed() is None
    assert not disk.pauses


def test_a_server_lives_through_renewals_while_many_connect(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    """As it did not before: SIGSEGV or SIGABRT within some hundred handshakes."""
    key, first = authority.certificate("gateway", ["localhost"])
    public = x509.load_pem_x509_certificate(first).public_key()
    shown = tmp_path / "server.crt"
    shown.write_bytes(first)
    (tmp_path / "server.key").write_bytes(key)
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.edge.test_renewed_certificate", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with server:
        assert server.stdin
        assert server.stdout
        port = int(server.stdout.readline())
        seen: set[bytes] = set()
        refused: list[BaseException] = []
        callers = [
            threading.Thread(target=_handshakes, args=(port, authority.ca_pem, seen, refused))
            for _ in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        written = {first}
        for _ in range(RENEWALS):
            callers[0].join(PAUSE_SECONDS)
            renewed = authority.certify("gateway", ["localhost"], public)  # type: ignore[arg-type]
            shown.with_suffix(".new").write_bytes(renewed)
            shown.with_suffix(".new").replace(shown)
            written.add(renewed)
        for caller in callers:
            caller.join()
        ended = server.poll()
        server.stdin.close()
    assert ended is None, f"the server ended by {signal.Signals(-ended).name}"
    assert not refused
    assert len(seen) > 1
    assert seen <= {ssl.PEM_cert_to_DER_cert(each.decode()) for each in written}


def _handshakes(
    port: int, authority: bytes, seen: set[bytes], refused: list[BaseException]
) -> None:
    trust = ssl.create_default_context(cadata=authority.decode())
    trust.set_alpn_protocols(["h2"])
    for _ in range(HANDSHAKES):
        try:
            with (
                socket.create_connection(("127.0.0.1", port), 20) as plain,
                trust.wrap_socket(plain, server_hostname="localhost") as secure,
            ):
                shown = secure.getpeercert(binary_form=True)
                assert shown
                seen.add(shown)
        except OSError as error:
            refused.append(error)
            return


def _serve(folder: Path) -> None:
    certificate = folder / "server.crt"
    running = serve(
        [_nothing],
        address="localhost:0",
        tls=Tls(
            (folder / "server.key").read_bytes(),
            certificate.read_bytes(),
            renewed=certificate.read_bytes,
        ),
        report=lambda *_: None,
        threads=1,
    )
    sys.stdout.write(f"{running.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    running.stop(0)


def _nothing(_: grpc.Server) -> None:
    """No service: a handshake needs none."""


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
