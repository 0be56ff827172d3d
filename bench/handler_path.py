"""`handler_path`: a handler's reply about one subject, through gateway and node."""

from __future__ import annotations

from typing import Final

from bench.demo import FOLDER, LAW
from bench.floor import two_hops
from bench.row import Row, RowFailed, Say
from bench.samples import in_turn, seconds
from landbridge import exchange
from landbridge.answers import Reply
from landbridge.client import Client
from landbridge.testing import federation

HANDLER: Final = "faa.airworthiness_band"
# One subject again and again: the quota counts different ones.
SUBJECT: Final = "N10156"
ROUNDS: Final = 100


def measure(say: Say) -> Row:
    """Milliseconds for one call, one caller."""
    with (
        federation(FOLDER, progress=say) as running,
        two_hops() as ask,
        running.client("carol") as client,
    ):
        reply = _call(client)
        sent = _request_bytes() + len(running.token("carol"))
        received = _reply_bytes(reply)
        say(f"calling {HANDLER} {ROUNDS} times")
        ours, floor = in_turn(
            lambda: 1e3 * seconds(lambda: _call(client)),
            lambda: 1e3 * seconds(lambda: ask(sent, received)),
            rounds=ROUNDS,
            warm_up=5,
        )
    return Row.of(
        "handler_path",
        ours,
        floor,
        better="lower",
        note=f"milliseconds; client.call of {HANDLER}, one caller, TLS on both hops, two durable "
        f"log entries; floor: two plain gRPC hops in the clear, {sent} bytes there and {received} "
        "back",
    )


def _call(client: Client) -> Reply:
    return client.call(HANDLER, purpose=LAW, tailnum=SUBJECT)


def _request_bytes() -> int:
    return exchange.call(HANDLER, purpose=LAW, arguments={"tailnum": SUBJECT}).request.ByteSize()


def _reply_bytes(reply: Reply) -> int:
    if reply.receipt is None:
        raise RowFailed(f"The reply of {HANDLER} came without a receipt.")
    receipt = reply.receipt
    return sum(map(len, (reply.code, reply.version, receipt.entry, receipt.proof)))
