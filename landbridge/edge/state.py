"""The keys that a server keeps in its state folder; made once, when they are first needed."""

from __future__ import annotations

from pathlib import Path

from landbridge.evidence.cosignature import Cosigner
from landbridge.evidence.entry import SubjectKey
from landbridge.evidence.signer import Signer
from landbridge.evidence.subject_keys import SubjectKeys


def log_signer(state: Path, name: str) -> Signer:
    """The key that signs the log of that name; EvidenceError where its file cannot be used."""
    path = state / "log.key"
    if not path.exists():
        Signer.create(name).save(path)
    return Signer.load(path)


def subject_keys(state: Path) -> SubjectKeys:
    """The months' keys of the log's digests of persons."""
    return SubjectKeys(state / "subjects")


def witness_key(state: Path, name: str) -> Cosigner:
    """The key that the member of that name cosigns other logs with; EvidenceError likewise."""
    path = state / "witness.key"
    if not path.exists():
        Cosigner.create(f"{name}/witness").save(path)
    return Cosigner.load(path)


def subject_key(state: Path) -> SubjectKey:
    """The key of digests that are compared over years, beside the log.

    EvidenceError where its file cannot be used. Entries of before there were months' keys were
    made with it too.
    """
    path = state / "subjects.key"
    if not path.exists():
        SubjectKey.create().save(path)
    return SubjectKey.load(path)
