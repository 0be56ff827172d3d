"""Who takes part in a pooled question, by this department's own pin and by nobody's word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from landbridge.errors import LandbridgeError, error
from landbridge.membership.manifest import Manifest
from landbridge.protocols.agreement import keys_digest
from landbridge.protocols.masks import Exchanges
from policies.contract import Contract
from policies.pooling import fewest_members


@dataclass(frozen=True, slots=True)
class Circle:
    """The members with their pinned masking keys, by department in ascending order."""

    keys: Mapping[str, X25519PublicKey]
    digest: bytes

    @property
    def members(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.keys)


class Circles:
    """One department's view: what it has pinned, and its own masking key."""

    def __init__(
        self, department: str, manifest: Callable[[], Manifest], exchanges: Exchanges
    ) -> None:
        self._department = department
        self._manifest = manifest
        self.exchanges = exchanges
        self._lock = threading.Lock()
        self._seen: Manifest | None = None

    def of(self, contract: Contract, members: Sequence[str], digest: bytes) -> Circle:
        """Those members, each pinned as one that serves the contract; nothing is charged yet.

        `digest` is what the gateway believes of their keys, so that a difference is found before a
        round that could not be read. Raises INVALID_ARGUMENT, ACCESS_DENIED where the owner wants
        more members, and MEMBERS_DIFFER.
        """
        manifest = self._pinned()
        fewest = fewest_members(contract)
        if len(members) < fewest:
            raise error(
                "ACCESS_DENIED",
                f"Contract {contract.id} is pooled over {fewest} departments or more.",
                rule="contract.pooling.minimum",
            )
        if list(members) != sorted(set(members)) or self._department not in members:
            raise error("INVALID_ARGUMENT", "The question does not name its departments in order.")
        keys = {}
        for name in members:
            entry = manifest.member(name)
            if entry is None or not all(part.id in entry.contracts for part in contract.each):
                raise self._differs()
            keys[name] = entry.keys.masking
        own = keys[self._department].public_bytes_raw()
        if own != self.exchanges.public.public_bytes_raw() or keys_digest(keys) != digest:
            raise self._differs()
        if len({key.public_bytes_raw() for key in keys.values()}) != len(keys):
            raise self._differs()  # two names, one key: one of them could read for the other
        self._exchange(keys)
        return Circle(keys, keys_digest(keys))

    def _exchange(self, keys: Mapping[str, X25519PublicKey]) -> None:
        """Every exchange is made before anything is charged; a key of low order gives none."""
        try:
            for name, key in keys.items():
                if name != self._department:
                    self.exchanges.shared(key)
        except ValueError:
            raise self._differs() from None

    def _pinned(self) -> Manifest:
        """The manifest that is pinned now; exchanges with keys that are not in it are forgotten."""
        manifest = self._manifest()
        with self._lock:
            if manifest is not self._seen:
                self.exchanges.keep(
                    {each.keys.masking.public_bytes_raw() for each in manifest.members}
                )
                self._seen = manifest
        return manifest

    def _differs(self) -> LandbridgeError:
        return error(
            "MEMBERS_DIFFER",
            f"Department {self._department} has pinned other members or keys than the question "
            "names.",
            hint="Its operator may have a manifest to look at; ask again later.",
            missing=(self._department,),
        )
