"""Replicas at one port: the system deals callers out, and each replica logs its own."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

import landbridge
import landbridge.testing
from landbridge.edge.server import CannotListen, Running, Tls, serve
from landbridge.edge.state import log_signer
from landbridge.evidence.audit import verify_folder
from landbridge.federation.process import spawn
from landbridge.federation.running import Federation
from landbridge.identity.development import DevelopmentAuthority
from tests.operating.town import PURPOSE, write
from tests.ports import free_port

CALLERS = 24
"""All of them at one of two replicas by chance: once in 2^23 runs, by either."""


def _nothing(_: object) -> None:
    """No service."""


def test_a_port_is_shared_only_by_those_who_all_say_so(tmp_path: Path) -> None:
    """A second gateway, started by mistake, must not take half of the callers."""
    authority = DevelopmentAuthority.create(tmp_path, "town")
    tls = Tls(*authority.certificate("gateway", ["localhost"]))

    def listen(port: int, *, share_port: bool) -> Running:
        return serve(
            [_nothing],
            address=f"127.0.0.1:{port}",
            tls=tls,
            report=_nothing,
            threads=1,
            share_port=share_port,
        )

    alone = listen(0, share_port=False)
    for says in (False, True):
        with pytest.raises(CannotListen, match="in use"):
            listen(alone.port, share_port=says)
    alone.stop(0)
    first = listen(0, share_port=True)
    with pytest.raises(CannotListen, match="in use"):
        listen(first.port, share_port=False)
    second = listen(first.port, share_port=True)
    assert second.port == first.port
    for each in (first, second):
        each.stop(0)


@pytest.mark.journey
def test_callers_are_dealt_out_and_go_on_when_a_replica_is_gone(tmp_path: Path) -> None:
    """Every answer is in the log of whoever gave it; after a kill the other one has them all."""
    town = write(tmp_path / "town")
    folder = tmp_path / "second"
    folder.mkdir(mode=0o700)
    key = log_signer(folder, "town/gateway/second").vkey
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDBRIDGE_GATEWAY__SHARE_PORT", "true")
        patch.setenv("LANDBRIDGE_GATEWAY__LISTEN", f"127.0.0.1:{port}")
        patch.setenv("LANDBRIDGE_NODE__LOG__GATEWAY_REPLICAS", json.dumps([key]))
        with landbridge.testing.federation(town, state=tmp_path / "state") as running:
            own = running.state / "gateway"
            for name in ("signing.key", "subjects.key", "tls.key", "tls.pem"):
                shutil.copy2(own / name, folder / name)
            lines = (own / "gateway.toml").read_text()
            lines = lines.replace(f'state = "{own}"', f'state = "{folder}"')
            (folder / "gateway.toml").write_text(f'replica = "second"\n{lines}')
            second = spawn("second", "gateway", folder / "gateway.toml")
            second.await_ready()
            try:
                assert second.port == port
                assert _answered(running, CALLERS) == CALLERS
                running.kill_gateway()
                assert _answered(running, 3, port) == 3
            finally:
                second.stop()
            running.start_gateway()  # and shows what it had not published when it was killed
            logged = Counter(
                name
                for name, log in (("first", running.log()), ("second", folder / "log"))
                for _, entry in verify_folder(log).entries()
                if json.loads(entry)["kind"] == "query"
            )
            assert logged["first"] >= 1
            assert logged["second"] >= 4
            assert logged.total() == CALLERS + 3


def _answered(running: Federation, callers: int, port: int = 0) -> int:
    """So many callers, each with a connection of its own."""
    address = f"127.0.0.1:{port}" if port else running.address
    count = 0
    for number in range(callers):
        with landbridge.connect(address, token=running.token("planner"), ca=running.ca) as client:
            sql = f"SELECT count(*) AS n FROM loans WHERE days < {number + 1}"
            count += len(client.query(sql, purpose=PURPOSE, epsilon=0.5).rows())
    return count
