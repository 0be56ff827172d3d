"""Batches made by hand: what no honest client would send, and the raw stream."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from landbridge.federation.running import Federation
from landbridge.protocols.sealing import SealingKey
from landbridge.submission import sealed
from landbridge.submission.collection import Collection, read_collection
from landbridge.submission.sealed import Head, Outcome
from landbridge.transport import Endpoint, bearer
from landbridge.v1 import submission_pb2
from landbridge.v1.submission_pb2_grpc import SubmissionsStub
from tests.submission.town import PURPOSE

KEY = bytes(32)


@dataclass(slots=True)
class Hand:
    """Somebody who speaks to the gateway without the SDK."""

    town: Federation
    caller: str
    channel: grpc.Channel
    department: str = "rescue"
    contract: str = "requests"
    subject: str = ""

    @classmethod
    def of(cls, town: Federation, caller: str, **about: str) -> Hand:
        """Connected."""
        return cls(town, caller, Endpoint.at(town.address, ca=town.ca).channel(), **about)

    def collection(self) -> Collection:
        """What the department describes."""
        token = self.town.token(self.caller, **({"subject": self.subject} if self.subject else {}))
        name = f"{self.department}.{self.contract}"
        request = submission_pb2.DescribeCollectionRequest(contract=name, purpose=PURPOSE)
        response = SubmissionsStub(self.channel).DescribeCollection(
            request, timeout=20, metadata=bearer(token)
        )
        return read_collection(response, name, None)

    def send(
        self, batches: Iterable[submission_pb2.SealedBatch], token: str
    ) -> list[submission_pb2.BatchResult]:
        """All on one stream."""

        def requests() -> Iterator[submission_pb2.SubmitRequest]:
            opening = submission_pb2.SubmitOpening(
                department=self.department, contract=self.contract, purpose=PURPOSE
            )
            yield submission_pb2.SubmitRequest(opening=opening)
            for batch in batches:
                yield submission_pb2.SubmitRequest(batch=batch)

        call = SubmissionsStub(self.channel).Submit(requests(), timeout=30, metadata=bearer(token))
        return [response.result for response in call]


def row(values: Sequence[Any], *, ident: str = "", captured: float | None = None) -> bytes:
    """One line of a batch."""
    at = round((time.time() if captured is None else captured) * 1000)
    return json.dumps([ident or secrets.token_hex(16), at, False, list(values)]).encode()


def batch(
    lines: Sequence[bytes],
    collection: Collection,
    token: str,
    *,
    key: SealingKey | None = None,
    form: str = "",
    head: bytes = b"",
) -> submission_pb2.SealedBatch:
    """Sealed as the client would, whatever the lines are; `head` takes the place of the first."""
    said = Head(form or collection.form.digest, sealed.token_digest(token), KEY)
    first = head or sealed.lines(said, [])
    batch_id = secrets.token_bytes(16)
    to = key or collection.sealing
    content = b"\n".join((first, *lines))
    return submission_pb2.SealedBatch(
        batch_id=batch_id,
        sealed=sealed.seal(content, collection.target, batch_id, to),
        key_id=sealed.key_id(to),
    )


def fates(result: submission_pb2.BatchResult) -> list[str]:
    """Of each record, as the contributor reads them."""
    content, _ = sealed.open_outcome(result.sealed, result.batch_id, KEY)
    return [str(fate) for fate in Outcome.from_bytes(content).fates()]
