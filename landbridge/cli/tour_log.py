"""The log entries that the tour made: found in the published folders, and verified.

(1) Each log agrees with its signed checkpoint, to the last entry. (2) Each receipt's proof holds,
and its entry stands in the published log where the receipt says. (3) Each department's entry that
the gateway's entry names stands in that department's own log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from landbridge.cli.log_reading import fields
from landbridge.cli.tour import Toured
from landbridge.evidence import EvidenceError, Verification, verify_folder
from landbridge.evidence.merkle import leaf_hash
from landbridge.receipt import Receipt

PATIENCE: Final = 10.0
"""Seconds until what was logged must be published; logs publish twice a second."""
BETWEEN: Final = 0.1


@dataclass(frozen=True, slots=True)
class LogSight:
    """One log: the gateway's, or a department's; `entries` are those that the tour made.

    `shortcoming` is empty where everything holds.
    """

    name: str
    origin: str
    size: int
    root: str
    entries: tuple[tuple[int, dict[str, Any]], ...]
    shortcoming: str


@dataclass(frozen=True, slots=True)
class Expected:
    """An entry that must stand at `index` of a log."""

    index: int
    leaf: bytes


class Reading:
    """Reads and verifies the logs of a federation. `pause` waits that many seconds."""

    def __init__(
        self,
        federation: Toured,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._federation = federation
        self._clock = clock
        self._pause = pause

    def logs(
        self, departments: Iterable[str], receipts: Sequence[Receipt], asked: int
    ) -> list[LogSight]:
        """The gateway's log, in which all of `asked` requests must stand, and every department's,
        in which the entries that the gateway's name must stand.
        """
        named = _named_parts(receipts)
        questions = _questions(receipts)
        return [
            self._gateway(receipts, questions, asked),
            *(self._read(name, name, named.get(name, []), questions, []) for name in departments),
        ]

    def _gateway(
        self, receipts: Sequence[Receipt], questions: frozenset[str], asked: int
    ) -> LogSight:
        problems: list[str] = []
        expected: list[Expected] = []
        try:
            vkey = (self._federation.log() / "vkey").read_text(encoding="utf-8").strip()
        except OSError as problem:
            return LogSight("gateway", "", 0, "", (), f"It has no key ({problem.strerror}).")
        for receipt in receipts:
            try:
                proven = receipt.verify(vkey)  # (2)
            except EvidenceError as problem:
                problems.append(f"A receipt does not hold: {problem}.")
            else:
                expected.append(Expected(proven.index, proven.leaf_hash))
        if len(receipts) < asked:
            problems.append(f"{asked - len(receipts)} of {asked} requests gave no receipt.")
        return self._read("gateway", None, expected, questions, problems)

    def _read(
        self,
        title: str,
        department: str | None,
        expected: Sequence[Expected],
        questions: frozenset[str],
        problems: list[str],
    ) -> LogSight:
        size = max((entry.index for entry in expected), default=0) + 1
        try:
            log = self._published(department, size)
            content = dict(log.entries())
        except EvidenceError as problem:
            return LogSight(title, "", 0, "", (), " ".join([*problems, f"{problem}."]))
        problems += [
            f"Entry {entry.index} is not the one that was promised."
            for entry in expected  # (2) and (3)
            if entry.index not in content or leaf_hash(content[entry.index]) != entry.leaf
        ]
        made = [
            (index, found)
            for index, found in ((index, fields(entry)) for index, entry in content.items())
            if found.get("question_id") in questions
        ]
        return LogSight(
            title, log.origin, log.size, log.root.hex(), tuple(made), " ".join(problems)
        )

    def _published(self, department: str | None, size: int) -> Verification:
        """The verified log once it has that many entries; it is published a moment later."""
        end = self._clock() + PATIENCE
        while True:
            try:
                log = verify_folder(self._federation.log(department))  # (1)
            except EvidenceError:
                # It may have grown while it was read; what is truly wrong stays wrong.
                if self._clock() >= end:
                    raise
            else:
                if log.size >= size or self._clock() >= end:
                    return log
            self._pause(BETWEEN)


def _named_parts(receipts: Iterable[Receipt]) -> Mapping[str, list[Expected]]:
    """Department -> the entries of its log that the gateway's entries name."""
    named: dict[str, list[Expected]] = {}
    for receipt in receipts:
        for part in fields(receipt.entry).get("parts", ()):
            leaf = bytes.fromhex(part["leaf_hash"])
            named.setdefault(part["department"], []).append(Expected(part["index"], leaf))
    return named


def _questions(receipts: Iterable[Receipt]) -> frozenset[str]:
    found = (fields(receipt.entry).get("question_id") for receipt in receipts)
    return frozenset(question for question in found if question)
