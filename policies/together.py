"""With whom a department computes together, as its contracts say it: totals and links.

Sentences for whoever reviews a policy, and what a change of these terms newly lets out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.contract import Contract, Link, Method, Noise, Pooling

Difference = tuple[bool, str]
"""Whether it newly lets something out or could, and what it is."""


def together(contract: Contract) -> tuple[str, ...]:
    """What the contract's owners allow beside answers of this table alone, a sentence each."""
    links = (_linked(link, contract.unit) for link in contract.links)
    return (*_pooled(contract), *links)


def exposed(contract: Contract) -> str:
    """Why whoever runs the gateway could make this table's noise smaller; empty where not.

    Members that a gateway makes up add no noise of their own. What holds against that is a list of
    members, or noise that does not shrink with their number.
    """
    terms = contract.disclosure.pooling
    if not _is_pooled(contract) or terms.departments is not None or terms.honest <= 1:
        return ""
    return (
        f"{contract.id} is pooled with whoever is a member, and takes {terms.honest} of them for "
        "honest: members that a gateway makes up add no noise. Name who may take part in "
        "landbridgePooling.with, or leave honest out."
    )


def differences(was: Contract, now: Contract) -> Iterator[Difference]:
    """What changed in these terms."""
    yield from _pooling(was.disclosure.pooling, now.disclosure.pooling)
    yield from _links(_by_pair(was.links), _by_pair(now.links))


def _is_pooled(contract: Contract) -> bool:
    terms = contract.disclosure
    return terms.method is Method.DP and terms.noise is Noise.GAUSSIAN


def _pooled(contract: Contract) -> Iterator[str]:
    if not _is_pooled(contract):
        return
    terms = contract.disclosure.pooling
    honest = terms.honest or ("all but one" if terms.departments is not None else 1)
    yield (
        f"Totals of {terms.minimum} departments or more, with {_who(terms)}; noise of {honest} "
        f"suffices; parts alone: {_yes(terms.alone)}; by department: {_yes(terms.department)}."
    )


def _linked(link: Link, unit: str | None) -> str:
    # Where the key is not the unit, units are counted.
    counted = "linked keys" if link.on == (unit,) else unit
    rows = (
        "its keys are shown to them" if link.unique else f"cells from {link.minimum} {counted} on"
    )
    return f"Linked with {_names(link.departments)} on {', '.join(link.on)}; {rows}."


def _pooling(was: Pooling, now: Pooling) -> Iterator[Difference]:
    if was.minimum != now.minimum:
        yield now.minimum < was.minimum, f"totals of {was.minimum} -> {now.minimum} departments"
    if was.departments != now.departments:
        more = now.departments is None or bool(
            was.departments is not None and now.departments - was.departments
        )
        yield more, f"pooled with {_who(was)} -> {_who(now)}"
    if was.honest != now.honest:
        # More that are trusted, or all but one, is less noise of each.
        more = now.honest == 0 or 0 < was.honest < now.honest
        shown = (each.honest or "left out" for each in (was, now))
        yield more, "honest members: {} -> {}".format(*shown)
    if was.alone != now.alone:
        yield now.alone, f"parts of this department alone: {_yes(now.alone)}"
    if was.department != now.department:
        yield now.department, f"column department: {_yes(now.department)}"


def _by_pair(links: tuple[Link, ...]) -> Mapping[tuple[str, tuple[str, ...]], Link]:
    return {(name, link.on): link for link in links for name in link.departments}


def _links(
    was: Mapping[tuple[str, tuple[str, ...]], Link],
    now: Mapping[tuple[str, tuple[str, ...]], Link],
) -> Iterator[Difference]:
    for pair in sorted(was.keys() | now.keys()):
        before, after = was.get(pair), now.get(pair)
        what = f"linked with {pair[0]} on {', '.join(pair[1])}"
        if before is None or after is None:
            yield before is None, what + ("" if before is None else ", no more")
            continue
        if before.minimum != after.minimum:
            less = after.minimum < before.minimum
            yield less, f"{what}: cells from {before.minimum} -> {after.minimum} linked keys on"
        if before.keys != after.keys:
            yield True, f"{what}: about {before.keys} -> {after.keys} keys are said to be there"
        if before.unique != after.unique:
            yield True, f"{what}: one row of each key: {_yes(after.unique)}"


def _who(terms: Pooling) -> str:
    return "every member that serves it" if terms.departments is None else _names(terms.departments)


def _names(departments: frozenset[str]) -> str:
    return ", ".join(sorted(departments))


def _yes(value: bool) -> str:  # noqa: FBT001
    return "yes" if value else "no"
