"""What a client knows of a collection: its form, and the keys that the manifest gives.

Whose keys are used is the manifest's word; a client that was given one of its own holds the gateway
to it, as with forms of cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from landbridge.errors import error
from landbridge.membership.manifest import ManifestInvalid, MemberEntry, read_manifest
from landbridge.protocols.sealing import SealingKey
from landbridge.submission.check import Checker
from landbridge.submission.form import Form, read_form
from landbridge.submission.sealed import Target
from landbridge.v1 import submission_pb2


@dataclass(frozen=True, slots=True)
class Collection:
    """One department's collection under one contract, as it was described last."""

    form: Form
    sealing: SealingKey
    log_key: str
    described: bytes
    """The serialized description, for a queue that is filled while nobody can be asked."""

    @property
    def target(self) -> Target:
        """What batches are sealed for."""
        return Target(self.form.federation, self.form.department, self.form.contract)

    @property
    def checker(self) -> Checker:
        """What records are held against before they are sent."""
        return Checker(self.form)


def read_collection(response: Any, contract: str, pinned: bytes | None) -> Collection:
    """The collection as its department signed it; raises ANSWER_REJECTED.

    `contract` is what was asked for, perhaps with its department; `pinned` a manifest that the
    caller has from elsewhere.
    """
    said = response.form.form
    department, _, name = contract.rpartition(".")
    if said.contract != name or (department and said.department != department):
        raise error("ANSWER_REJECTED", "The gateway described another collection than was asked.")
    member = _member(response.manifest, said.department)
    if pinned is not None:
        known = _member(pinned, said.department)
        if known.keys.raw() != member.keys.raw() or known.log_key != member.log_key:
            raise error(
                "ANSWER_REJECTED",
                f"The gateway shows other keys of department {said.department} than your manifest.",
                hint="Nothing was sent. Ask the department which keys are its own.",
            )
    form = read_form(response.form, member.keys.signing)
    return Collection(form, member.keys.sealing, member.log_key, response.SerializeToString())


def remembered(described: bytes, contract: str, pinned: bytes | None) -> Collection:
    """The same from a description that was kept."""
    response = submission_pb2.DescribeCollectionResponse.FromString(described)
    return read_collection(response, contract, pinned)


def _member(manifest: bytes, department: str) -> MemberEntry:
    try:
        member = read_manifest(manifest).member(department)
    except ManifestInvalid as invalid:
        raise error("ANSWER_REJECTED", str(invalid)) from None
    if member is None:
        raise error("ANSWER_REJECTED", f"Department {department} is in no manifest.")
    return member
