"""A question from arrival to receipt, at the node: steps (6) to (10), in that order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from landbridge.edge.recall import Recall
from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.edge.turns import Turns
from landbridge.edge.wanted import repeatable
from landbridge.errors import error
from landbridge.v1 import release_pb2
from nodes.cells import Run, data_version, require_day
from nodes.compile import compile_selection
from nodes.convert import release_to
from nodes.engines.engine import Engine
from nodes.granting import Permitted, record_use
from nodes.guard import Asking, Guard, Permission, require_alone
from nodes.history import History
from nodes.ledger import Account, Ledger, Remembered, Reservation
from nodes.release import release
from nodes.selection import Selected, select
from nodes.tables import Tables
from policies.canonical import masking, text
from policies.contract import Contract, Method
from policies.differencing import Asked, asked
from policies.disclosure import ReleasePlan, plan_release
from policies.noise import Draw
from policies.question import Question


@dataclass(frozen=True, slots=True)
class Answered:
    """What the node replies: a release, what it cost, what is left, and the proof."""

    release: release_pb2.Release
    charged: int
    recipient: Account
    overall: Account
    logged: Logged


@dataclass(frozen=True, slots=True)
class Estimated:
    """What an answer would be like; no data was touched and nothing charged."""

    plan: ReleasePlan
    recipient: Account
    overall: Account


class Answering:
    """The use case of one department. Everything that acts is passed in."""

    def __init__(
        self,
        guard: Guard,
        ledger: Ledger,
        tables: Tables[Engine],
        recorder: Recorder,
        draw: Draw,
        history: History,
    ) -> None:
        self._guard = guard
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder
        self._draw = draw
        self._history = history
        self._turns = Turns()
        self._plans = Recall[ReleasePlan]()

    def answer(
        self,
        asking: Asking,
        question: Question,
        micro_epsilon: int,
        members: Sequence[str],
        *,
        time_left: Callable[[], float],
        trace_id: str,
        permit: Callable[[Draft], Permitted] | None = None,
    ) -> Answered:
        """Releases noisy cells or raises a refusal; either is in the log before this returns.

        `permit` decides in the place of policy, where a grant is shown.
        """
        with self._recorder.request("query", trace_id=trace_id) as draft:
            permitted = (
                Permitted(self._guard.question(asking, question, members, draft))
                if permit is None
                else permit(draft)
            )  # (6)
            permission, grant = permitted.permission, permitted.grant
            contract = permission.contract
            require_alone(self._guard.department, contract)
            plan = self._plans.of(
                (question, contract),
                (micro_epsilon, len(members)),
                lambda: plan_release(question, contract, micro_epsilon, len(members)),
            )
            recipient = permission.caller.organisation
            with self._tables.open() as (engine, tables):
                version = data_version(self._guard.department, contract, tables)
                draft.note(data_version=version)
                require_day(self._guard.department, contract, tables, asking.as_of, draft)
                run = Run(engine, contract, plan, version, time_left)
                if contract.disclosure.method is Method.UNPROTECTED:
                    if permitted.use is not None:
                        self._ledger.use(permitted.use, asking.question_id)
                    if grant is not None:
                        record_use(draft, grant)
                    with repeatable():
                        found, charged = self._compute(run), 0
                else:
                    memory = memory_key(plan, permission, version)
                    with self._turns.turn(memory):  # the same question twice at once is one draw
                        self._history.admit(contract, self._asked(question, contract))
                        reserved = self._ledger.reserve(  # (7)
                            asking.question_id, memory, contract, recipient,
                            plan.cost_micro_rho, permitted.use, again=True,
                        )  # fmt: skip
                        if grant is not None:
                            record_use(draft, grant)
                        found, charged = self._charged(reserved, run, draft)
            accounts = self._ledger.accounts(contract, recipient)
            logged = self._log(draft, found, charged, accounts)  # (10)
            return Answered(found, charged, *accounts, logged)

    def estimate(
        self,
        asking: Asking,
        question: Question,
        micro_epsilon: int,
        members: Sequence[str],
        *,
        trace_id: str,
    ) -> Estimated:
        """What `answer` would cost and how accurate it would be; refuses as `answer` would."""
        with self._recorder.request("explain", trace_id=trace_id) as draft:
            permission = self._guard.question(asking, question, members, draft)
            require_alone(self._guard.department, permission.contract)
            plan = plan_release(question, permission.contract, micro_epsilon, len(members))
            self._history.compare(permission.contract, self._asked(question, permission.contract))
            accounts = self._ledger.accounts(permission.contract, permission.caller.organisation)
            draft.answered(b"")
            return Estimated(plan, *accounts)

    def _asked(self, question: Question, contract: Contract) -> Asked:
        return asked(question, masking(contract, partial(self._recorder.digest, "literal")))

    def _charged(
        self, reserved: Reservation | Remembered, run: Run, draft: Draft
    ) -> tuple[release_pb2.Release, int]:
        """The release for a reservation, and what it was charged."""
        if isinstance(reserved, Remembered):
            found = release_pb2.Release.FromString(reserved.release)
            found.remembered = True
            return found, 0
        if run.too_late:
            if not reserved.again:
                self._ledger.give_back(reserved)  # no data was read
            raise error("DEADLINE")
        draft.note(charged_micro_rho=reserved.micro_rho)
        with repeatable():  # under the same id, for the charge that stands
            found = self._compute(run)
        self._ledger.finish(reserved, found.SerializeToString())
        return found, reserved.micro_rho

    def _compute(self, run: Run) -> release_pb2.Release:
        plan, codes = run.plan, tuple[int, ...]()
        chosen: ReleasePlan | Selected = plan
        if plan.selection is not None:
            # Twice (8) and (9): what is selected is released, so the cells may depend on it.
            counted = run.rows(compile_selection(plan, run.contract, run.engine.dialect))
            chosen = select(plan, counted, self._draw)
            plan, codes = chosen.plan, chosen.codes
        cells, histograms = run.cells(plan, codes)  # (8)
        released = release(chosen, cells, self._draw, histograms)  # (9)
        return release_to(released, run.data_version)

    @staticmethod
    def _log(
        draft: Draft,
        found: release_pb2.Release,
        charged: int,
        accounts: tuple[Account, Account],
    ) -> Logged:
        recipient, overall = accounts
        draft.note(
            charged_micro_rho=charged,
            remembered=found.remembered,
            suppressed=found.suppressed,
            budget={
                "recipient_spent": recipient.spent,
                "recipient_limit": recipient.limit,
                "overall_spent": overall.spent,
                "overall_limit": overall.limit,
            },
        )
        return draft.answered(found.SerializeToString(deterministic=True))


def memory_key(plan: ReleasePlan, permission: Permission, data_version: str) -> bytes:
    """What makes two askings the same: question, accuracy, data, terms, recipient."""
    parts = (
        text(plan.question),
        repr(plan.epsilon),
        data_version,
        permission.contract.digest,
        permission.caller.organisation,
    )
    return sha256("\0".join(parts).encode()).digest()
