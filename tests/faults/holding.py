"""What must hold after any fault, seen from the callers' side; the numbers are those of `rows`.

`Seen` is what callers got and what a bystander read. `broken` compares it with the logs, once all
processes have ended; it is empty when these hold:

- I1 every receipt verifies, and its entry stands in the gateway's log;
- I2 no department was charged less than its callers saw, and its ledger never fell;
- I3 every answer is of all departments;
- I4 every checkpoint that anybody saw is of a tree that the log at the end extends;
- I5 a question has one answer and was charged once, however often it was asked;
- both sides' logs say the same.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from landbridge.answers import Answer
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint
from landbridge.evidence.entry import Entry
from landbridge.evidence.merkle import Tree, leaf_hash, root_hash
from landbridge.evidence.reconciliation import Finding, reconcile
from landbridge.evidence.signer import Verifier

LEFT_BEHIND: Final = frozenset({"missing_at_gateway", "in_flight"})
"""What a killed gateway leaves: a department charged and answered, and nobody was there to take it.
That the caller got no such answer is looked at from the caller's side."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that a caller got under a question id."""

    question_id: str
    answer: Answer


@dataclass
class Seen:
    """What all callers and one bystander saw."""

    given: list[Given] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    checkpoints: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look_on(self, folders: Mapping[str, Path]) -> None:
        """Reads the published checkpoints, as witnesses and auditors do."""
        for name, folder in folders.items():
            try:
                self.checkpoints[name].add((folder / "checkpoint").read_text("utf-8"))
            except FileNotFoundError:
                continue  # the log has not begun


def broken(seen: Seen, folders: Mapping[str, Path], departments: tuple[str, ...]) -> list[str]:
    """What does not hold. `folders` are the published logs, "gateway" among them."""
    logs = {
        name: [content for _, content in verify_folder(folder).entries()]
        for name, folder in folders.items()
    }
    return [
        *_receipts(seen, folders["gateway"], logs["gateway"], departments),
        *_charges(seen, logs, departments),
        *_histories(seen, folders, logs),
        *(
            f"reconcile: {each.what} {each.sentence}"
            for each in reconciled(logs, departments)
            if each.what not in LEFT_BEHIND
        ),
    ]


def _receipts(
    seen: Seen, folder: Path, gateway: Sequence[bytes], departments: tuple[str, ...]
) -> Iterator[str]:
    vkey = (folder / "vkey").read_text().strip()
    places = {content: index for index, content in enumerate(gateway)}
    for given in seen.given:
        if given.answer.departments != departments or given.answer.missing:
            yield f"I3 an answer is of {given.answer.departments}"
        receipt = given.answer.receipt
        if receipt is None:
            yield "I1 an answer came without a receipt"
            continue
        index = receipt.verify(vkey).index
        if places.get(receipt.entry) != index:
            yield f"I1 the entry {index} of an answer is not in the log"


def _charges(
    seen: Seen, logs: Mapping[str, Sequence[bytes]], departments: tuple[str, ...]
) -> Iterator[str]:
    answers: dict[str, set[object]] = defaultdict(set)
    paid: Counter[tuple[str, str]] = Counter()
    sums: Counter[str] = Counter()
    for given in seen.given:
        shown = tuple(given.answer.rows()), tuple(given.answer.half_widths())
        answers[given.question_id].add(shown)
        for budget in given.answer.cost.budgets:
            paid[given.question_id, budget.department] += budget.charged_micro_rho > 0
            sums[budget.department] += budget.charged_micro_rho
    for question, different in answers.items():
        if len(different) > 1:
            yield f"I5 {len(different)} answers to {question}"
    for (question, department), times in paid.items():
        if times > 1:
            yield f"I5 {department} charged {times} times for {question}"
    for department in departments:
        entries = [Entry.from_bytes(content) for content in logs[department]]
        yield from (f"I2 {department} {what}" for what in ledger_falls(entries))
        spent = [_spent(entry) for entry in entries if _answers(entry)]
        if not spent or max(spent) < sums[department]:
            yield f"I2 {department} charged {max(spent, default=0)} for {sums[department]} seen"


def ledger_falls(entries: Sequence[Entry]) -> Iterator[str]:
    """Where a department's log says that its ledger lost something; nothing where it did not.

    Requests that end at once look at the ledger and write their entries in no order of each other,
    so entries of one life of the process may seem to fall. Between lives there is a start, and
    what was charged before it stands. Whoever looked last in a life saw every charge that is in the
    log; a charge of an earlier life that is taken up is in the log once. A charge goes back where
    time was up before data were read: as often as there were such refusals.
    """
    top, charged, back, most = 0, 0, 0, 0
    for life in _lives(entries):
        answered = [entry for entry in life if _answers(entry)]
        most = max([most, *(entry.charged_micro_rho for entry in answered)])
        charged += sum(entry.charged_micro_rho for entry in answered)
        spent = [_spent(entry) for entry in answered]
        if spent and min(spent) < top - back * most:
            yield f"says {min(spent)} after a start, and said {top} before it"
        elif spent and max(spent) < charged:
            yield f"says {max(spent)} when {charged} were charged"
        back += sum(entry.reason == "DEADLINE" for entry in life)
        top = max([top, *spent])


def _lives(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    life: list[Entry] = []
    for entry in entries:
        if entry.kind == "start":
            yield life
            life = []
        life.append(entry)
    yield life


def _answers(entry: Entry) -> bool:
    return entry.kind == "query" and entry.outcome == "answered"


def _spent(entry: Entry) -> int:
    return int(str(entry.budget["overall_spent"]))


def _histories(
    seen: Seen, folders: Mapping[str, Path], logs: Mapping[str, Sequence[bytes]]
) -> Iterator[str]:
    for name, notes in seen.checkpoints.items():
        verifier = Verifier.parse((folders[name] / "vkey").read_text().strip())
        tree = Tree()
        for content in logs[name]:
            tree.append(leaf_hash(content))
        for note in notes:
            shown: Checkpoint = open_checkpoint(note, verifier)
            if shown.size > tree.size or root_hash(shown.size, tree.node) != shown.root:
                yield f"I4 the checkpoint of size {shown.size} of {name} is of another history"


def reconciled(
    logs: Mapping[str, Sequence[bytes]], departments: tuple[str, ...]
) -> tuple[Finding, ...]:
    """What the gateway's log and those of the departments do not both say."""
    whole = {name: list(enumerate(entries)) for name, entries in logs.items()}
    return reconcile(
        {"gateway": partial(whole.__getitem__, "gateway")},
        {name: partial(whole.__getitem__, name) for name in departments},
        in_flight=timedelta(0),
        now=datetime.now(UTC),
    ).wrong
