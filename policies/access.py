"""Who may ask what, and why: an owner's access policies, decided by Cedar.

Default deny, forbid wins, and what cannot be decided is denied. Here and in
`policies.access_check`, which judges the text, are the only imports of cedarpy.

A permit is of a whole contract; a forbid may take columns out of it. Policies that do not speak of
columns are never asked about one: `forbid ... unless { resource == Contract::"x" }` forbids none.

Source: Cutler et al., "Cedar: A New Language for Expressive, Fast, Safe, and Analyzable
Authorization" (OOPSLA 2024); Cedar policy language 4.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Final, Literal

import cedarpy
from cedarpy import pst

from landbridge.errors import error
from landbridge.levels import Level
from policies.access_check import (
    numbers_beside_time,
    problems_of,
    schema,
    speaking_of_columns,
    written,
)
from policies.moment import Moment
from policies.statement import StatementInvalid, statements

MEMORY: Final = 4_096
"""Decisions remembered per policy set."""
DEFAULT_DENY: Final = "default deny"

Action = Literal[
    "query",
    "call",
    "watch",
    "consult",
    "review",
    "attend",
    "take_part",
    "publish",
    "case",
    "step",
    "about",
    "submit",
    "audit",
    "view",
    "enrol",
]

_BY_ROLE: Final = ("review", "attend", "publish")
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
    id, `department.handler`, the name of a procedure, a log or a department; `level` is the highest
    among the columns used, or the handler's; `moment` is when; `role` is that of `review`, `attend`
    and `publish` alone. `declared` is of `query` alone: a group that the caller takes part in
    declares the question. `groups` are those in whose registry the caller is taken to be, beside
    those in whose they are.
    `columns` are those of a contract that a question uses, by name and level, sorted; none where
    only rows are counted.
    """

    subject: str
    organisation: str
    clearance: Level
    action: Action
    resource_kind: Literal["contract", "handler", "procedure", "log", "department", "group"]
    resource: str
    purpose: str
    level: Level
    moment: Moment
    role: str = ""
    columns: tuple[tuple[str, Level], ...] = ()
    declared: bool = False
    groups: tuple[str, ...] = ()


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

    def __init__(
        self,
        policies: cedarpy.PolicySet,
        digest: str,
        registries: Mapping[str, frozenset[tuple[str, str]]] | None = None,
    ) -> None:
        self._policies = policies
        self.digest = digest
        self._registries = dict(registries or {})
        self._ids: dict[str, str] = {}
        self._hints: dict[str, str] = {}
        self._annotations: dict[str, Mapping[str, str]] = {}
        for position, policy in policies.to_pst().static_policies.items():
            name = str(policy.annotations.get("id") or position)
            self._ids[position] = name
            self._annotations[name] = written(policy.annotations)
            if hint := policy.annotations.get("hint"):
                self._hints[name] = str(hint)
        self._numbers = numbers_beside_time(policies)
        self._of_columns = speaking_of_columns(policies)
        # Policies see no clock and no data: the same request, its hour included, is decided alike.
        self._remembered = lru_cache(maxsize=MEMORY)(self._evaluate)
        self._columns_remembered = lru_cache(maxsize=MEMORY)(self._evaluate_columns)

    @classmethod
    def load(
        cls,
        text: str,
        where: str,
        *,
        contracts: Collection[str],
        handlers: Collection[str],
        columns: Collection[str] | None = None,
        procedures: Collection[str] = (),
        departments: Collection[str] | None = None,
        groups: Mapping[str, frozenset[tuple[str, str]]] | None = None,
    ) -> AccessPolicy:
        """The policy set of that text, checked against Landbridge's schema.

        `where` names the text in errors; `contracts` and `handlers` are the ids that policies may
        name, handlers as `department.handler`; `procedures` likewise; `columns` as
        `contract.column`, or None where only their contracts are known; `departments` None where
        nobody knows them; `groups` as `department.group`, each with who is registered in it
        (organisation and subject), None where nobody knows them. Every policy carries a
        unique @id, by which refusals name it, and may carry a @hint, which a forbid tells those it
        refuses. An empty set denies everything. Raises PolicyInvalid with every problem.
        """
        problems: list[str] = []
        lines: dict[str, int] = {}
        known = {
            "Contract": frozenset(contracts),
            "Handler": frozenset(handlers),
            "Procedure": frozenset(procedures),
        }
        if departments is not None:
            known["Department"] = frozenset(departments)
        if groups is not None:
            known["Group"] = frozenset(groups)
        if columns is not None:
            known["Column"] = frozenset(columns)
        try:
            for statement in statements(text):
                for problem in problems_of(statement, known, lines):
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
        return cls(policies, digest, groups)

    def named(self, kind: Literal["Organisation", "Caller", "Column", "Group"]) -> frozenset[str]:
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
        """The decision, remembered for the requests asked last.

        The resource must be permitted, and none of its columns that are used forbidden.
        """
        if not request.columns:
            return self._remembered(request)
        whole = self._remembered(replace(request, columns=()))
        if self._of_columns is None or not whole.permitted:
            return whole
        return self._columns_remembered(request) or whole

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
        """The decision about the resource itself."""
        asked = self._ask(self._policies, request, (_resource(request),))
        if asked is None:
            return Decision(permitted=False, policies=(), failed=("unreadable request",))
        (result,) = asked
        policies = self._named(result.diagnostics.reasons)
        # Cedar skips a policy that fails, so that a failing forbid would permit.
        if result.diagnostics.errors:
            return Decision(permitted=False, policies=policies, failed=self._failing(result))
        return Decision(permitted=result.decision is cedarpy.Decision.Allow, policies=policies)

    def _evaluate_columns(self, request: Request) -> Decision | None:
        """The refusal, where a forbid matches one of the columns or cannot be evaluated."""
        assert self._of_columns is not None
        columns = tuple(
            {"type": "Column", "id": f"{request.resource}.{name}"} for name, _ in request.columns
        )
        asked = self._ask(self._of_columns, request, columns)
        if asked is None:
            return Decision(permitted=False, policies=(), failed=("unreadable request",))
        # Only forbids are asked here, so that whatever decided decided against it.
        policies = self._named([each for one in asked for each in one.diagnostics.reasons])
        failed = tuple(sorted({each for one in asked for each in self._failing(one)}))
        if not policies and not failed:
            return None
        return Decision(permitted=False, policies=policies, failed=failed)

    def _ask(
        self, policies: cedarpy.PolicySet, request: Request, resources: tuple[dict[str, str], ...]
    ) -> list[cedarpy.AuthzResult] | None:
        """What Cedar says of each; None for a request that it cannot read.

        Such as an id with half a surrogate pair.
        """
        # Ids come from tokens and questions: they travel as JSON values, never as Cedar text.
        caller = {"type": "Caller", "id": request.subject}
        organisation = {"type": "Organisation", "id": request.organisation}
        attributes = {
            "organisation": {"__entity": organisation},
            "clearance": int(request.clearance),
        }
        context = json.dumps(
            {
                "purpose": request.purpose,
                "level": int(request.level),
                **request.moment._asdict(),
                **({"role": request.role} if request.action in _BY_ROLE else {}),
                **({"declared": request.declared} if request.action == "query" else {}),
            }
        )
        person = (request.organisation, request.subject)
        groups = [
            {"type": "Group", "id": name}
            for name in sorted(
                {
                    *request.groups,
                    *(name for name, people in self._registries.items() if person in people),
                }
            )
        ]
        columns = (
            {
                "uid": {"type": "Column", "id": f"{request.resource}.{name}"},
                "attrs": {"level": int(level)},
                "parents": [_resource(request)],
            }
            for name, level in request.columns
        )
        try:
            entities = cedarpy.Entities.from_json_str(
                json.dumps(
                    [
                        {"uid": caller, "attrs": attributes, "parents": [organisation, *groups]},
                        {"uid": organisation, "attrs": {}, "parents": []},
                        *({"uid": group, "attrs": {}, "parents": []} for group in groups),
                        *columns,
                    ]
                )
            )
            return cedarpy.is_authorized_batch(
                [
                    {
                        "principal": caller,
                        "action": {"type": "Action", "id": request.action},
                        "resource": resource,
                        "context": context,
                    }
                    for resource in resources
                ],
                policies,
                entities,
                schema=schema(),
            )
        except ValueError:
            return None

    def _failing(self, result: cedarpy.AuthzResult) -> tuple[str, ...]:
        return self._named(
            [
                each
                for message in result.diagnostics.errors
                for each in _FAILED.findall(message) or ["unreadable request"]
            ]
        )

    def _named(self, positions: Collection[str]) -> tuple[str, ...]:
        return tuple(sorted({self._ids.get(each, each) for each in positions}))


def _resource(request: Request) -> dict[str, str]:
    return {"type": request.resource_kind.title(), "id": request.resource}
