"""From a text to a plan: steps (2) to (4). Looks at contracts and policies, never at data."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.by_department import DEPARTMENT, split, with_departments
from gateway.catalogue import Catalogue, HandlerOffer, Served
from gateway.days import days_of
from gateway.directory import Offered
from gateway.link_tables import linked_tables, linked_why
from gateway.presentation import Key, Presentation, Reading, compared_of, conditions_size
from gateway.scalar import quantiles_of, size
from gateway.sql import read
from gateway.views import Views
from gateway.way import Mode, Way, apart, way
from landbridge.days import AsOf
from landbridge.edge.recall import Recall
from landbridge.edge.record import Draft
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.literals import Value
from policies.access import AccessPolicy, Action
from policies.canonical import masking, text
from policies.contract import Contract
from policies.disclosure import ReleasePlan
from policies.joined import columns_in, joined, level_in
from policies.link_plan import LinkPlan, plan_link
from policies.linked import LinkedQuestion
from policies.linked import words as linked_words
from policies.moment import Moment
from policies.purpose import require_allowed, require_stated
from policies.quantiles import layout_of
from policies.question import Question
from policies.review import Usage, Use, review
from policies.sight import (
    log_request,
    may_consult,
    may_contribute,
    may_submit,
    may_watch,
    request,
)

MAXIMUM_OUTPUTS = 64
MAXIMUM_STEPS = 250_000
"""Of arithmetic for one answer, over all its cells; about a second."""
MEMORY = 1_000
"""Texts remembered."""

_TextKey = tuple[str, tuple[tuple[type, Value], ...], Level, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """A question that may be asked of `departments`, and how its answer will be shown.

    `way` is how it is put to them, `release` the release that each of them, or all of them
    together, is expected to make; `words` is the question as its caller may read it; `as_of` the
    days that the data are of, see `gateway.days`.
    """

    contract: Contract
    departments: tuple[str, ...]
    question: Question
    presentation: Presentation
    usage: Usage
    way: Way
    release: ReleasePlan
    words: str
    link: LinkPlan | None = None
    as_of: AsOf = field(default_factory=dict)

    @property
    def draws(self) -> int:
        """How many independent draws of the release's noise are in the answer."""
        return 1 if self.way.pooling or self.way.grouped else len(self.departments)


@dataclass(frozen=True, slots=True)
class _Understood:
    """What follows from a reading and a price alone, whoever asks and why.

    `parts` are the tables with the level and the columns that the question uses of each.
    """

    contract: Contract
    departments: tuple[str, ...]
    question: Question
    usage: Usage
    grouped: bool | None
    linked: LinkedQuestion | None
    words: str
    parts: tuple[tuple[str, Level, tuple[tuple[str, Level], ...]], ...]


@dataclass(frozen=True, slots=True)
class _Memories:
    """What was found out about readings, and falls with them.

    `masked` are their words and their digest for the log, under the key of a month.
    """

    understood: Recall[_Understood] = field(default_factory=Recall)
    masked: Recall[tuple[str, str]] = field(default_factory=Recall)
    ways: Recall[tuple[Way, LinkPlan | None]] = field(default_factory=Recall)
    days: Recall[AsOf] = field(default_factory=Recall)


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of the access policy, and what callers see by it."""

    access: AccessPolicy
    views: Views


class Planning:
    """Plans for one caller at a time, by the gateway's own access policy.

    Each plan is made by one version of the policy, the one in force when it began. What was
    remembered by an earlier one is never looked at again: new views give new catalogues, and a
    text's reading is remembered beside its catalogue.
    """

    def __init__(self, access: AccessPolicy, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rules = Rules(access, Views(access, clock))
        self._lock = threading.Lock()
        # By text, values, clearance and catalogue; the entry holds its catalogue, so that no other
        # gets its number while it is remembered.
        self._readings: OrderedDict[_TextKey, tuple[Catalogue, Reading, Served]] = OrderedDict()
        self._memories = _Memories()

    @property
    def access(self) -> AccessPolicy:
        """The policy that is planned by now."""
        return self._rules.access

    def follow(self, access: AccessPolicy) -> None:
        """Plans by this policy from the next request on."""
        self._rules = Rules(access, Views(access, self._clock))

    def view(self, caller: Caller, known: Catalogue) -> Catalogue:
        """What policy lets the caller use."""
        return self._rules.views.of(caller, known)

    def offered(self, caller: Caller, known: Catalogue) -> Offered:
        """What the caller may know to exist."""
        rules, now = self._rules, Moment.at(self._clock())

        def ceiling(contract: Contract) -> Level | None:
            return may_consult(caller, "contract", contract.id, rules.access, now)

        def submits(contract: Contract) -> bool:
            return may_submit(caller, contract, rules.access, now) or may_contribute(
                caller, contract, rules.access, now
            )

        def watches(contract: Contract) -> bool:
            return may_watch(caller, contract, rules.access, now)

        views = rules.views
        return Offered(
            caller, views.of(caller, known), views.consultable(caller, known),
            views.listed(caller, known), ceiling, submits, watches,
        )  # fmt: skip

    def question(
        self, sql: str, purpose: str, micro_epsilon: int, caller: Caller, known: Catalogue,
        draft: Draft, *, values: tuple[Value, ...] = (), remember: bool = True,
        action: Action = "query",
    ) -> Plan:  # fmt: skip
        """The plan; raises InvalidQuestion or Refused, and notes what it finds in the draft.

        `values` go to the places (?) of the text. Texts that nobody asked are not worth
        remembering. `action` is what the policies are asked about.
        """
        rules = self.begin(draft)
        _state(purpose, caller, draft)
        # What the caller wrote may hold anything, so only its keyed digest is logged until it has
        # become a typed question.
        draft.note(question_hash=draft.recorder.digest("text", sql))
        seen = rules.views.of(caller, known)
        reading, served = self._read(  # (2)
            sql, caller.clearance, seen, values=values, remember=remember
        )
        contract = served.contract
        draft.note(resource=contract.id, members=list(served.departments))
        require_allowed(purpose, contract.purposes)
        memories = self._memories if remember else _Memories()
        understood = memories.understood.of(
            (reading, served),
            (caller.clearance, micro_epsilon),
            lambda: _understood(reading, served, caller.clearance, micro_epsilon, draft),
        )
        question, asked = understood.question, understood.linked
        masked, digest = memories.masked.of(
            (understood, draft.recorder), None, lambda: _masked(reading, understood, draft)
        )
        draft.note(members=list(understood.departments), question=masked, question_hash=digest)
        ids = {
            policy
            for part, level, columns in understood.parts
            for policy in rules.access.require(  # (3)
                request(
                    caller, "contract", part, purpose, level, Moment.at(self._clock()), action,
                    columns=columns,
                )
            )
        }  # fmt: skip
        draft.note(policies=sorted(ids))

        def tables() -> list[tuple[str, str]]:
            if link is not None:
                return [(side.department, side.contract.id) for side in link.sides]
            return [(name, part.id) for name in understood.departments for part in contract.each]

        def chosen() -> tuple[Way, LinkPlan | None]:  # (4)
            if asked is not None:
                link = plan_link(asked)
                return Way(Mode.LINKED, linked_why(link), link.release), link
            departments = understood.departments
            if understood.grouped is None:
                return way(question, contract, micro_epsilon, departments), None
            grouped = understood.grouped
            return apart(question, contract, micro_epsilon, departments, grouped=grouped), None

        found, link = memories.ways.of((understood,), None, chosen)
        as_of = memories.days.of((understood, known), None, lambda: days_of(known, tables()))
        draft.note(as_of=as_of)
        return Plan(
            understood.contract,
            understood.departments,
            question,
            reading.presentation,
            understood.usage,
            found,
            found.release,
            understood.words,
            link,
            as_of,
        )

    def _read(
        self,
        sql: str,
        clearance: Level,
        known: Catalogue,
        *,
        values: tuple[Value, ...] = (),
        remember: bool = True,
    ) -> tuple[Reading, Served]:
        """What the text asks, remembered for as long as the catalogue is the same object."""
        # 1, 1.0 and TRUE are equal, and three questions.
        key = (sql, tuple((type(value), value) for value in values), clearance, id(known))
        with self._lock:
            remembered = self._readings.get(key)
            if remembered is not None and remembered[0] is known:
                self._readings.move_to_end(key)
                return remembered[1:]
        found: list[Served] = []

        def resolve(table: str, department: str | None) -> Contract:
            found.append(known.table(table, department))
            return with_departments(found[-1])

        links: list[Served] = []

        def link(key: Sequence[str]) -> Contract | None:
            if all(each.departments == found[0].departments for each in found):
                return None
            links.append(linked_tables(found, key))
            return links[0].contract

        reading = read(sql, resolve, clearance, known.names[clearance] | {DEPARTMENT}, values, link)
        served = (
            links[0]
            if links
            else Served(joined([each.contract for each in found]), found[0].departments)
        )
        if not remember:
            return reading, served
        with self._lock:
            self._readings[key] = (known, reading, served)
            while len(self._readings) > MEMORY:
                self._readings.popitem(last=False)
        return reading, served

    def handler(
        self, name: str, purpose: str, caller: Caller, known: Catalogue, draft: Draft
    ) -> tuple[str, HandlerOffer]:
        """The department and handler; raises Refused."""
        rules = self.begin(draft)
        _state(purpose, caller, draft)
        department, offer = rules.views.of(caller, known).handler(name, caller.clearance)
        full = f"{department}.{offer.name}"
        draft.note(resource=full, members=[department])
        require_allowed(purpose, offer.purposes)
        now = Moment.at(self._clock())
        asked = request(caller, "handler", full, purpose, offer.level, now, columns=())
        ids = rules.access.require(asked)
        draft.note(policies=list(ids))
        return department, offer

    def about(self, purpose: str, caller: Caller, log: str, draft: Draft) -> None:
        """Whether the caller may look a person up in the logs; raises Refused."""
        rules = self.begin(draft)
        _state(purpose, caller, draft)
        draft.note(resource=log)
        asked = log_request(caller, log, purpose, Moment.at(self._clock()))
        draft.note(policies=list(rules.access.require(asked)))

    @property
    def rules(self) -> Rules:
        """The version in force."""
        return self._rules

    def begin(self, draft: Draft) -> Rules:
        """The version that a request is planned by; the draft names it."""
        rules = self._rules
        draft.note(policy_digest=rules.access.digest)
        return rules


def _understood(
    reading: Reading, served: Served, clearance: Level, micro_epsilon: int, draft: Draft
) -> _Understood:
    """Raises InvalidQuestion or Refused; the draft names whom the question is for by then."""
    contract = served.contract
    parted = None if served.sides else split(reading.question, served)
    question, departments = reading.question, served.departments
    if parted is not None:
        question, departments = parted.question, parted.departments
        draft.note(members=list(departments))
    reviewed = usage = review(question, contract, clearance)
    cells = usage.cells * (len(departments) if parted and parted.grouped else 1)
    require_presentable(reading, contract, cells)
    shown = contract
    if parted is not None:
        shown = with_departments(served)
        use = Use(DEPARTMENT, "group" if parted.grouped else "filter")
        usage = replace(usage, uses=(*usage.uses, use), cells=cells)
    asked = _linked(reading, served, micro_epsilon)
    return _Understood(
        shown,
        departments,
        question,
        usage,
        None if parted is None else parted.grouped,
        asked,
        text(reading.question) if asked is None else linked_words(asked),
        tuple(
            (
                part.id,
                level_in(part, contract, usage),
                columns_in(part, contract, reviewed, question, served.key),
            )
            for part in contract.each
        ),
    )


def _masked(reading: Reading, understood: _Understood, draft: Draft) -> tuple[str, str]:
    """The question as the log may have it, and its keyed digest."""
    mask = masking(understood.contract, partial(draft.recorder.digest, "literal"))
    asked = understood.linked
    return (
        text(reading.question, mask) if asked is None else linked_words(asked, mask),
        draft.recorder.digest("question", understood.words),
    )


def _linked(reading: Reading, served: Served, micro_epsilon: int) -> LinkedQuestion | None:
    """The question as departments that link their tables are asked it."""
    if not served.sides:
        return None
    return LinkedQuestion(reading.question, served.sides, served.key, micro_epsilon)


def _state(purpose: str, caller: Caller, draft: Draft) -> None:
    """Only a purpose that the issuer put into the token is a word that may stand in the log."""
    require_stated(purpose, caller.purposes)
    draft.note(purpose=purpose)


def require_presentable(reading: Reading, contract: Contract, cells: int) -> None:
    """Arithmetic on released numbers runs in this process, so it is bounded before anybody asks."""
    shown = reading.presentation
    scalars = [output.source for output in shown.outputs if not isinstance(output.source, Key)]
    compared = compared_of(shown.having)
    steps = sum(map(size, scalars)) + conditions_size(shown.having)
    question = reading.question
    for scalar in (*scalars, *compared):
        for quantile in quantiles_of(scalar):
            steps += layout_of(quantile.measure, question, contract, cells).bins
    if len(shown.outputs) > MAXIMUM_OUTPUTS or cells * steps > MAXIMUM_STEPS:
        raise error(
            "TOO_MANY_CELLS",
            f"{len(shown.outputs)} output columns over {cells} cells take too much arithmetic.",
            hint=f"Ask for fewer of them; {MAXIMUM_OUTPUTS} columns at the most.",
        )
