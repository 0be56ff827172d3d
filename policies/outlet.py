"""What a department's policy lets out: who, by what kind of answer, from which columns, for what.

Found by asking the access policy itself, for everybody that it names and for somebody that it does
not, so that nothing here has to understand Cedar.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Protocol

from landbridge.levels import Level
from policies.access import AccessPolicy, Action, Request
from policies.contract import Contract, Disclosure, Method
from policies.moment import Moment

ROWS: Final = "count(*)"
"""What stands for rows and units, which are counted without any column."""
_ACTIONS: Final[tuple[Action, ...]] = ("call", "step")
_CLEARANCES: Final = tuple(Level)
ANY: Final = Moment(20_000_101, 12, 6)
_NOBODY: Final = "\N{BULLET}"
"""An id that no token can name, for whoever is not named in the policy."""


class HandedOver(Protocol):
    """A value that a handler hands over, sealed."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def to(self) -> Collection[str]:
        """The departments that it goes to."""


class Replier(Protocol):
    """A handler, as its owner declares it or as its department describes it to others."""

    @property
    def name(self) -> str:
        """Without its department."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code that a reply may have."""

    @property
    def level(self) -> Level:
        """The clearance that it takes."""

    @property
    def purposes(self) -> Collection[str]:
        """Those that it replies for."""

    @property
    def procedures(self) -> Collection[str]:
        """Where not empty, the only ones that it is a step of, and then nobody calls it."""

    @property
    def passes(self) -> Sequence[HandedOver]:
        """What it hands over within a case."""


@dataclass(frozen=True, slots=True, order=True)
class Who:
    """A caller, an organisation, or (all empty) any that the policy does not name.

    `group`: whoever its registry names, as the owner's own policy knows them.
    """

    organisation: str = ""
    subject: str = ""
    group: str = ""

    def __str__(self) -> str:
        registered = f" registered in {self.group}" if self.group else ""
        if self.subject:
            of = f" of {self.organisation}" if self.organisation else ""
            return f"caller {self.subject}{of}{registered}"
        return (self.organisation or ("anybody" if registered else "anybody else")) + registered

    @property
    def parts(self) -> frozenset[Who]:
        """Everybody more general: what they may, this one may too, but for what is forbidden."""
        found = product({"", self.organisation}, {"", self.subject}, {"", self.group})
        return frozenset(Who(*each) for each in found) - {self}


@dataclass(frozen=True, slots=True)
class Outlet:
    """`who` can use `column` of `resource` for `purpose` from clearance `clearance` on.

    `column` is a column that can be aggregated, filtered on or grouped by, `count(*)`, or the code
    list of a handler. `policies` are the ids that permit it; `clearances` are all from which they
    do; `times` those of the moments looked at at which they do, None where at all of them.
    `declared`: only by the questions that a group declares in which they take part.
    """

    who: Who
    action: Action
    resource: str
    purpose: str
    column: str
    clearance: Level
    policies: tuple[str, ...] = ()
    clearances: frozenset[Level] = frozenset()
    times: frozenset[Moment] | None = None
    declared: bool = False

    @property
    def always(self) -> bool:
        """Whether it makes no difference when it is asked."""
        return self.times is None

    @property
    def subject(self) -> tuple[Who, str, str, str, str]:
        """What it is about, whatever clearance it takes."""
        column = f"{self.column}, in declared questions" if self.declared else self.column
        return self.who, self.action, self.resource, self.purpose, column


def outlets(
    department: str,
    contracts: Mapping[str, Contract],
    handlers: Mapping[str, Replier],
    access: Sequence[AccessPolicy],
) -> tuple[Outlet, ...]:
    """Everything that is let out where all of `access` permit it, sorted.

    Nothing that is not in here is let out to anybody, but for callers whom a forbid names: what
    their organisation may is listed, and they may less.
    """
    found: dict[tuple[Who, str, str, str, str], Outlet] = {}
    for who in everybody(access, contracts):
        for each in _of(who, department, contracts, handlers, access):
            # Of a caller in an organisation only what neither of the two has by itself.
            alone = (
                found.get((part, *replace(each, declared=declared).subject[1:]))
                for part in who.parts
                for declared in {False, each.declared}
            )
            if not any(other is not None and _covers(other, each) for other in alone):
                found[each.subject] = each
    return tuple(sorted(found.values(), key=lambda each: (each.subject, each.clearance)))


def kind_of(contract: Contract) -> str:
    """What kind of answer the contract gives, in a few words."""
    terms = contract.disclosure
    match terms.method:
        case Method.DP:
            return f"cells with {terms.noise} noise"
        case Method.CELL_KEY:
            return f"perturbed cells of at least {terms.minimum_units} {contract.unit}"
        case Method.EXACT:
            return f"exact cells of at least {terms.minimum_units} {contract.unit}"
        case Method.UNPROTECTED:
            return "exact cells; protects nobody"


def budget_of(terms: Disclosure) -> str:
    """What answers may cost, in a few words; empty where nothing is charged."""
    if terms.method is not Method.DP:
        return ""
    per = "in all" if terms.period == "never" else f"a {terms.period}"
    return (
        f"epsilon {terms.recipient.epsilon:g} an organisation, {terms.overall.epsilon:g} together, "
        f"{per}; {terms.maximum_epsilon:g} a question"
    )


def request_of(
    who: Who,
    action: Action,
    resource: str,
    purpose: str,
    clearance: Level,
    level: Level,
    moment: Moment,
) -> Request:
    """What `who` would ask of the policies, before any column is used."""
    return Request(
        subject=who.subject or _NOBODY,
        organisation=who.organisation or _NOBODY,
        clearance=clearance,
        action=action,
        resource_kind="contract" if action == "query" else "handler",
        resource=resource,
        purpose=purpose,
        level=level,
        moment=moment,
        groups=(who.group,) if who.group else (),
    )


def everybody(access: Sequence[AccessPolicy], contracts: Mapping[str, Contract]) -> Iterator[Who]:
    """Whom policies or contracts name, and somebody that neither does; the more general first."""
    organisations = frozenset[str]().union(
        *(each.named("Organisation") for each in access),
        *(contract.disclosure.exact_for for contract in contracts.values()),
    )
    subjects = frozenset[str]().union(*(each.named("Caller") for each in access))
    yield Who()
    yield from (Who(organisation) for organisation in sorted(organisations))
    yield from (Who(subject=subject) for subject in sorted(subjects))
    yield from (Who(*pair) for pair in product(sorted(organisations), sorted(subjects)))
    groups = frozenset[str]().union(*(each.named("Group") for each in access))
    for group in sorted(groups):
        yield Who(group=group)
        yield from (Who(each, group=group) for each in sorted(organisations))
        yield from (Who(subject=each, group=group) for each in sorted(subjects))
        yield from (
            Who(*pair, group=group) for pair in product(sorted(organisations), sorted(subjects))
        )


def _of(
    who: Who,
    department: str,
    contracts: Mapping[str, Contract],
    handlers: Mapping[str, Replier],
    access: Sequence[AccessPolicy],
) -> Iterator[Outlet]:
    for contract in contracts.values():
        yield from _of_contract(who, contract, access)
    for handler in handlers.values():
        yield from _of_handler(who, f"{department}.{handler.name}", handler, access)


def _of_contract(who: Who, contract: Contract, access: Sequence[AccessPolicy]) -> Iterator[Outlet]:
    terms = contract.disclosure
    if terms.method is Method.EXACT and who.organisation not in terms.exact_for:
        return
    usable = {ROWS: Level.OPEN} | {
        column.name: column.level
        for column in contract.columns
        if column.level is not Level.SEALED and column.name != contract.unit
    }
    for purpose in sorted(contract.purposes):
        for column, level in usable.items():
            found = [
                _outlet(who, "query", contract.id, purpose, column, clearance, level, access)
                for clearance in _CLEARANCES[level:]
            ]
            yield from _together(found)


def _of_handler(
    who: Who, name: str, handler: Replier, access: Sequence[AccessPolicy]
) -> Iterator[Outlet]:
    for purpose in sorted(handler.purposes):
        for action in _ACTIONS[bool(handler.procedures) :]:
            found = [
                _outlet(
                    who, action, name, purpose, _said(handler), clearance, handler.level, access
                )
                for clearance in _CLEARANCES[handler.level :]
            ]
            yield from _together(found)


def _said(handler: Replier) -> str:
    """What a reply can be, and what goes sealed to other departments."""
    said = ", ".join(handler.codes) or "a bounded number"
    handed = [f"{each.name} to {', '.join(sorted(each.to))}" for each in handler.passes]
    return f"{said}; sealed: {'; '.join(handed)}" if handed else said


def _together(found: Sequence[Outlet | None]) -> Iterator[Outlet]:
    """Those of all clearances as one, from the lowest on."""
    known = [each for each in found if each is not None]
    if known:
        times = [each.times for each in known if each.times is not None]
        yield replace(
            known[0],
            clearances=frozenset(each.clearance for each in known),
            times=frozenset[Moment]().union(*times) if len(times) == len(known) else None,
        )


def _covers(other: Outlet, each: Outlet) -> bool:
    """Whether `other` lets out all that `each` does."""
    times = other.times is None or (each.times is not None and each.times <= other.times)
    return times and each.clearances <= other.clearances


def _outlet(
    who: Who,
    action: Action,
    resource: str,
    purpose: str,
    column: str,
    clearance: Level,
    level: Level,
    access: Sequence[AccessPolicy],
) -> Outlet | None:
    """What all of `access` permit at some moment; None where they never do together."""
    moments = {moment for each in access for moment in each.moments(ANY)}
    permitted: set[str] = set()
    times: set[Moment] = set()
    declared = False
    for declared in (False, True) if action == "query" else (False,):
        for moment in moments:
            request = replace(
                request_of(who, action, resource, purpose, clearance, level, moment),
                columns=() if action != "query" or column == ROWS else ((column, level),),
            )
            decisions = [
                # Which questions are declared, and who is registered, the owner alone knows.
                each.decide(
                    replace(request, declared=declared)
                    if each is access[-1]
                    else replace(request, groups=())
                )
                for each in access
            ]
            if all(decision.permitted for decision in decisions):
                permitted |= {name for decision in decisions for name in decision.policies}
                times.add(moment)
        if times:
            break
    if not times:
        return None
    ids = tuple(sorted(permitted))
    some = None if len(times) == len(moments) else frozenset(times)
    return Outlet(
        who, action, resource, purpose, column, clearance, ids, times=some, declared=declared
    )
