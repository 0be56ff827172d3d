"""The department's policy as it lies in its folder: contracts, handlers, groups, access policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from policies import handler as handlers_format
from policies import handler_source, odcs
from policies.access import AccessPolicy
from policies.contract import Contract
from policies.group import Group, GroupInvalid, read_registered
from policies.group import read as read_group
from policies.handler import Handler, HandlerInvalid


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides what the department lets out; `digest` names this version of it.

    `documents` are the contracts' own texts by contract id, `sources` the handlers' by name,
    `access_text` the access policy's, `registries` the groups' and their registries' by file name.
    """

    contracts: Mapping[str, Contract]
    documents: Mapping[str, bytes]
    handlers: Mapping[str, Handler]
    sources: Mapping[str, bytes]
    access: AccessPolicy
    digest: str
    access_text: bytes = b""
    groups: Mapping[str, Group] = field(default_factory=dict)
    registries: Mapping[str, bytes] = field(default_factory=dict)


class PolicyFolderInvalid(Exception):
    """The folder holds no usable policy; one sentence."""


@dataclass(frozen=True, slots=True)
class PolicyTexts:
    """The files of a policy as they lay there at one moment, byte for byte, by path."""

    contracts: Mapping[Path, bytes]
    handlers: Mapping[Path, bytes]
    access: tuple[Path, bytes]
    groups: Mapping[Path, bytes] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over every name and byte: the same texts, and only these, have the same."""
        whole = sha256()
        texts = (*self.contracts.items(), *self.handlers.items(), self.access)
        for path, text in (*texts, *self.groups.items()):
            whole.update(sha256(str(path).encode()).digest() + sha256(text).digest())
        return whole.hexdigest()


def collect(
    contracts: Path, handlers: Path, access: Path, groups: Path | None = None
) -> PolicyTexts:
    """The files in these places; raises PolicyFolderInvalid where one cannot be read."""
    try:
        return PolicyTexts(
            {path: path.read_bytes() for path in sorted(contracts.glob("*.odcs.yaml"))},
            {
                path: path.read_bytes()
                for path in sorted((*handlers.glob("*.sql"), *handlers.glob("*.py")))
            },
            (access, access.read_bytes()),
            {
                path: path.read_bytes()
                for path in sorted((*groups.glob("*.yaml"), *groups.glob("*.members")))
            }
            if groups is not None
            else {},
        )
    except OSError as failure:
        raise PolicyFolderInvalid(
            f"{failure.filename} cannot be read ({failure.strerror})"
        ) from None


def read(
    department: str, contracts: Path, handlers: Path, access: Path, groups: Path | None = None
) -> Policy:
    """The policy in these places; raises as `collect` and `understand` do."""
    return understand(department, collect(contracts, handlers, access, groups), contracts)


def understand(department: str, texts: PolicyTexts, where: Path) -> Policy:
    """What those texts say; `where` is the contracts' folder.

    Raises ContractInvalid, HandlerInvalid, GroupInvalid, PolicyInvalid or PolicyFolderInvalid, each
    of which names the file and every problem in it.
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
    groups = _groups(department, texts.groups, found)
    polled = {poll.contract for group in groups.values() for poll in group.polls}
    for path in texts.handlers:
        if declared[path.stem].contract in polled:
            raise HandlerInvalid(str(path), ["no handler looks at a single ballot of a poll"])
    path, text = texts.access
    policy = AccessPolicy.load(
        _decoded(path, text),
        str(path),
        contracts=found.keys(),
        handlers=[f"{department}.{name}" for name in declared],
        columns=[column for contract in found.values() for column in contract.column_ids],
        groups={f"{department}.{group.name}": group.registered for group in groups.values()},
    )
    parts = [
        *(documents[name] for name in sorted(documents)),
        # The text, not the handler: a set within it has another order in every process.
        *(sources[name] for name in sorted(sources)),
        text,
        *(texts.groups[path] for path in sorted(texts.groups)),
    ]
    digest = sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()
    registries = {path.name: content for path, content in texts.groups.items()}
    return Policy(found, documents, declared, sources, policy, digest, text, groups, registries)


def _groups(
    department: str, texts: Mapping[Path, bytes], contracts: Mapping[str, Contract]
) -> dict[str, Group]:
    """The groups, each with the people of the registry beside it."""
    groups: dict[str, Group] = {}
    polled: dict[str, str] = {}
    for path, text in texts.items():
        if path.suffix != ".yaml":
            continue
        group = read_group(_decoded(path, text), str(path), department, contracts)
        if group.name != path.stem:
            raise GroupInvalid(str(path), [f"the file of group {group.name} has its name"])
        registry = path.with_suffix(".members")
        if registry in texts:
            people = read_registered(_decoded(registry, texts[registry]), str(registry))
            group = replace(group, registered=people)
        for poll in group.polls:
            other = polled.setdefault(poll.contract, group.name)
            if other != group.name:
                problem = f"contract {poll.contract} is a poll of group {other} already"
                raise GroupInvalid(str(path), [problem])
        groups[group.name] = group
    for path in texts:
        if path.suffix == ".members" and path.stem not in groups:
            raise GroupInvalid(str(path), [f"there is no group {path.stem}"])
    return groups


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
        **{f"group:{name}": sha256(text).hexdigest() for name, text in policy.registries.items()},
    }
