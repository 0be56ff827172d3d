"""A stream lives as long as what opened it is good: certificate at the node, token at the gateway.

And what TLS looks at when a connection is opened, by the system's clock. A certificate that is not
good yet, or no more, is what a clock looks at that was put back, or jumped ahead.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

import landbridge
from landbridge.edge.record import Recorder
from landbridge.edge.server import Tls, serve
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import LandbridgeError, error
from landbridge.identity.certificates import Admission, server_name
from landbridge.identity.development import DevelopmentAuthority
from landbridge.status import from_rpc_error
from landbridge.v1 import submission_pb2, watch_pb2, watch_pb2_grpc
from nodes.intake_servicer import SERVICE, IntakeServicer
from nodes.intaking import Intaking
from tests.membership.town import fail
from tests.sdk.loopback import Authority

DAY = 86_400.0


class _Taking:
    """What becomes of a batch; takes the place of all that is behind the servicer."""

    def arrive(self, sender: object, batch: submission_pb2.SealedBatch, *, trace_id: str) -> bytes:
        """It came."""
        del sender, trace_id
        return batch.batch_id

    def result(self, arrived: bytes) -> submission_pb2.BatchResult:
        """Its name."""
        return submission_pb2.BatchResult(batch_id=arrived)


class Intake:
    """A node's door for records over TLS, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.authority = DevelopmentAuthority.create(folder / "authority", "town")
        self.now = time.time()
        admission = Admission("gateway", "town", clock=lambda: self.now)

        def present(context: grpc.ServicerContext) -> None:
            admission.require(cast(Any, context.auth_context()))

        self._servicer = IntakeServicer(
            lambda context, _: present(context), present, cast(Intaking, _Taking()),
            cast(Recorder, _Silent()), Telemetry("node"), fail,
        )  # fmt: skip
        key, certificate = self.authority.certificate("north", [server_name("north")])
        self.server = self.serve(key, certificate)

    def serve(self, key: bytes, certificate: bytes) -> Any:
        """A server that shows this certificate."""
        return serve(
            [self._servicer.register],
            address="127.0.0.1:0",
            tls=Tls(key, certificate, self.authority.ca_pem),
            report=fail,
            threads=4,
        )

    def take(
        self, batches: Iterator[submission_pb2.IntakeTakeRequest], shown: tuple[bytes, bytes],
        port: int = 0,
    ) -> Iterator[submission_pb2.IntakeTakeResponse]:  # fmt: skip
        """A stream over a connection of its own."""
        channel = grpc.secure_channel(
            f"127.0.0.1:{port or self.server.port}",
            grpc.ssl_channel_credentials(self.authority.ca_pem, *shown),
            [
                ("grpc.ssl_target_name_override", server_name("north")),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        with channel:
            yield from channel.stream_stream(
                f"/{SERVICE}/Take",
                submission_pb2.IntakeTakeRequest.SerializeToString,
                submission_pb2.IntakeTakeResponse.FromString,
            )(batches, timeout=20)


class _Silent:
    """Keeps no entries."""

    def check(self, kind: str) -> Any:
        """A block in which nothing is recorded."""
        del kind
        return nullcontext()


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    """One that listens."""
    made = Intake(tmp_path)
    yield made
    made.server.stop(0)


def opening() -> submission_pb2.IntakeTakeRequest:
    """The first message."""
    return submission_pb2.IntakeTakeRequest(opening=submission_pb2.IntakeOpening(contract="people"))


def batch(number: int) -> submission_pb2.IntakeTakeRequest:
    """One of the next."""
    return submission_pb2.IntakeTakeRequest(
        batch=submission_pb2.SealedBatch(batch_id=bytes([number]) * 16)
    )


def test_a_stream_of_records_ends_with_the_certificate_that_opened_it(intake: Intake) -> None:
    """F25: what came before has its result; the next batch is refused, and the stream is over."""
    shown = intake.authority.certificate("gateway", ["gateway"], days_valid=1)
    sent: queue.SimpleQueue[submission_pb2.IntakeTakeRequest] = queue.SimpleQueue()
    for each in (opening(), batch(1)):
        sent.put(each)
    results = intake.take(iter(sent.get, None), shown)
    assert next(results).result.batch_id == bytes([1]) * 16
    intake.now += 2 * DAY
    sent.put(batch(2))
    with pytest.raises(grpc.RpcError) as ended:
        next(results)
    assert from_rpc_error(ended.value).reason == "CERTIFICATE_ENDED"


@pytest.mark.parametrize("ahead", [-3 * DAY, 3 * DAY], ids=["ended", "not yet"])
@pytest.mark.parametrize("side", ["gateway", "north"])
def test_by_the_clock_of_the_machine_no_connection_is_opened(
    intake: Intake, side: str, ahead: float
) -> None:
    """F23, I6: with a certificate for another time neither side speaks to the other."""
    moment = time.time() + ahead
    shown = intake.authority.certificate("gateway", ["gateway"], 1, time.time())
    good = intake.authority.certificate("north", [server_name("north")], 1, time.time())
    if side == "gateway":
        shown = intake.authority.certificate("gateway", ["gateway"], 1, moment)
    else:
        good = intake.authority.certificate("north", [server_name("north")], 1, moment)
    server = intake.serve(*good)
    try:
        with pytest.raises(grpc.RpcError) as refused:
            next(intake.take(iter([opening(), batch(1)]), shown, server.port))
    finally:
        server.stop(0)
    assert from_rpc_error(refused.value).reason == "GATEWAY_UNREACHABLE"


class _Watches(watch_pb2_grpc.WatchesServicer):
    """Tells one event for each token, and then that it has ended."""

    def __init__(self) -> None:
        self.came: list[str] = []

    def ShowWatch(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """It stands."""
        del context
        return watch_pb2.ShowWatchResponse(
            watch=watch_pb2.Watch(id=request.id, state="standing", department="north")
        )

    def FollowWatch(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """An event, unless its token was seen before."""
        shown = dict(context.invocation_metadata())["authorization"]
        new = shown not in self.came
        self.came.append(shown)
        if new:
            number = int(request.token.rpartition(":")[2] or 0) + 1
            yield watch_pb2.FollowWatchResponse(
                event=watch_pb2.WatchEvent(
                    token=f"{request.id}:{number}", watch=request.id, number=number, kind="alert"
                )
            )
        raise error("TOKEN_EXPIRED")

    CreateWatch = ListWatches = StopWatch = None  # type: ignore[assignment]


def followed(token: Callable[[], str], servicer: _Watches) -> tuple[list[int], str]:
    """The events that a follower with that source of tokens hears, and what ended it."""
    authority = Authority()
    key, certificate = authority.issue()
    add = partial(watch_pb2_grpc.add_WatchesServicer_to_server, servicer)
    running = serve([add], address="127.0.0.1:0", tls=Tls(key, certificate), report=fail, threads=2)
    heard: list[int] = []
    try:
        with landbridge.connect(
            f"127.0.0.1:{running.port}", token=token, ca=authority.pem
        ) as client:
            heard.extend(event.number for event in client.watching("ab" * 16).follow(timeout=20))
    except LandbridgeError as refusal:
        return heard, refusal.reason
    finally:
        running.stop(0)
    return heard, ""


def test_a_follower_goes_on_with_the_token_of_then_and_asks_no_third_time() -> None:
    """Whoever renews tokens misses nothing; whoever has one alone is told that it ended."""
    tokens = iter(["show", "first", "second", "third", *["third"] * 20])
    servicer = _Watches()
    assert followed(lambda: next(tokens), servicer) == ([1, 2, 3], "TOKEN_EXPIRED")
    assert [each.removeprefix("Bearer ") for each in servicer.came] == [
        "first", "second", "third", "third",
    ]  # fmt: skip
    assert followed(lambda: "one", _Watches()) == ([1], "TOKEN_EXPIRED")
