"""Who may hand in records or reports, who may make watches, and which officers are told of cases.

Found as `policies.outlet` finds what is let out: by asking the owner's policy itself. None of it is
an answer, so none of it is among the outlets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from landbridge.levels import Level
from policies.access import AccessPolicy, Action
from policies.contract import Allotment, Collection, Contract
from policies.handler import Handler
from policies.outlet import ANY, Who, everybody, request_of

Kind = Literal["submit", "watch", "attend"]


@dataclass(frozen=True, slots=True)
class Admitted:
    """`who` may do that with `resource` for `purpose`, from clearance `clearance` on.

    `terms` says in words what the contract or handler adds; `policies` are the ids that permit it.
    """

    who: Who
    action: Kind
    resource: str
    purpose: str
    clearance: Level
    policies: tuple[str, ...]
    terms: str


def admitted(
    department: str,
    contracts: Mapping[str, Contract],
    handlers: Mapping[str, Handler],
    access: Sequence[AccessPolicy],
    officers: AccessPolicy,
) -> tuple[Admitted, ...]:
    """Everything that is admitted where all of `access` permit it, the more general first.

    Cases are told by the department's own policy alone, `officers`. What somebody may as anybody
    else may it is listed once.
    """
    found: list[Admitted] = []
    known: dict[tuple[str, str, str], set[tuple[object, ...]]] = {}
    for who in everybody(access, contracts):
        for each in (
            *_of_contracts(who, contracts, access),
            *_of_handlers(who, department, handlers, officers),
        ):
            seen = known.setdefault((each.action, each.resource, each.purpose), set())
            if (each.clearance, each.policies) not in seen:
                seen.add((each.clearance, each.policies))
                found.append(each)
    return tuple(found)


def collects(contract: Contract) -> str:
    """By which rules records or reports are handed in, in a few words; empty: they are not."""
    rules = contract.collection
    said = [] if rules is None else [*_records(rules)]
    randomised = [
        f"{column.name} by epsilon {column.randomised.epsilon:g}"
        for column in contract.columns
        if column.randomised is not None
    ]
    if randomised:
        said.append(f"randomised at the source: {', '.join(randomised)}")
    said += [
        f"{each.column} in two shares, for {each.owner} and {each.second}"
        for each in contract.measurements
    ]
    return "; ".join(said)


def lines(found: Iterable[Admitted]) -> Iterator[str]:
    """A sentence for each."""
    verbs = {"submit": "May hand in", "watch": "May watch", "attend": "Is told of cases"}
    for each in found:
        terms = f"; {each.terms}" if each.terms else ""
        yield (
            f"{verbs[each.action]}: {each.who}, {each.resource}, for {each.purpose}, from "
            f"{each.clearance.label}{terms}; by {', '.join(each.policies)}."
        )


def _records(rules: Collection) -> Iterator[str]:
    opens = "" if rules.opens is None else f" from {rules.opens:%Y-%m-%d}"
    closes = "" if rules.closes is None else f" until {rules.closes:%Y-%m-%d}"
    yield f"records{opens}{closes}" if opens or closes else "records at any time"
    if rules.subject:
        period = "" if rules.period == "never" else f" and {rules.period}"
        yield f"one per {', '.join(rules.subject)}{period}"
    if rules.correctable:
        yield f"corrected by {rules.by}"
    for name, quota in (("device", rules.device), ("organisation", rules.organisation)):
        if quota is not None:
            yield _quota(name, quota)


def _quota(name: str, quota: Allotment) -> str:
    per = "in all" if quota.period == "never" else f"a {quota.period}"
    article = "an" if name == "organisation" else "a"
    return f"at most {quota.records:,} of {article} {name} {per}"


def _of_contracts(
    who: Who, contracts: Mapping[str, Contract], access: Sequence[AccessPolicy]
) -> Iterator[Admitted]:
    for contract in contracts.values():
        for purpose in sorted(contract.purposes):
            if contract.collection is not None or contract.measurements:
                yield from _first(who, "submit", contract.id, purpose, access, collects(contract))
            # Whoever watches sees what a question would show.
            asks = contract.disclosure.exact_for
            if not asks or who.organisation in asks:
                yield from _first(who, "watch", contract.id, purpose, access, "")


def _of_handlers(
    who: Who, department: str, handlers: Mapping[str, Handler], access: AccessPolicy
) -> Iterator[Admitted]:
    for handler in handlers.values():
        watch = handler.watch
        if watch is None:
            continue
        name = f"{department}.{handler.name}"
        for clearance in list(Level)[handler.level :]:
            for moment in sorted(access.moments(ANY)):
                asked = request_of(
                    who, "attend", name, watch.purpose, clearance, handler.level, moment
                )
                decision = access.decide(replace(asked, role=watch.role))
                if decision.permitted:
                    terms = (
                        f"in the role {watch.role}, of {', '.join(sorted(watch.tells))}, "
                        f"every {watch.every_seconds} s"
                    )
                    yield Admitted(
                        who, "attend", name, watch.purpose, clearance, tuple(decision.policies),
                        terms,
                    )  # fmt: skip
                    return


def _first(
    who: Who,
    action: Literal["submit", "watch"],
    contract: str,
    purpose: str,
    access: Sequence[AccessPolicy],
    terms: str,
) -> Iterator[Admitted]:
    """From the lowest clearance on at which all policies permit it at some moment."""
    moments = sorted({moment for each in access for moment in each.moments(ANY)})
    for clearance in Level:
        for moment in moments:
            actions: tuple[Action, ...] = ("watch", "query") if action == "watch" else ("submit",)
            decisions = [
                each.decide(
                    replace(
                        request_of(who, one, contract, purpose, clearance, Level.OPEN, moment),
                        resource_kind="contract",
                    )
                )
                for each in access
                for one in actions
            ]
            if all(decision.permitted for decision in decisions):
                ids = {name for decision in decisions for name in decision.policies}
                yield Admitted(who, action, contract, purpose, clearance, tuple(sorted(ids)), terms)
                return
