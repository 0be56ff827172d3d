"""What of a contract decides how its table is stored; the rest may change without a new load."""

from __future__ import annotations

from hashlib import sha256

from nodes.store import FORMAT, Loaded
from policies.contract import Contract


def stored_shape(contract: Contract) -> tuple[object, ...]:
    """Everything of the contract that a load checks rows by, or writes into the table."""
    columns: list[tuple[object, ...]] = [
        (c.name, c.type.value, c.nullable, c.unique, c.bounds, c.clip, c.domain)
        + (("discovered",) if c.discovered else ())
        # What is stored are reports of just this randomisation.
        + (() if c.randomised is None else ("randomised", repr(c.randomised)))
        for c in contract.columns
    ]
    columns += [("key", link.on) for link in contract.links if link.unique]
    return (contract.unit, contract.disclosure.method.value, columns)


def shape_digest(contract: Contract) -> str:
    """SHA-256 of the shape, hex."""
    return sha256(repr((FORMAT, *stored_shape(contract))).encode()).hexdigest()


def fits(loaded: Loaded, contract: Contract) -> bool:
    """Whether that table can be asked under that contract as it is.

    It was loaded under this text, or under one that differs in descriptions, levels and terms only.
    """
    return loaded.contract_digest == contract.digest or loaded.shape == shape_digest(contract)
