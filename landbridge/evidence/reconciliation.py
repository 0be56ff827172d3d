"""Whether a gateway's logs and its departments' logs tell of the same answers.

The gateway's entry names, by index and leaf hash, the entry that each department made of its part.
Followed in both directions, that shows every answer that one side has and the other has not. A
gateway of several replicas has a log of each; together they are the gateway's side. The logs are
read one after the other while the servers go on, so that the newest entries of one may not
have reached the other: those are told apart by their time. Pure: takes entries, gives findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from landbridge.evidence.entry import Entry, Part, instant
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import leaf_hash

Entries = Callable[[], Iterable[tuple[int, bytes]]]
"""Index and bytes of every entry of a verified log; may be asked more than once."""

Place = tuple[str, int]
"""An entry of the gateway: the name of its log, and the index in it."""

What = Literal[
    "missing_at_department",
    "missing_at_gateway",
    "another_entry",
    "another_outcome",
    "another_question",
    "another_kind",
    "another_resource",
    "another_members",
    "another_asker",
    "another_memory",
    "another_charge",
    "named_twice",
    "without_parts",
    "not_given",
    "unreadable",
    "ahead_of_time",
    "in_flight",
]

LEEWAY: Final = timedelta(minutes=5)
"""How far a server's clock may be ahead of the auditor's."""

ANSWERING: Final = frozenset({"query", "call"})
"""Kinds whose answers departments make."""
STEP: Final = "step"
"""Only some entries of this kind are of a department's answer: others admit, or change a case."""

ALERT: Final = "alert"
"""Departments make alerts of watches, which have a question id; others they keep to themselves."""

PASSED_ON: Final = ANSWERING | {"about", "submit"}
"""Kinds that departments are asked; where one refuses a look-up, the list goes out without it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the two sides do not both say; `gateway` and `entry` are indices, or None.

    `gateway_log` is the name of the log that `gateway` counts in, empty where that is None.
    """

    what: What
    department: str
    gateway_log: str
    gateway: int | None
    entry: int | None
    question_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`matched` parts that both sides have alike, and what was found beside them.

    `wrong` are the findings that the passing of time does not explain.
    """

    matched: int
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Every finding but those of entries under way."""
        return tuple(finding for finding in self.findings if finding.what != "in_flight")


@dataclass(slots=True)
class _Named:
    """An entry of a department, as the gateway names it."""

    leaf: str
    gateway: Place
    whole: Entry
    seen: bool = False
    agreed: bool = False
    """Both sides have it alike, and it is an answer."""

    @property
    def question_id(self) -> str:
        """Of the gateway's entry."""
        return self.whole.question_id


@dataclass(slots=True)
class _Answer:
    """An answer of the gateway, and what its parts add up to."""

    question_id: str
    charged: int
    remembered: bool
    waiting: int
    parts_charged: int = 0
    parts_remembered: bool = True


@dataclass(slots=True)
class _Sides:
    """What was read so far."""

    named: dict[str, dict[int, _Named]] = field(default_factory=dict)
    answers: dict[Place, _Answer] = field(default_factory=dict)
    times: dict[Place, str] = field(default_factory=dict)
    unnamed: list[tuple[str, int, Entry]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    border: str = ""
    latest: str = ""
    matched: int = 0
    findings: list[Finding] = field(default_factory=list)

    def under_way(self, time: str) -> bool:
        """So young that the other side may not have it yet; nothing is younger than now."""
        return self.border <= time <= self.latest

    def find(
        self, what: What, department: str, at: Place | None, index: int | None, question: str,
        sentence: str,
    ) -> None:  # fmt: skip
        """Adds a finding."""
        log, number = at or ("", None)
        self.findings.append(Finding(what, department, log, number, index, question, sentence))


def reconcile(
    gateways: Mapping[str, Entries],
    departments: Mapping[str, Entries],
    *,
    in_flight: timedelta,
    now: datetime,
) -> Reconciliation:
    """What the gateway's logs, one of each replica, and the departments' do not both say.

    Both are given by name. `now` is the auditor's own clock before the first log was read: no log
    may say what is young. Entries younger than `in_flight` before it are under way, and said to be;
    entries more than `LEEWAY` after it are a finding. Reads each log once, the gateway's twice
    where a department has entries that nobody names. A replica's log that is not given shows as
    answers missing at the gateway: departments do not write down which replica asked.
    """
    sides = _Sides(border=instant(now - in_flight), latest=instant(now + LEEWAY))
    for name, entries in gateways.items():
        _read_gateway(name, entries, sides)  # (1) what the gateway says of its departments
    for name, entries in departments.items():
        _read_department(name, entries, sides)  # (2) what they say themselves
    _missing_there(sides, departments)  # (3) named, but not there
    _missing_here(gateways, sides)  # (4) there, but not named
    _sums(sides)  # (5) whole answers
    order = sorted(
        sides.findings,
        key=lambda found: (
            found.department,
            found.gateway_log,
            found.gateway or 0,
            found.entry or 0,
            found.what,
        ),
    )
    return Reconciliation(sides.matched, tuple(order))


def _read(
    entries: Entries, sides: _Sides, *, department: str = "", gateway: str = ""
) -> Iterator[tuple[int, bytes, Entry]]:
    """The entries of one log; what is said of them alone is found on the way."""
    for index, content in entries():
        place, own = (None, index) if department else ((gateway, index), None)
        try:
            entry = Entry.from_bytes(content)
        except EvidenceError as problem:
            sides.find("unreadable", department, place, own, "", f"It is no entry: {problem}.")
            continue
        if entry.time > sides.latest:
            said = "Its time is after the auditor's own."
            sides.find("ahead_of_time", department, place, own, entry.question_id, said)
        yield index, content, entry


def _read_gateway(name: str, gateway: Entries, sides: _Sides) -> None:
    apart: dict[str, list[Part]] = {}
    for index, _, entry in _read(gateway, sides, gateway=name):
        if entry.kind == "parts":
            apart.setdefault(entry.question_id, []).extend(entry.parts)
            continue
        place = (name, index)
        parts = [*apart.pop(entry.question_id, ()), *entry.parts]
        for part in parts:
            _name(place, entry, part, sides)
        if entry.kind not in ANSWERING or entry.outcome != "answered":
            continue
        if not parts:
            said = "The gateway answered and names no department's entry."
            sides.find("without_parts", "", place, None, entry.question_id, said)
            continue
        sides.answers[place] = _Answer(
            entry.question_id,
            entry.charged_micro_rho,
            entry.remembered,
            waiting=len(parts),
            parts_remembered=entry.kind == "query",  # only questions are remembered
        )


def _answers(entry: Entry) -> bool:
    """Whether a department's entry is one that the gateway has to name."""
    proved = entry.kind in (STEP, ALERT) and bool(entry.answer_digest)
    return entry.kind in PASSED_ON or proved


def _name(place: Place, entry: Entry, part: Part, sides: _Sides) -> None:
    named = sides.named.setdefault(part["department"], {})
    earlier = named.get(part["index"])
    if earlier is not None and _took_up(earlier.whole, entry):
        if entry.outcome != "answered":
            return  # what was answered already stands
    elif earlier is not None:
        log, number = earlier.gateway
        said = f"The gateway's entry {number} in {log} names the same entry."
        sides.find("named_twice", part["department"], place, part["index"], entry.question_id, said)
        return
    named[part["index"]] = _Named(part["leaf_hash"], place, entry)
    sides.times[place] = entry.time


def _took_up(earlier: Entry, entry: Entry) -> bool:
    """Whether one of them failed, and the other asked the same under the same id."""
    same = (earlier.kind, earlier.question_id) == (entry.kind, entry.question_id)
    return same and (earlier.outcome, entry.outcome) != ("answered", "answered")


def _read_department(department: str, entries: Entries, sides: _Sides) -> None:
    named = sides.named.get(department, {})
    size = 0
    for index, content, entry in _read(entries, sides, department=department):
        size = index + 1
        found = named.get(index)
        if found is not None:
            found.seen = True
            _compare(department, index, content, entry, found, sides)
        elif _answers(entry) and entry.question_id:
            sides.unnamed.append((department, index, entry))
    sides.sizes[department] = size


def _compare(
    department: str, index: int, content: bytes, entry: Entry, named: _Named, sides: _Sides
) -> None:
    what: What | None = None
    if leaf_hash(content).hex() != named.leaf:
        what, said = "another_entry", "The department's entry is not the one that the gateway saw."
    elif entry.question_id != named.question_id:
        what, said = "another_question", "The department's entry is of another question."
    elif entry.outcome != "answered":
        what, said = "another_outcome", "The gateway names as a part what was no answer there."
    else:
        what, said = _difference(entry, named.whole)
    if what is not None:
        sides.find(what, department, named.gateway, index, named.question_id, said)
        return
    sides.matched += 1
    named.agreed = True
    answer = sides.answers.get(named.gateway)
    if answer is not None:
        answer.waiting -= 1
        answer.parts_charged += entry.charged_micro_rho
        answer.parts_remembered &= entry.remembered


def _difference(entry: Entry, whole: Entry) -> tuple[What | None, str]:
    """Whether the two entries of one answer say who asked whom for what differently."""
    if entry.kind != whole.kind:
        return "another_kind", f"It is {whole.kind} at the gateway and {entry.kind} there."
    # The resource of a look-up is each log itself.
    if entry.kind in ANSWERING and entry.resource != whole.resource:
        return "another_resource", f"The gateway says {whole.resource}, it says {entry.resource}."
    # An entry that was shortened to fit has none, and a handler's department is alone.
    if entry.members and whole.members and set(entry.members) != set(whole.members):
        return "another_members", "The department was told of other departments than were asked."
    asker = (entry.organisation, entry.client, entry.purpose)
    if asker != (whole.organisation, whole.client, whole.purpose):
        return "another_asker", "Organisation, client or purpose is another on the two sides."
    return None, ""


def _missing_there(sides: _Sides, departments: Mapping[str, Entries]) -> None:
    for department, named in sides.named.items():
        for index, part in named.items():
            if part.seen:
                continue
            what: What = "missing_at_department"
            said = "The gateway names an entry that the department's log has not."
            if department not in departments:
                what, said = "not_given", "The department's log was not given."
            elif index >= sides.sizes[department] and sides.under_way(sides.times[part.gateway]):
                what, said = "in_flight", "The department may not have published it yet."
            sides.find(what, department, part.gateway, index, part.question_id, said)


def _missing_here(gateways: Mapping[str, Entries], sides: _Sides) -> None:
    known = _of_questions(gateways, {entry.question_id for _, _, entry in sides.unnamed})
    agreed = {
        (department, part.question_id)
        for department, named in sides.named.items()
        for part in named.values()
        if part.agreed and part.question_id in known
    }
    for department, index, entry in sides.unnamed:
        same = known.get(entry.question_id, [])
        at = same[-1][0] if same else None
        what: What = "missing_at_gateway"
        if not same and sides.under_way(entry.time):
            what = "in_flight"
            said = "The gateway may not have logged or published it yet."
        elif not same:
            said = "No log of the gateway that was given has anything of this question."
        elif entry.outcome == "answered":
            how = ", ".join(sorted({f"{e.outcome} {e.reason}".strip() for _, e in same}))
            said = f"The department answered; the gateway names no such part (it says: {how})."
        elif (
            entry.outcome == "refused"
            and entry.kind in ANSWERING
            and all(e.outcome == "answered" for _, e in same)
        ):
            if (department, entry.question_id) in agreed:
                # Asked more than once under its id, and the gateway ended before it wrote of this.
                said = "The department refused once and answered once; the gateway names only that."
            else:
                what, said = "another_outcome", "The department refused, and the gateway answered."
        else:
            continue
        sides.find(what, department, at, index, entry.question_id, said)


def _of_questions(
    gateways: Mapping[str, Entries], wanted: set[str]
) -> dict[str, list[tuple[Place, Entry]]]:
    """The gateway's entries of these questions."""
    known: dict[str, list[tuple[Place, Entry]]] = {}
    if not wanted:
        return known
    for name, entries in gateways.items():
        for index, content in entries():
            try:
                entry = Entry.from_bytes(content)
            except EvidenceError:
                continue  # said when it was read first
            answering = entry.kind in PASSED_ON or entry.kind in (STEP, ALERT)
            if answering and entry.question_id in wanted:
                known.setdefault(entry.question_id, []).append(((name, index), entry))
    return known


def _sums(sides: _Sides) -> None:
    for place, answer in sides.answers.items():
        if answer.waiting:
            continue  # a part is missing or another: said above
        if answer.charged != answer.parts_charged:
            said = f"It says {answer.charged} micro rho, its parts {answer.parts_charged}."
            sides.find("another_charge", "", place, None, answer.question_id, said)
        if answer.remembered != answer.parts_remembered:
            said = "Gateway and departments differ in whether the answer was a remembered one."
            sides.find("another_memory", "", place, None, answer.question_id, said)
