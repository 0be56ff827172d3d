"""What a change of a department's policy lets out that it did not before, and the other way round.

Errs on one side only: a term whose effect cannot be ordered counts as letting out more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from policies.contract import Column, Contract, Disclosure, Method
from policies.handler import Handler
from policies.outlet import Outlet
from policies.together import differences


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One difference; `wider` where it newly lets something out, or could."""

    wider: bool
    where: str
    what: str


_STRICTNESS: Final = {
    Method.DP: 3, Method.CELL_KEY: 2, Method.EXACT: 1, Method.UNPROTECTED: 0,
}  # fmt: skip
_PERIODS: Final = {"never": 3, "year": 2, "month": 1, "day": 0}
# Of each term: whether the new value lets out more than the old. What is not listed always counts.
_MORE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "method": lambda old, new: _STRICTNESS[new] < _STRICTNESS[old],
    "recipient": lambda old, new: new.epsilon > old.epsilon or new.delta > old.delta,
    "overall": lambda old, new: new.epsilon > old.epsilon or new.delta > old.delta,
    "period": lambda old, new: _PERIODS[new] < _PERIODS[old],
    "units_span": lambda old, new: new < old,
    "maximum_epsilon": lambda old, new: new > old,
    # What a question costs when nobody says; the budget bounds it either way.
    "default_epsilon": lambda _old, _new: False,
    "maximum_cells": lambda old, new: new > old,
    "minimum_units": lambda old, new: new < old,
    "p_percent": lambda old, new: new < old,
    "rounding": lambda old, new: new < old,
    "exact_for": lambda old, new: bool(new - old),
}


def changes(
    old: tuple[Mapping[str, Contract], Mapping[str, Handler], Iterable[Outlet]],
    new: tuple[Mapping[str, Contract], Mapping[str, Handler], Iterable[Outlet]],
) -> tuple[Change, ...]:
    """Every difference, what is wider first; each side is contracts, handlers and outlets."""
    found = [
        *_outlets(old[2], new[2]),
        *_contracts(old[0], new[0]),
        *_handlers(old[1], new[1]),
    ]
    return tuple(sorted(set(found), key=lambda each: (not each.wider, each.where, each.what)))


def _outlets(old: Iterable[Outlet], new: Iterable[Outlet]) -> Iterator[Change]:
    before = {each.subject: each for each in old}
    after = {each.subject: each for each in new}
    for subject in before.keys() | after.keys():
        was, now = before.get(subject), after.get(subject)
        one = now or was
        assert one is not None
        what = f"{one.who} for {one.purpose}: {one.column}"
        if was is None or now is None:
            words = f"{what}, clearance {one.clearance.label}"
            yield Change(was is None, one.resource, words + (", no more" if now is None else ""))
        elif was.clearances != now.clearances:
            words = f"{what}, clearance {was.clearance.label} -> {now.clearance.label}"
            yield Change(bool(now.clearances - was.clearances), one.resource, words)
        elif was.times != now.times:
            yield Change(_longer(was, now), one.resource, f"{what}, at other times")


def _longer(was: Outlet, now: Outlet) -> bool:
    """Whether there is a moment that is new, or that was not looked at before."""
    return now.times is None or (was.times is not None and bool(now.times - was.times))


def _contracts(old: Mapping[str, Contract], new: Mapping[str, Contract]) -> Iterator[Change]:
    for name in old.keys() & new.keys():
        was, now = old[name], new[name]
        if was.unit != now.unit:
            what = f"protects {now.unit or 'nobody'} instead of {was.unit or 'nobody'}"
            yield Change(was.unit is not None, name, what)
        if was.delays != now.delays:
            longer = any(dict(was.delays).get(purpose, 0) < days for purpose, days in now.delays)
            what = f"told of later: {_shown(was.delays)} -> {_shown(now.delays)}"
            yield Change(longer, name, what)
        for wider, what in differences(was, now):
            yield Change(wider, name, what)
        for each in fields(Disclosure):
            if each.name == "pooling":
                continue  # term by term above
            before, after = getattr(was.disclosure, each.name), getattr(now.disclosure, each.name)
            if before != after:
                more = _MORE.get(each.name)
                wider = more is None or more(before, after)
                yield Change(wider, name, f"{each.name}: {_shown(before)} -> {_shown(after)}")
        for column in was.by_name.keys() & now.by_name.keys():
            yield from _columns(name, was.by_name[column], now.by_name[column])


def _columns(contract: str, was: Column, now: Column) -> Iterator[Change]:
    where = f"{contract}.{was.name}"
    if was.level != now.level:
        what = f"level {was.level.label} -> {now.level.label}"
        yield Change(now.level < was.level, where, what)
    if was.domain != now.domain:
        more = len(set(now.domain) - set(was.domain))
        less = len(set(was.domain) - set(now.domain))
        yield Change(more > 0, where, f"declared values: {more} more, {less} less")
    for each in fields(Column):
        if each.name in ("name", "description", "level", "domain"):
            continue
        before, after = getattr(was, each.name), getattr(now, each.name)
        if before != after:
            wider = bool(before) and not after if each.name == "identifying" else True
            yield Change(wider, where, f"{each.name}: {_shown(before)} -> {_shown(after)}")


def _handlers(old: Mapping[str, Handler], new: Mapping[str, Handler]) -> Iterator[Change]:
    for name in old.keys() & new.keys():
        was, now = old[name], new[name]
        if (was.sql, was.source) != (now.sql, now.source):
            yield Change(True, name, "computes its reply in another way")  # noqa: FBT003
        if was.returns != now.returns:
            yield Change(True, name, "replies with another type")  # noqa: FBT003
        yield from _quotas(name, was.quota.limits(), now.quota.limits())
        if was.consent != now.consent:
            what = "needs consent" if now.consent else "needs no consent any more"
            yield Change(was.consent, name, what)
        yield from _flows(name, was, now)
        if was.level != now.level:
            what = f"level {was.level.label} -> {now.level.label}"
            yield Change(now.level < was.level, name, what)


def _quotas(name: str, old: Mapping[str, int], new: Mapping[str, int]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was != now:
            wider = now is None or (was is not None and now > was)
            yield Change(wider, name, f"{key}: {was or 'any'} -> {now or 'any'}")


def _flows(name: str, was: Handler, now: Handler) -> Iterator[Change]:
    """Where its values go, where its arguments come from, and in whose cases it is a step."""
    earlier = {(each.name, to) for each in was.passes for to in each.to}
    later = {(each.name, to) for each in now.passes for to in each.to}
    for value, to in sorted(later - earlier):
        yield Change(True, name, f"hands {value} over to {to}")  # noqa: FBT003
    for value, to in sorted(earlier - later):
        yield Change(False, name, f"hands {value} over to {to} no more")  # noqa: FBT003
    if was.sources != now.sources:
        yield Change(True, name, "takes arguments from other departments' handlers than before")  # noqa: FBT003
    if was.procedures != now.procedures:
        wider = bool(was.procedures) and not now.procedures <= was.procedures
        wider = wider or bool(was.procedures and not now.procedures)
        shown = ", ".join(sorted(now.procedures)) or "any, and calls"
        yield Change(wider, name, f"is a step of {shown}")


def _shown(value: object) -> str:
    """A term in a few words."""
    match value:
        case None:
            return "none"
        case frozenset():
            return ", ".join(sorted(map(str, value))) or "none"
        case float():
            return f"{value:g}"
        case _ if hasattr(value, "__dataclass_fields__"):
            parts = (f"{each.name} {_shown(getattr(value, each.name))}" for each in fields(value))  # type: ignore[arg-type]
            return ", ".join(parts)
        case _:
            return str(value)
