"""The catalogue as one caller may know it: what they can never use is not in it.

So a table or handler that is forbidden is looked for and not found like one that never was, by the
same steps and with the same words.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.catalogue import Catalogue, Offer, catalogue
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from policies.access import AccessPolicy
from policies.column_sight import ColumnSight
from policies.moment import Moment
from policies.sight import (
    may_consult,
    may_contribute,
    may_submit,
    sees_contract,
    sees_handler,
)

MEMORY = 1_000
"""Callers remembered, and catalogues: callers who see the same share one."""

Key = TypeVar("Key")
Value = TypeVar("Value")

_Whoever = tuple[str, str, Level, frozenset[str], str]
_Seen = frozenset[tuple[str, ...]]


class Views:
    """Makes and remembers catalogues, by the gateway's own access policy."""

    def __init__(self, access: AccessPolicy, clock: Callable[[], float]) -> None:
        self._access = access
        self._columns = ColumnSight(access)
        self._clock = clock
        self._lock = threading.Lock()
        self._callers: OrderedDict[_Whoever, tuple[Catalogue, Catalogue]] = OrderedDict()
        self._views: OrderedDict[_Seen, tuple[Catalogue, Catalogue]] = OrderedDict()

    def of(self, caller: Caller, known: Catalogue) -> Catalogue:
        """What the caller may know of `known`; the same object until that changes."""
        return self._of(caller, known, self._seen)

    def consultable(self, caller: Caller, known: Catalogue) -> Catalogue:
        """The same with what the caller may have considered by an officer of its owner."""
        return self._of(caller, known, self._considered)

    def listed(self, caller: Caller, known: Catalogue) -> Catalogue:
        """The same with what the caller may hand records in to: all that the directory tells."""
        return self._of(caller, known, self._listed)

    def _of(
        self, caller: Caller, known: Catalogue, see: Callable[[Caller, Offer], Offer]
    ) -> Catalogue:
        who = (
            caller.subject, caller.organisation, caller.clearance, caller.purposes, see.__name__,
        )  # fmt: skip
        with self._lock:
            found = self._callers.get(who)
            if found is not None and found[0] is known:
                self._callers.move_to_end(who)
                return found[1]
        seen = {name: see(caller, offer) for name, offer in known.offers.items()}
        shown = frozenset(
            (name, each)
            for name, offer in seen.items()
            for each in (*offer.contracts, *(f"{handler}()" for handler in offer.handlers))
        ) | frozenset(
            (name, contract.id, column)
            for name, offer in seen.items()
            for contract in offer.contracts.values()
            for column in contract.hidden
        )
        tables = frozenset[str]().union(*(offer.contracts for offer in seen.values()))
        with self._lock:
            same = self._views.get(shown)
            if same is None or same[0] is not known:
                # A table that is seen at one member stays declared at all that serve it: one whose
                # text of the contract hides it is missing from an answer, and has to be named.
                declared = {
                    name: tuple(each for each in contracts if each in tables)
                    for name, contracts in known.declared.items()
                }
                same = (known, catalogue(known.members, declared, seen))
            _keep(self._views, shown, same)
            _keep(self._callers, who, same)
        return same[1]

    def _seen(self, caller: Caller, offer: Offer) -> Offer:
        now = Moment.at(self._clock())
        return replace(
            offer,
            contracts={
                name: self._columns.shown(caller, contract, now)
                for name, contract in offer.contracts.items()
                if sees_contract(caller, contract, self._access, now)
            },
            handlers={
                name: handler
                for name, handler in offer.handlers.items()
                if sees_handler(
                    caller, f"{offer.department}.{name}", handler.level, handler.purposes,
                    self._access, now,
                )
            },
        )  # fmt: skip

    def _considered(self, caller: Caller, offer: Offer) -> Offer:
        now = Moment.at(self._clock())
        seen = self._seen(caller, offer)
        handlers = dict(seen.handlers)
        for name, handler in offer.handlers.items():
            full = f"{offer.department}.{name}"
            level = may_consult(caller, "handler", full, self._access, now)
            if level is not None and handler.level <= max(level, caller.clearance):
                handlers[name] = handler
        return replace(
            offer,
            contracts={
                name: self._columns.shown(caller, contract, now)
                for name, contract in offer.contracts.items()
                if name in seen.contracts
                or may_consult(caller, "contract", name, self._access, now) is not None
            },
            handlers=handlers,
        )

    def _listed(self, caller: Caller, offer: Offer) -> Offer:
        now = Moment.at(self._clock())
        known = self._considered(caller, offer)
        contracts = {
            # Of one that they may only hand in to all columns are hidden here: its own form says.
            name: known.contracts.get(name)
            or replace(contract, hidden=frozenset(each.name for each in contract.columns))
            for name, contract in offer.contracts.items()
            if name in known.contracts
            or may_submit(caller, contract, self._access, now)
            or may_contribute(caller, contract, self._access, now)
        }
        return replace(known, contracts=contracts)


def _keep(memory: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > MEMORY:
        memory.popitem(last=False)
