"""What a group's declaration and the policies make of it together: who takes part, who publishes.

Found as `policies.outlet` finds what is let out: by asking the policies themselves. What cannot
work (a channel that no member may use, notices that nobody publishes) is said in capitals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from landbridge.levels import Level
from policies.access import AccessPolicy, Request
from policies.change import Change
from policies.contract import Contract
from policies.group import Group, Poll
from policies.outlet import ANY, Who, everybody, request_of


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`members` take part, by `policies`; `publishers` publish in the group's role.

    `silent` are contracts that members may not hand in under, though the group says so; `unheard`
    those whose declared questions, or poll's result, no member may ask.
    """

    name: str
    registered: int
    members: tuple[Who, ...]
    policies: tuple[str, ...]
    publishers: tuple[Who, ...]
    silent: tuple[str, ...]
    unheard: tuple[str, ...]
    group: Group


def reviewed(
    department: str,
    groups: Mapping[str, Group],
    contracts: Mapping[str, Contract],
    access: Sequence[AccessPolicy],
) -> tuple[Reviewed, ...]:
    """Every group, where all of `access` decide; the owner's own policy is the last."""
    return tuple(
        _reviewed(f"{department}.{group.name}", group, contracts, access)
        for group in groups.values()
    )


def _reviewed(
    name: str,
    group: Group,
    contracts: Mapping[str, Contract],
    access: Sequence[AccessPolicy],
) -> Reviewed:
    members: list[Who] = []
    by: set[str] = set()
    publishers: list[Who] = []
    whole = [*everybody(access, contracts)]
    for who in whole:
        found = _permitted(_part(who, name, group), access)
        if found and not who.parts & {*members}:
            members.append(who)
            by |= found
        publishing = replace(_part(who, name, group), action="publish", role=group.publishers)
        # Officers come to the department's own machine; the gateway has no say.
        publishes = group.publishers and _permitted(publishing, access[-1:])
        if publishes and not who.parts & {*publishers}:
            publishers.append(who)
    silent = [
        contract
        for contract in sorted(group.contracts)
        if not any(_may(who, "submit", contract, group, access) for who in members)
    ]
    asked = {
        *(each.contract for each in group.questions),
        *(poll.contract for poll in group.polls if not poll.second),
    }
    unheard = [
        contract
        for contract in sorted(asked)
        if not any(_may(who, "query", contract, group, access) for who in members)
    ]
    return Reviewed(
        name,
        len(group.registered),
        tuple(members),
        tuple(sorted(by)),
        tuple(publishers),
        tuple(silent),
        tuple(unheard),
        group,
    )


def lines(found: Reviewed) -> Iterator[str]:
    """A sentence for each thing that a reviewer should know."""
    group = found.group
    who = ", ".join(map(str, found.members)) or "NOBODY"
    by = f", by {', '.join(found.policies)}" if found.policies else ""
    yield f"Group {found.name}: {found.registered} registered; takes part: {who}{by}."
    if group.publishers:
        officers = ", ".join(map(str, found.publishers)) or "NOBODY MAY"
        yield f"  Notices by {group.publishers} ({officers})."
    for contract in group.reports:
        yield f"  Reports under {contract}{_silence(found, contract)}."
    for poll in group.polls:
        yield f"  Poll {poll.name}: {_counted(poll)}{_silence(found, poll.contract)}."
    for question in group.questions:
        by_columns = ", ".join(question.by) or "in all"
        heard = "; NO MEMBER MAY ASK" if question.contract in found.unheard else ""
        yield f"  Question {question.name}: {question.contract} by {by_columns}{heard}."
    for poll in group.polls:
        if poll.contract in found.unheard:
            yield f"  The result of poll {poll.name} is told to no member."


def document(found: Reviewed) -> dict[str, object]:
    """The same, for programs."""
    return {
        "group": found.name,
        "registered": found.registered,
        "members": [str(who) for who in found.members],
        "policies": list(found.policies),
        "publishers": [str(who) for who in found.publishers],
        "silent": list(found.silent),
        "unheard": list(found.unheard),
        "polls": {poll.name: poll.second for poll in found.group.polls},
    }


def changes(old: Mapping[str, Group], new: Mapping[str, Group]) -> Iterator[Change]:
    """What changed of groups and their registries; who is new could see what they did not."""
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name), new.get(name)
        if was is None or now is None:
            yield Change(was is None, name, "is a group" if was is None else "is no group any more")
            continue
        more = len(now.registered - was.registered)
        less = len(was.registered - now.registered)
        if more or less:
            yield Change(more > 0, name, f"people registered: {more} more, {less} less")
        if was.digest != now.digest:
            yield Change(True, name, "is declared in another way")  # noqa: FBT003


def _counted(poll: Poll) -> str:
    if poll.second:
        return f"ballots under {poll.contract} in two shares, with {poll.second}: neither reads one"
    return f"ballots under {poll.contract}, opened and counted by this department alone"


def _silence(found: Reviewed, contract: str) -> str:
    return "; NO MEMBER MAY SUBMIT" if contract in found.silent else ""


def _part(who: Who, name: str, group: Group) -> Request:
    asked = request_of(who, "take_part", name, group.purpose, Level.SEALED, Level.OPEN, ANY)
    return replace(asked, resource_kind="group")


def _may(
    who: Who, action: str, contract: str, group: Group, access: Sequence[AccessPolicy]
) -> bool:
    asked = request_of(who, "query", contract, group.purpose, Level.SEALED, Level.OPEN, ANY)
    if action == "submit":
        asked = replace(asked, action="submit")
    return bool(_permitted(asked, access, declared=action == "query"))


def _permitted(
    asked: Request, access: Sequence[AccessPolicy], *, declared: bool = False
) -> set[str]:
    """The policies by which all permit it at some moment; none where they never do."""
    for moment in sorted({moment for each in access for moment in each.moments(ANY)}):
        request = replace(asked, moment=moment)
        decisions = [
            each.decide(
                replace(request, declared=declared)
                if each is access[-1]
                else replace(request, groups=())
            )
            for each in access
        ]
        if all(decision.permitted for decision in decisions):
            return {name for decision in decisions for name in decision.policies}
    return set()
