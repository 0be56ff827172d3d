"""Two replicas of a gateway, restarted one after the other under load: nobody notices."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

import landbridge
import landbridge.testing
from landbridge.edge.health import check
from landbridge.edge.state import log_signer, witness_key
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.evidence.reconciliation import Reconciliation, reconcile
from landbridge.federation.process import ServerProcess, spawn
from landbridge.federation.running import Federation
from tests.operating.town import PURPOSE, write
from tests.ports import free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

CALLERS = 20
SHARED = ("signing.key", "tls.key", "tls.pem")
"""What one gateway's replicas have in common, beside manifest and policy."""


@dataclass
class Asked:
    """What callers saw."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Restarted:
    """A federation with two replicas after a rolling restart."""

    both: Asked
    one: Asked
    health: list[bool]
    logs: dict[str, list[Entry]]
    witnessed: tuple[str, ...]


def questions() -> Callable[[], str]:
    """A question that nobody has asked before, each time."""
    numbers = itertools.product(range(1, 60), range(1, 13), ("history", "novels", "science"))
    lock = threading.Lock()

    def following() -> str:
        with lock:
            days, month, topic = next(numbers)
        return (
            f"SELECT count(*) AS n FROM loans WHERE days < {days} AND month <= {month} "
            f"AND topic <> '{topic}'"
        )

    return following


def _keep_asking(
    client: landbridge.Client, following: Callable[[], str], asked: Asked, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            client.query(following(), purpose=PURPOSE, epsilon=0.5, timeout=30)
        except LandbridgeError as failure:
            with asked.lock:
                asked.failed.append(failure.reason)
            stop.wait(0.05)
        else:
            with asked.lock:
                asked.answered += 1


class Replica:
    """One of the two processes."""

    def __init__(self, name: str, settings: Path) -> None:
        self.name = name
        self.settings = settings
        self.server = self._spawn()

    def _spawn(self) -> ServerProcess:
        server = spawn(self.name, "gateway", self.settings)
        server.await_ready()
        return server

    def restart(self, ca: Path, wait: Callable[[], None]) -> bool:
        """As a service manager does: SIGTERM, wait for the end, start again.

        Gives what health said in between; whoever looks is connected already, as a balancer is.
        """
        credentials = grpc.ssl_channel_credentials(ca.read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{self.server.port}", credentials) as channel:
            assert check(channel, 10)[0]
            self.server.process.send_signal(signal.SIGTERM)
            serving = True
            while serving:  # the signal takes a moment; an end before it was said raises
                serving, _ = check(channel, 10)
        assert self.server.process.wait(120) == 0, self.server.log.read_text()
        self.server.stop()
        self.server = self._spawn()
        wait()
        return serving


def _second(running: Federation, folder: Path) -> Path:
    """The settings of the replica "second": the first one's keys, a state folder of its own."""
    first = running.state / "gateway"
    for name in SHARED:
        shutil.copy2(first / name, folder / name)
    text = (first / "gateway.toml").read_text()
    lines = text.replace(f'state = "{first}"', f'state = "{folder}"').splitlines()
    assert f'state = "{folder}"' in lines
    place = next(at for at, line in enumerate(lines) if line.startswith("listen"))
    lines[place] = f'listen = "127.0.0.1:{free_port()}"'
    path = folder / "gateway.toml"
    path.write_text("\n".join(['replica = "second"', *lines]))
    return path


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    """Both replicas restarted twice while twenty callers ask without a pause."""
    folder = tmp_path_factory.mktemp("rolling")
    town = write(folder / "town")
    (folder / "2").mkdir(mode=0o700)
    second = log_signer(folder / "2", "town/gateway/second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDBRIDGE_GATEWAY__DRAIN__NOTICE_SECONDS", "2")
        patch.setenv("LANDBRIDGE_NODE__LOG__GATEWAY_REPLICAS", json.dumps([second.vkey]))
        with landbridge.testing.federation(town, state=folder / "state") as running:
            first = running.state / "gateway" / "gateway.toml"
            running.stop_gateway()
            first.write_text(first.read_text().replace(":0", f":{free_port()}"))
            replicas = [Replica("first", first), Replica("second", _second(running, folder / "2"))]
            try:
                yield _roll(running, replicas)
            finally:
                for replica in replicas:
                    replica.server.stop()
                running.start_gateway()


def _roll(running: Federation, replicas: list[Replica]) -> Restarted:
    addresses = [f"127.0.0.1:{replica.server.port}" for replica in replicas]
    both, one, health = Asked(), Asked(), list[bool]()
    stop, following = threading.Event(), questions()
    token = running.token("planner")
    clients = [
        *(landbridge.connect(",".join(addresses), token=token, ca=running.ca) for _ in range(4)),
        # Positive control: who knows one replica only does notice.
        landbridge.connect(addresses[0], token=token, ca=running.ca),
    ]
    threads = [
        threading.Thread(target=_keep_asking, args=(clients[at % 4], following, both, stop))
        for at in range(CALLERS)
    ]
    threads.append(threading.Thread(target=_keep_asking, args=(clients[4], following, one, stop)))

    def wait() -> None:
        reached = both.answered + CALLERS
        while both.answered < reached and not both.failed:
            stop.wait(0.05)

    try:
        for thread in threads:
            thread.start()
        wait()
        for replica in replicas:
            health.append(replica.restart(running.ca, wait))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
    for replica in replicas:
        replica.server.stop()
    folders: dict[str, Path] = {
        replica.name: replica.settings.parent / "log" for replica in replicas
    }
    key = witness_key(running.state / "library", "town/library").vkey
    witnessed = verify_folder(folders["second"], witnesses=[key]).witnesses
    running.stop("library")
    folders["library"] = running.log("library")
    running.restart("library")
    logs = {name: _entries(log) for name, log in folders.items()}
    return Restarted(both, one, health, logs, tuple(each.witness for each in witnessed))


def _entries(folder: Path) -> list[Entry]:
    return [Entry.from_bytes(octets) for _, octets in verify_folder(folder).entries()]


def _answered(entries: list[Entry]) -> list[Any]:
    return [entry for entry in entries if entry.kind == "query" and entry.outcome == "answered"]


def test_no_request_fails(restarted: Restarted) -> None:
    """Twenty in flight at every moment, both replicas restarted: zero failures."""
    assert restarted.both.failed == []
    assert restarted.both.answered >= 3 * CALLERS


def test_who_knows_one_replica_only_does_notice(restarted: Restarted) -> None:
    """Positive control: the restart was a restart."""
    assert "GATEWAY_UNREACHABLE" in restarted.one.failed


def test_health_turns_before_the_door_closes(restarted: Restarted) -> None:
    """Load balancers look at it; both replicas still answered when they said NOT_SERVING."""
    assert restarted.health == [False, False]


def test_each_replica_has_a_log_of_its_own(restarted: Restarted) -> None:
    """Both verify, both answered, both began twice and ended twice."""
    for name in ("first", "second"):
        entries = restarted.logs[name]
        assert len(_answered(entries)) > 0
        assert Counter(entry.kind for entry in entries)["start"] >= 2


def test_a_department_witnesses_the_log_of_each_replica(restarted: Restarted) -> None:
    """A second log that nobody remembers could be rewritten."""
    assert restarted.witnessed == ("town/library/witness",)


def test_nobody_is_charged_twice(restarted: Restarted) -> None:
    """The department's own log: one charge for each question id, and the ledger is their sum."""
    answers = _answered(restarted.logs["library"])
    charged = Counter(entry.question_id for entry in answers if entry.charged_micro_rho)
    assert set(charged.values()) == {1}
    assert len(charged) >= restarted.both.answered
    assert max(entry.budget["overall_spent"] for entry in answers) == sum(
        entry.charged_micro_rho for entry in answers
    )


def test_every_answer_stands_in_the_log_of_the_replica_that_gave_it(restarted: Restarted) -> None:
    """What the department released is in one of the two, under the same question id."""
    gateways = {
        entry.question_id
        for name in ("first", "second")
        for entry in _answered(restarted.logs[name])
    }
    assert {entry.question_id for entry in _answered(restarted.logs["library"])} <= gateways


def test_the_logs_of_both_replicas_reconcile_with_the_departments(restarted: Restarted) -> None:
    """What neither of two servers may hide together; one log alone would call the other a liar."""

    def read(name: str) -> list[tuple[int, bytes]]:
        return [(index, entry.to_bytes()) for index, entry in enumerate(restarted.logs[name])]

    def compare(*names: str) -> Reconciliation:
        return reconcile(
            {name: partial(read, name) for name in names},
            {"library": partial(read, "library")},
            in_flight=timedelta(0),
            now=datetime.now(UTC),
        )

    both = compare("first", "second")
    assert both.findings == ()
    assert both.matched >= restarted.both.answered
    alone = Counter(finding.what for finding in compare("first").findings)
    assert alone["missing_at_gateway"] == both.matched - compare("first").matched > 0
