"""`fanout_growth`: what one more department adds to a question that all of them answer.

2, 10 and 50 departments are the product's own, with ledger, log, noise and DuckDB (bench/many.py).
For the rest of the way to a thousand they are light (bench/light.py): they answer at once what a
department of the product answered, each over a connection of its own and with a log of its own. So
the law of the gateway's part (sign, ask, await, check the proof, add) is fitted apart from what the
departments' machines do.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest.mock import patch

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.floor import running
from bench.light import PLACE
from bench.many import PLAIN, many
from bench.row import Aim, Row, RowFailed, Say
from bench.samples import seconds
from gateway import gathering
from gateway.ask_each import ask_each
from gateway.combine import combine
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.entry import Entry
from landbridge.evidence.merkle import leaf_hash
from landbridge.evidence.receipt import verify_receipt
from landbridge.evidence.signer import Signer
from landbridge.evidence.tlog_proof import TlogProof
from landbridge.federation.process import spawn
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import node_pb2, node_pb2_grpc
from policies.disclosure import ReleasePlan

REAL: Final = (2, 10, 50)
LIGHT: Final = (2, 10, 50, 200, 500, 1_000)
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a department of the product was asked and answered, and the plan of it."""

    plan: ReleasePlan
    request: node_pb2.AnswerRequest
    answer: node_pb2.AnswerResponse


def measure(say: Say) -> Row:
    """Milliseconds."""
    real: dict[int, float] = {}
    seen: list[_Seen] = []
    for number in REAL:
        say(f"loading {number} departments")
        with many(departments=number) as federation:
            seen.append(_seen(federation))
            fresh = count(2_000)

            def ask(federation: Any = federation, fresh: Iterator[int] = fresh) -> None:
                sql = f"SELECT count(*) AS n FROM {PLAIN} WHERE income < {next(fresh)}"
                federation.query(sql, seconds=120)

            real[number] = median([1e3 * seconds(ask) for _ in range(ROUNDS)])
    say(f"{LIGHT[-1]} light departments")
    light: dict[int, list[float]] = {}
    with _Town.of(seen[0], LIGHT[-1]) as town:
        for number in LIGHT:
            town.gather(number)
            light[number] = [town.gather(number) for _ in range(ROUNDS)]
    medians = {number: median(found) for number, found in light.items()}
    fixed, each = _line(list(medians.items()))
    own_fixed, own_each = _line(list(real.items()))
    worst = max(abs(fixed + each * n - ms) / ms for n, ms in medians.items() if n >= REAL[-1])
    return Row.of(
        "fanout_growth",
        light[LIGHT[-1]],
        [fixed + each * LIGHT[-1]],
        better="lower",
        aim=Aim("ratio", 1.25),
        note=f"milliseconds for the gateway's part of a count from {LIGHT[-1]} light departments "
        "that answer at once: signed, asked over gRPC without TLS, awaited, proofs checked, added "
        f"up ({_told(medians)}); floor: the fitted law at {LIGHT[-1]}, {fixed:.1f} + {each:.2f} n, "
        f"which is off by at most {worst:.0%} from 50 on; the product's own departments, all of "
        f"them on this machine ({_told(real)}): {own_fixed:.0f} + {own_each:.1f} n, nearly all of "
        "it their own ledgers, logs and noise",
    )


def _told(found: Mapping[int, float]) -> str:
    return ", ".join(f"{number}: {ms:.0f}" for number, ms in found.items())


def _seen(federation: Any) -> _Seen:
    """Asks once, and looks on."""
    plans: list[ReleasePlan] = []
    crossed: list[tuple[Any, Any]] = []
    ask = federation.departments.ask

    def combined(plan: ReleasePlan, replies: Any) -> Any:
        plans.append(plan)
        return combine(plan, replies)

    def asked(names: Any, method: Any, request: Any, *rest: Any, **more: Any) -> Any:
        found = ask(names, method, request, *rest, **more)
        crossed.append((request(names[0]), found.replies))
        return found

    with (
        patch.object(gathering, "combine", combined),
        patch.object(federation.departments, "ask", asked),
    ):
        federation.query(f"SELECT count(*) AS n FROM {PLAIN}", seconds=120)
    if not plans or not crossed:
        raise RowFailed("The question was not put to the departments as it was expected to be.")
    request, replies = crossed[-1]
    return _Seen(plans[-1], request, next(iter(replies.values())))


class _Town:
    """Light departments, and the gateway's part of a question to the first of them."""

    def __init__(
        self,
        seen: _Seen,
        stubs: Mapping[str, node_pb2_grpc.NodeStub],
        keys: Sequence[str],
    ) -> None:
        self._seen = seen
        self._stubs = stubs
        self._names = list(stubs)
        self._keys = dict(zip(stubs, keys, strict=True))
        self._signer = AskingSigner("bench.example", Ed25519PrivateKey.generate(), time.time)

    @classmethod
    @contextmanager
    def of(cls, seen: _Seen, number: int) -> Iterator[_Town]:
        """So many of them, in a process of their own."""
        keys, answers = [], []
        for place in range(number):
            key, answer = _logged(seen.answer, f"bench.example/d{place}")
            keys.append(key)
            answers.append(answer.SerializeToString().hex())
        with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder, ExitStack() as held:
            settings = Path(folder) / "light.json"
            settings.write_text(json.dumps({"answers": answers}), "utf-8")
            held.enter_context(running(spawn("light departments", "bench.light", settings)))
            ports = json.loads((Path(folder) / "ports.json").read_bytes())
            stubs = {
                f"d{place}": node_pb2_grpc.NodeStub(
                    held.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
                )
                for place, port in enumerate(ports)
            }
            yield cls(seen, stubs, keys)

    def gather(self, number: int) -> float:
        """Milliseconds for the first so many."""
        names = self._names[:number]
        request = node_pb2.AnswerRequest()
        request.CopyFrom(self._seen.request)
        request.asking.question_id = secrets.token_hex(16)
        del request.members[:]
        request.members.extend(names)

        def method(place: int) -> Any:
            answer = self._stubs[self._names[place]].Answer

            class Placed:
                @staticmethod
                def future(asked: Any, *, timeout: float, metadata: Any) -> Any:
                    more = (*metadata, (PLACE, str(place)))
                    return answer.future(asked, timeout=timeout, metadata=more)

            return Placed

        def whole() -> None:
            asked = ask_each(
                {name: method(place) for place, name in enumerate(names)},
                names,
                lambda stub: stub,
                self._signer.signing(request),
                60.0,
                (),
                long=True,
            )
            for name, reply in asked.replies.items():
                verify_receipt(reply.receipt.entry, reply.receipt.proof, self._keys[name])
                Entry.from_bytes(reply.receipt.entry)
            combine(self._seen.plan, asked.replies)
            if len(asked.replies) != number:
                raise RowFailed(f"Only {len(asked.replies)} of {number} departments answered.")

        return 1e3 * seconds(whole)


def _logged(answer: node_pb2.AnswerResponse, name: str) -> tuple[str, node_pb2.AnswerResponse]:
    """The answer as the only entry of a log of that name, and the log's key."""
    signer = Signer.create(name)
    made = node_pb2.AnswerResponse()
    made.CopyFrom(answer)
    leaf = leaf_hash(made.receipt.entry)
    checkpoint = Checkpoint(name, 1, leaf).sign(signer)
    made.receipt.proof = TlogProof.texts(0, [()], checkpoint)[0]
    return signer.vkey, made


def _line(points: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """A and b of a + b n, by least squares of relative errors, so that small n count too."""
    weights = [1 / (value * value) for _, value in points]
    total = sum(weights)
    x = sum(w * n for w, (n, _) in zip(weights, points, strict=True)) / total
    y = sum(w * v for w, (_, v) in zip(weights, points, strict=True)) / total
    above = sum(w * (n - x) * (v - y) for w, (n, v) in zip(weights, points, strict=True))
    below = sum(w * (n - x) ** 2 for w, (n, _) in zip(weights, points, strict=True))
    return y - above / below * x, above / below
