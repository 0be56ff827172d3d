"""A contributor's values, split and sealed on its own machine.

Whom the shares are sealed to is the word of the two departments: each has signed the terms with
the key that stands in the manifest, so a gateway that names another second department, other bounds
or other keys is found before anything is sent. A client that was given a manifest of its own holds
the gateway to that one. Needs numpy and pycryptodomex, `pip install 'landbridge[census]'`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature

try:
    from landbridge.census.task import ID_BYTES, OWNER, SECOND, Task
except ImportError:
    raise ImportError(
        "Contributions need numpy and pycryptodomex, which are not installed: "
        "pip install 'landbridge[census]'."
    ) from None
from landbridge.errors import LandbridgeError, error
from landbridge.literals import Value
from landbridge.membership.manifest import Manifest, ManifestInvalid, MemberEntry, read_manifest
from landbridge.protocols.envelope import seal_unsigned
from landbridge.v1 import census_pb2

MOST: Final = 500
"""Values in one request."""
MOST_BYTES: Final = 3 * 1024 * 1024
"""Of reports in one request."""
Random = Callable[[int], bytes]


class Split:
    """The terms of a measurement that were checked, and how values are split by them."""

    def __init__(
        self, described: census_pb2.CensusDescribeResponse, pinned: bytes | None = None
    ) -> None:
        """Raises ANSWER_REJECTED where the terms are not both departments' own."""
        try:
            self._task = Task.of(described.terms)
        except ValueError:
            raise _rejected(
                "The gateway shows terms of no measurement that is known here."
            ) from None
        members = _members(described, pinned)
        signed = {each.department: each.signature for each in described.signed}
        for entry in members:
            try:
                entry.keys.signing.verify(signed.get(entry.department, b""), self._task.statement)
            except InvalidSignature:
                raise _rejected(
                    f"Department {entry.department} has not signed these terms of the measurement."
                ) from None
        self._members = members

    def typed(self, text: str) -> Value:
        """A text, as a person types it, as a value of the column."""
        return self._task.typed(text)

    def reports(
        self, values: Sequence[Value], random: Random = secrets.token_bytes
    ) -> list[census_pb2.CensusReport]:
        """A report of each value; raises INVALID_ARGUMENT for one that it cannot have."""
        numbers = [self._task.measurement(value) for value in values]
        return [self._report(number, random) for number in numbers]

    def _report(self, number: int, random: Random) -> census_pb2.CensusReport:
        task, report = self._task, random(ID_BYTES)
        sharded = task.prio3.shard(number, report, random(task.prio3.random_bytes))
        owner, second = (
            seal_unsigned(
                sharded.inputs[place],
                task.share_info(report, sharded.public, place),
                self._members[place].keys.sealing,
            )
            for place in (OWNER, SECOND)
        )
        return census_pb2.CensusReport(
            id=report, public_share=sharded.public, owner_share=owner, second_share=second
        )


def requests(
    contract: str,
    column: str,
    purpose: str,
    reports: Sequence[census_pb2.CensusReport],
) -> list[census_pb2.CensusContributeRequest]:
    """The requests that carry these reports, as few as their size lets be."""
    found: list[census_pb2.CensusContributeRequest] = []
    size = MOST_BYTES
    for report in reports:
        if size + report.ByteSize() > MOST_BYTES or len(found[-1].reports) == MOST:
            size = 0
            found.append(
                census_pb2.CensusContributeRequest(
                    contract=contract,
                    column=column,
                    purpose=purpose,
                    question_id=secrets.token_hex(16),
                )
            )
        found[-1].reports.append(report)
        size += report.ByteSize()
    return found


def _members(
    described: census_pb2.CensusDescribeResponse, pinned: bytes | None
) -> tuple[MemberEntry, MemberEntry]:
    """The owner's and the second's entries, which must be two."""
    try:
        offered = read_manifest(described.manifest)
        known = offered if pinned is None else read_manifest(pinned)
    except ManifestInvalid as invalid:
        raise _rejected(str(invalid)) from None
    terms = described.terms
    if terms.owner == terms.second or terms.federation != known.federation:
        raise _rejected(
            "The gateway shows terms of another federation, or of one department alone."
        )
    return _member(known, terms.owner), _member(known, terms.second)


def _member(manifest: Manifest, department: str) -> MemberEntry:
    found = manifest.member(department)
    if found is None:
        raise _rejected(f"Department {department} of the measurement is in no manifest.")
    return found


def _rejected(sentence: str) -> LandbridgeError:
    return error("ANSWER_REJECTED", sentence, hint="Nothing was sent.")
