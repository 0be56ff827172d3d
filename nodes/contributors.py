"""Who handed in a record, where the contract has the department fill that in.

A digest under a key of the contract's own. It knows a person again for as long as records are
taken; then the key is destroyed, and nobody can tell any more whose record is whose, not the
department either. A key that is missing is never made anew while there are records: whoever has
handed in one would be somebody else, and could again.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Final

from landbridge.errors import error
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.subject import SubjectKey
from landbridge.identity.caller import Caller
from nodes.intake import Intakes
from policies.contract import Contract

KEY: Final = "contributors.key"


class Contributors:
    """The keys, in the folder of each contract's records. Safe for many threads."""

    def __init__(self, folder: Path, intakes: Intakes) -> None:
        self._folder = folder
        self._intakes = intakes
        self._lock = threading.Lock()
        self._keys: dict[str, SubjectKey] = {}

    def digest(self, contract: Contract, caller: Caller) -> str:
        """The same for the same person of the same organisation; raises INTAKE_UNAVAILABLE."""
        return self._key(contract).digest(json.dumps([caller.organisation, caller.subject]))

    def forget(self, contract: Contract) -> None:
        """Nothing is taken any more: destroys the key, durably."""
        if contract.collection is None or not contract.collection.caller:
            return
        path = self._folder / contract.id / KEY
        with self._lock:
            self._keys.pop(contract.id, None)
            if not path.exists():
                return
            size = path.stat().st_size
            with path.open("r+b") as file:  # what is unlinked alone may lie on the disk for long
                file.write(bytes(size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
            place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(place)
            finally:
                os.close(place)

    def _key(self, contract: Contract) -> SubjectKey:
        with self._lock:
            found = self._keys.get(contract.id)
            if found is not None:
                return found
            path = self._folder / contract.id / KEY
            try:
                if not path.exists():
                    if self._intakes.of(contract).standing()["records"]:
                        raise error("INTAKE_UNAVAILABLE")
                    SubjectKey.create().save(path)
                key = SubjectKey.load(path)
            except (EvidenceError, OSError):
                raise error("INTAKE_UNAVAILABLE") from None
            self._keys[contract.id] = key
            return key
