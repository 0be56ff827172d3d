"""A hostile or clumsy gateway: requests to one node's pooling service, signed as the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from gateway.convert import question_to
from landbridge.protocols.agreement import keys_digest
from landbridge.protocols.masks import from_bytes
from landbridge.v1 import node_pb2, pooled_pb2
from policies.question import Count, Question
from tests.people import PURPOSE
from tests.simulator import FederationSimulator

COUNT = Question("people", (Count(),))
PLENTY: dict[str, Any] = {
    "landbridgeBudget": {
        "recipient": {"epsilon": 5_000, "delta": 1e-6},
        "overall": {"epsilon": 9_000, "delta": 1e-6},
        "period": "year",
    }
}
"""A budget that no test exhausts."""


def digest(federation: FederationSimulator, members: Sequence[str]) -> bytes:
    """Of the keys that everybody has pinned."""
    keys = {each.department: each.keys.masking for each in federation.manifest.members}
    return keys_digest({name: keys[name] for name in members})


def pool(
    federation: FederationSimulator,
    department: str,
    members: Sequence[str],
    *,
    question: Question = COUNT,
    question_id: str = "a" * 32,
    micro_epsilon: int = 1_000_000,
    token: str | None = None,
    keys: bytes | None = None,
    repeats: bytes = b"",
    anew: bool = False,
) -> pooled_pb2.PoolResponse:
    """What that department replies; raises what it raises."""
    request = pooled_pb2.PoolRequest(
        asking=node_pb2.Asking(
            token=token or federation.token(), purpose=PURPOSE, question_id=question_id
        ),
        question=question_to(question),
        micro_epsilon=micro_epsilon,
        members=members,
        keys_digest=digest(federation, members) if keys is None else keys,
        repeats=repeats,
        anew=anew,
    )
    signed = federation.signer.signing(request)(department)
    reply = federation.nodes[department].pooling.Pool(signed, federation.node_context())
    return cast(pooled_pb2.PoolResponse, reply)


def numbers(reply: pooled_pb2.PoolResponse) -> list[int]:
    """A masked vector's numbers."""
    found: list[int] = from_bytes(reply.masked).astype(np.uint64).tolist()
    return found


def spent(federation: FederationSimulator, department: str) -> int:
    """What the university was charged there, in micro-rho."""
    node = federation.nodes[department]
    contract = node.servicer._answering._guard._rules.contracts["people"]
    return node.ledger.accounts(contract, "university")[0].spent
