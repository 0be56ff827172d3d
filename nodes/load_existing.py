"""Loading where the data lies with an engine already: the engine makes the node's table of it.

As `nodes.load`, whose words hold here too: all rows or none, a random version, and the store names
what is served. The store's file says which table of the engine's it is, and holds no row.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol

from nodes.engines.found import Built
from nodes.engines.kind import Kind
from nodes.load_report import LoadRefused, Report
from nodes.shape import shape_digest
from nodes.store import Loaded, Store, StoreDamaged
from policies.contract import Contract, Method


class Loader(Protocol):
    """An engine that makes tables of its own data."""

    def build(self, contract: Contract, source: str, version: str, secret: bytes) -> Built:
        """Checks every row of `source`, and makes the version's table or, with violations, none."""
        ...

    def forget(self, contract_id: str, keep: Collection[str]) -> None:
        """Drops the contract's tables of other versions."""
        ...


def load_existing(
    contract: Contract, source: str, store: Store, kind: Kind, loader: Loader, as_of: str = ""
) -> Report:
    """Loads what the engine calls `source`, of the day `as_of`; raises as `nodes.load.load` does.

    Nobody knows whether the source changed since the last time, so that each load is a new version.
    """
    with store.loading(contract.id) as folder:
        version = secrets.token_hex(16)
        keyed = contract.disclosure.method is Method.CELL_KEY
        secret = store.record_secret() if keyed else b""
        served = None
        with suppress(StoreDamaged):  # this load is the repair
            served = store.current(contract.id)
        built = loader.build(contract, source, version, secret)
        if built.violations:
            raise LoadRefused(
                Report(contract.id, source, built.rows, built.ignored, built.violations)
            )
        draft = folder / f"{version}.part"
        draft.write_text(json.dumps({"engine": kind.value, "source": source}) + "\n", "utf-8")
        loaded = Loaded(
            path=folder / f"{version}{kind.suffix}",
            version=version,
            contract_digest=contract.digest,
            rows=built.stored,
            units=built.units,
            set_aside=built.set_aside,
            largest_unit=built.largest_unit,
            shape=shape_digest(contract),
            as_of=as_of,
        )
        store.publish(contract.id, loaded, draft)
        # The engine of a node that serves may read the version before for some moments more.
        keep = {version} | ({served.version} if served else set())
        loader.forget(contract.id, keep)
        return Report(contract.id, source, built.rows, built.ignored, loaded=loaded)
