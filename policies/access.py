"""Who may ask what, and why: an owner's access policies, decided by Cedar.

Default deny, forbid wins, and what cannot be decided is denied. The one importer of cedarpy.

Source: Cutler et al., "Cedar: A New Language for Expressive, Fast, Safe, and Analyzable
Authorization" (OOPSLA 2024); Cedar policy language 4.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from importlib import resources
from itertools import product
from typing import Final, Literal

import cedarpy
from cedarpy import pst

from landbridge.errors import error
from landbridge.levels import Level
from policies.consultation import terms_problems
from policies.moment import Moment
from policies.statement import Statement, StatementInvalid, statements

MEMORY: Final = 4_096
"""Decisions remembered per policy set."""
DEFAULT_DENY: Final = "default deny"

Action = Literal["query", "call", "consult", "review", "case", "step", "about"]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POSITIONAL: Final = re.compile(r"for policy `[^`]*`, ")
_FAILED: Final = re.compile(r"policy `([^`]*)`")


class PolicyInvalid(Exception):
    """The text is no policy set that could be decided by.

    An operator's error, not a caller's. `problems` is one sentence per problem, each with the line
    that its policy starts on.
    """

    def __init__(self, where: str, problems: tuple[str, ...]) -> None:
        super().__init__(where, problems)
        self.where = where
        self.problems = problems

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n".join((f"{self.where}: the access policy has {count}.", *self.problems))


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the policies.

    `subject`, `organisation` and `clearance` are the verified token's; `resource` is a contract's
    id, `department.handler`, the name of a procedure or of a log; `level` is the highest among the
    columns used, or the handler's; `moment` is when; `role` is that of `review` alone.
    """

    subject: str
    organisation: str
    clearance: Level
    action: Action
    resource_kind: Literal["contract", "handler", "procedure", "log"]
    resource: str
    purpose: str
    level: Level
    moment: Moment
    role: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies say, and the ids of those that decided.

    `policies` are the permits of a permission and the forbids of a refusal, sorted, none for the
    default; `failed` are those that could not be evaluated, for which everything is refused.
    """

    permitted: bool
    policies: tuple[str, ...]
    failed: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """What decided, as logs and refusals name it."""
        return ", ".join(self.failed or self.policies) or DEFAULT_DENY


class AccessPolicy:
    """One owner's policy set. Decides, and remembers; safe to share between threads.

    Made by `load`, which checks. `digest` is the SHA-256 of the text in hex.
    """

    def __init__(self, policies: cedarpy.PolicySet, digest: str) -> None:
        self._policies = policies
        self.digest = digest
        self._ids: dict[str, str] = {}
        self._hints: dict[str, str] = {}
        self._annotations: dict[str, Mapping[str, str]] = {}
        for position, policy in policies.to_pst().static_policies.items():
            name = str(policy.annotations.get("id") or position)
            self._ids[position] = name
            self._annotations[name] = _written(policy.annotations)
            if hint := policy.annotations.get("hint"):
                self._hints[name] = str(hint)
        self._numbers = _numbers_beside_time(policies)
        # Policies see no clock and no data: the same request, its hour included, is decided alike.
        self._remembered = lru_cache(maxsize=MEMORY)(self._evaluate)

    @classmethod
    def load(
        cls,
        text: str,
        where: str,
        *,
        contracts: Collection[str],
        handlers: Collection[str],
        procedures: Collection[str] = (),
    ) -> AccessPolicy:
        """The policy set of that text, checked against Landbridge's schema.

        `where` names the text in errors; `contracts` and `handlers` are the ids that policies may
        name, handlers as `department.handler`; `procedures` likewise. Every policy carries a unique
        @id, by which refusals name it, and may carry a @hint, which a forbid tells those it
        refuses. An empty set denies everything. Raises PolicyInvalid with every problem.
        """
        problems: list[str] = []
        lines: dict[str, int] = {}
        schema = _schema()
        known = {
            "Contract": frozenset(contracts),
            "Handler": frozenset(handlers),
            "Procedure": frozenset(procedures),
        }
        try:
            for statement in statements(text):
                for problem in _problems(statement, schema, known, lines):
                    problems.append(f"line {statement.line}: {problem}")  # noqa: PERF401 -- so that an early end keeps what was found
        except StatementInvalid as found:
            problems.append(f"line {found.line}: {found.problem}")
        if problems:
            raise PolicyInvalid(where, tuple(problems))
        try:
            policies = cedarpy.PolicySet.from_str(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
        except ValueError:
            raise PolicyInvalid(where, ("line 1: The text is not Cedar.",)) from None
        # What decides is the whole text; what was checked are its pieces. They must be the same.
        whole = [each.annotations.get("id") for each in policies.to_pst().static_policies.values()]
        if sorted(map(str, whole)) != sorted(lines):
            raise PolicyInvalid(where, ("line 1: The text does not divide into its policies.",))
        return cls(policies, digest)

    def named(self, kind: Literal["Organisation", "Caller"]) -> frozenset[str]:
        """The ids of that kind which the policies speak of."""
        found = pst.entity_uids(self._policies.to_pst())
        return frozenset(str(entity.id) for entity in found if str(entity.type) == kind)

    def annotations(self, names: Collection[str]) -> tuple[Mapping[str, str], ...]:
        """What stands beside those policies, in the order of their ids."""
        return tuple(self._annotations[name] for name in sorted(names))

    def moments(self, now: Moment) -> tuple[Moment, ...]:
        """Moments of all kinds that the policies tell apart, `now` first.

        `now` alone where they do not look at the time: then it makes no difference.
        """
        if not self._numbers:
            return (now,)
        near = {number + step for number in self._numbers for step in (-1, 0, 1)}
        dates = sorted(day for day in near if 10_000_000 <= day < 100_000_000) or [now.date]
        hours = sorted({hour for hour in near if 0 <= hour < 24} | {0, 23})
        weekdays = sorted({day for day in near if 1 <= day < 8} | {1, 7})
        return (now, *(Moment(*parts) for parts in product(dates, hours, weekdays)))

    def decide(self, request: Request) -> Decision:
        """The decision, remembered for the requests asked last."""
        return self._remembered(request)

    def require(self, request: Request) -> tuple[str, ...]:
        """The ids of the policies that permit it; raises Refused ACCESS_DENIED when none does."""
        decision = self.decide(request)
        if decision.permitted:
            return decision.policies
        if decision.failed:
            hint = "What cannot be decided is refused; the owner has to repair what is named."
        elif decision.policies:
            hints = [self._hints[each] for each in decision.policies if each in self._hints]
            hint = " ".join(hints) or "The named policy forbids it, whatever others permit."
        else:
            hint = (
                "The owner permits by organisation, purpose and level; ask the owner for a policy "
                "that covers yours."
            )
        raise error("ACCESS_DENIED", rule=decision.rule, hint=hint)

    def _evaluate(self, request: Request) -> Decision:
        # Ids come from tokens and questions: they travel as JSON values, never as Cedar text.
        caller = {"type": "Caller", "id": request.subject}
        organisation = {"type": "Organisation", "id": request.organisation}
        attributes = {
            "organisation": {"__entity": organisation},
            "clearance": int(request.clearance),
        }
        try:
            entities = cedarpy.Entities.from_json_str(
                json.dumps(
                    [
                        {"uid": caller, "attrs": attributes, "parents": [organisation]},
                        {"uid": organisation, "attrs": {}, "parents": []},
                    ]
                )
            )
            result = cedarpy.is_authorized(
                {
                    "principal": caller,
                    "action": {"type": "Action", "id": request.action},
                    "resource": {"type": request.resource_kind.title(), "id": request.resource},
                    "context": {
                        "purpose": request.purpose,
                        "level": int(request.level),
                        **request.moment._asdict(),
                        **({"role": request.role} if request.action == "review" else {}),
                    },
                },
                self._policies,
                entities,
                schema=_schema(),
            )
        except ValueError:
            # A request that Cedar cannot read, such as an id with half a surrogate pair.
            return Decision(permitted=False, policies=(), failed=("unreadable request",))
        policies = self._named(result.diagnostics.reasons)
        # Cedar skips a policy that fails, so that a failing forbid would permit.
        if result.diagnostics.errors:
            failing = [
                each
                for message in result.diagnostics.errors
                for each in _FAILED.findall(message) or ["unreadable request"]
            ]
            return Decision(permitted=False, policies=policies, failed=self._named(failing))
        return Decision(permitted=result.decision is cedarpy.Decision.Allow, policies=policies)

    def _named(self, positions: Collection[str]) -> tuple[str, ...]:
        return tuple(sorted({self._ids.get(each, each) for each in positions}))


@lru_cache(maxsize=1)
def _schema() -> cedarpy.Schema:
    """The shipped schema; a part of this package, read when it is first needed."""
    text = resources.files("policies").joinpath("access.cedarschema").read_text("utf-8")
    return cedarpy.Schema.from_str(text)


def _problems(
    statement: Statement,
    schema: cedarpy.Schema,
    known: dict[str, frozenset[str]],
    lines: dict[str, int],
) -> Iterator[str]:
    """Every problem of one policy; enters its id into `lines`."""
    try:
        tree = cedarpy.PolicySet.from_str(statement.text).to_pst()
    except ValueError as found:
        yield _sentence("It is not Cedar", str(found))
        return
    if tree.templates or len(tree.static_policies) != 1:
        yield "It must be a plain policy; templates with slots are not accepted."
        return
    (policy,) = tree.static_policies.values()
    name = policy.annotations.get("id")
    if not name:
        yield 'It must carry an @id("..."), by which refusals name it.'
    elif not _ID.fullmatch(name):
        yield "Its @id must be at most 100 letters, digits, dots, dashes or underscores."
    elif name in lines:
        yield f"Its @id {name} is that of the policy on line {lines[name]} too; ids must differ."
    else:
        lines[name] = statement.line
    hint = policy.annotations.get("hint")
    if hint is not None and not (hint.isprintable() and 0 < len(hint) <= 300):
        yield "Its @hint must be one sentence of at most 300 printable characters."
    yield from terms_problems(_written(policy.annotations))
    # Cedar gives them in another order each time.
    for fault in sorted(
        each.error for each in cedarpy.validate_policies(statement.text, schema).errors
    ):
        yield _sentence("It does not fit the schema", _POSITIONAL.sub("", fault))
    for entity in sorted(pst.entity_uids(tree), key=str):
        kind = str(entity.type)
        if kind in known and entity.id not in known[kind]:
            shown = entity.id if _ID.fullmatch(entity.id) else "(an id)"
            yield f"It names {kind} {shown}, which does not exist here; {_existing(known[kind])}."
    # A policy that fails is skipped by Cedar; after these two, none is left that could.
    if any(isinstance(node, pst.GetAttr) and _distant(node) for node in _nodes(policy)):
        yield "It must read attributes of principal and context only; no others are sure to exist."
    if any(_calculates(node) for node in _nodes(policy)):
        yield "It must not calculate; what overflows or does not parse would skip the policy."


def _numbers_beside_time(policies: cedarpy.PolicySet) -> frozenset[int]:
    """Every number of the policies that look at the time; empty where none does."""
    found: set[int] = set()
    for policy in policies.to_pst().static_policies.values():
        nodes = tuple(_nodes(policy))
        if any(isinstance(node, pst.GetAttr) and node.attr in Moment._fields for node in nodes):
            found |= {0, *(node.value for node in nodes if isinstance(node, pst.LongLit))}
    return frozenset(found)


def _written(annotations: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in annotations.items()}


def _sentence(what: str, reason: str) -> str:
    return f"{what}: {' '.join(reason.split()).rstrip('.')}."


def _existing(ids: Collection[str]) -> str:
    return f"known are {', '.join(sorted(ids))}" if ids else "there are none"


def _nodes(node: object) -> Iterator[object]:
    """The node and all below it; at most 100 levels, as cedarpy limits them."""
    yield node
    if is_dataclass(node):
        children: Collection[object] = [getattr(node, each.name) for each in fields(node)]
    elif isinstance(node, dict):
        children = node.values()
    elif isinstance(node, tuple | list | frozenset):
        children = node
    else:
        return
    for child in children:
        yield from _nodes(child)


def _distant(node: pst.GetAttr) -> bool:
    return not (isinstance(node.base, pst.Var) and node.base.name in ("principal", "context"))


def _calculates(node: object) -> bool:
    # Nothing here is a decimal, an address or a time, so that no use of those types is lost.
    calculating = ("add", "sub", "mul", "neg", "decimal", "ip", "datetime", "duration")
    return isinstance(node, pst.BinaryOp | pst.UnaryOp) and node.op in calculating
