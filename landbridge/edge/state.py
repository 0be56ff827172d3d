"""The keys that a server keeps in its state folder; made once, when they are first needed."""

from __future__ import annotations

from pathlib import Path

from landbridge.evidence.cosignature import Cosigner
from landbridge.evidence.entry import SubjectKey
from landbridge.evidence.signer import Signer


def log_signer(state: Path, name: str) -> Signer:
    """The key that signs the log of that name; EvidenceError where its file cannot be used."""
    path = state / "log.key"
    if not path.exists():
        Signer.create(name).save(path)
    return Signer.load(path)


def witness_key(state: Path, name: str) -> Cosigner:
    """The key that the member of that name cosigns other logs with; EvidenceError likewise."""
    path = state / "witness.key"
    if not path.exists():
        Cosigner.create(f"{name}/witness").save(path)
    return Cosigner.load(path)


def subject_key(state: Path) -> SubjectKey:
    """The key of the log's digests of persons; EvidenceError where its file cannot be used."""
    path = state / "subjects.key"
    if not path.exists():
        SubjectKey.create().save(path)
    return SubjectKey.load(path)
