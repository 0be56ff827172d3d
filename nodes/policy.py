"""The department's policy as it lies in its folder: contracts, handlers, access policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from policies import handler as handlers_format
from policies import handler_source, odcs
from policies.access import AccessPolicy
from policies.contract import Contract
from policies.handler import Handler, HandlerInvalid


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides what the department lets out; `digest` names this version of it.

    `documents` are the contracts' own texts by contract id, `sources` the handlers' by name,
    `access_text` the access policy's.
    """

    contracts: Mapping[str, Contract]
    documents: Mapping[str, bytes]
    handlers: Mapping[str, Handler]
    sources: Mapping[str, bytes]
    access: AccessPolicy
    digest: str
    access_text: bytes = b""


class PolicyFolderInvalid(Exception):
    """The folder holds no usable policy; one sentence."""


@dataclass(frozen=True, slots=True)
class PolicyTexts:
    """The files of a policy as they lay there at one moment, byte for byte, by path."""

    contracts: Mapping[Path, bytes]
    handlers: Mapping[Path, bytes]
    access: tuple[Path, bytes]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over every name and byte: the same texts, and only these, have the same."""
        whole = sha256()
        for path, text in (*self.contracts.items(), *self.handlers.items(), self.access):
            whole.update(sha256(str(path).encode()).digest() + sha256(text).digest())
        return whole.hexdigest()


def collect(contracts: Path, handlers: Path, access: Path) -> PolicyTexts:
    """The files in these places; raises PolicyFolderInvalid where one cannot be read."""
    try:
        return PolicyTexts(
            {path: path.read_bytes() for path in sorted(contracts.glob("*.odcs.yaml"))},
            {
                path: path.read_bytes()
                for path in sorted((*handlers.glob("*.sql"), *handlers.glob("*.py")))
            },
            (access, access.read_bytes()),
        )
    except OSError as failure:
        raise PolicyFolderInvalid(
            f"{failure.filename} cannot be read ({failure.strerror})"
        ) from None


def read(department: str, contracts: Path, handlers: Path, access: Path) -> Policy:
    """The policy in these places; raises as `collect` and `understand` do."""
    return understand(department, collect(contracts, handlers, access), contracts)


def understand(department: str, texts: PolicyTexts, where: Path) -> Policy:
    """What those texts say; `where` is the contracts' folder.

    Raises ContractInvalid, HandlerInvalid, PolicyInvalid or PolicyFolderInvalid, each of which
    names the file and every problem in it.
    """
    found: dict[str, Contract] = {}
    documents: dict[str, bytes] = {}
    for path, document in texts.contracts.items():
        contract = odcs.read(document, str(path))
        if contract.id in found:
            raise PolicyFolderInvalid(f"{path}: contract {contract.id} stands in two files")
        found[contract.id], documents[contract.id] = contract, document
    if not found:
        raise PolicyFolderInvalid(f"{where} holds no contract (*.odcs.yaml)")
    declared: dict[str, Handler] = {}
    sources: dict[str, bytes] = {}
    for path, source in texts.handlers.items():
        read_text = handler_source.read if path.suffix == ".py" else handlers_format.read
        handler = read_text(_decoded(path, source), str(path))
        if handler.name != path.stem:
            raise HandlerInvalid(str(path), [f"the file of handler {handler.name} has its name"])
        if handler.contract not in found:
            raise HandlerInvalid(str(path), [f"there is no contract {handler.contract}"])
        if handler.name in declared:
            raise HandlerInvalid(str(path), [f"handler {handler.name} stands in two files"])
        declared[handler.name], sources[handler.name] = handler, source
    path, text = texts.access
    policy = AccessPolicy.load(
        _decoded(path, text),
        str(path),
        contracts=found.keys(),
        handlers=[f"{department}.{name}" for name in declared],
        columns=[column for contract in found.values() for column in contract.column_ids],
    )
    parts = [
        *(documents[name] for name in sorted(documents)),
        # The text, not the handler: a set within it has another order in every process.
        *(sources[name] for name in sorted(sources)),
        text,
    ]
    digest = sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()
    return Policy(found, documents, declared, sources, policy, digest, text)


def _decoded(path: Path, text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as failure:
        line = text[: failure.start].count(b"\n") + 1
        raise PolicyFolderInvalid(f"{path}: line {line} is not UTF-8") from None


def digests(policy: Policy) -> dict[str, str]:
    """What the department's rules are, each by its SHA-256 in hexadecimal, for the log."""
    return {
        "access": policy.access.digest,
        **{f"contract:{name}": sha256(text).hexdigest() for name, text in policy.documents.items()},
        **{f"handler:{name}": sha256(text).hexdigest() for name, text in policy.sources.items()},
    }
