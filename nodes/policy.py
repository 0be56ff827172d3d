"""The department's policy as it lies in its folder: contracts, handlers, access policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from policies import handler as handlers_format
from policies import odcs
from policies.access import AccessPolicy
from policies.contract import Contract
from policies.handler import Handler, HandlerInvalid


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides what the department lets out; `digest` names this version of it.

    `documents` are the contracts' own texts by contract id.
    """

    contracts: Mapping[str, Contract]
    documents: Mapping[str, bytes]
    handlers: Mapping[str, Handler]
    access: AccessPolicy
    digest: str


class PolicyFolderInvalid(Exception):
    """The folder holds no usable policy; one sentence."""


def read(department: str, contracts: Path, handlers: Path, access: Path) -> Policy:
    """The policy in these places.

    Raises ContractInvalid, HandlerInvalid, PolicyInvalid or PolicyFolderInvalid, each of which
    names the file and every problem in it.
    """
    found: dict[str, Contract] = {}
    documents: dict[str, bytes] = {}
    for path in sorted(contracts.glob("*.odcs.yaml")):
        document = path.read_bytes()
        contract = odcs.read(document, str(path))
        if contract.id in found:
            raise PolicyFolderInvalid(f"{path}: contract {contract.id} stands in two files")
        found[contract.id], documents[contract.id] = contract, document
    if not found:
        raise PolicyFolderInvalid(f"{contracts} holds no contract (*.odcs.yaml)")
    declared: dict[str, Handler] = {}
    for path in sorted(handlers.glob("*.sql")):
        handler = handlers_format.read(path.read_text(encoding="utf-8"), str(path))
        if handler.contract not in found:
            raise HandlerInvalid(str(path), [f"there is no contract {handler.contract}"])
        if handler.name in declared:
            raise HandlerInvalid(str(path), [f"handler {handler.name} stands in two files"])
        declared[handler.name] = handler
    try:
        text = access.read_text(encoding="utf-8")
    except OSError as failure:
        raise PolicyFolderInvalid(f"{access} cannot be read ({failure.strerror})") from None
    policy = AccessPolicy.load(
        text,
        str(access),
        contracts=found.keys(),
        handlers=[f"{department}.{name}" for name in declared],
    )
    parts = [
        *(documents[name] for name in sorted(documents)),
        *(repr(declared[name]).encode() for name in sorted(declared)),
        text.encode(),
    ]
    digest = sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()
    return Policy(found, documents, declared, policy, digest)
