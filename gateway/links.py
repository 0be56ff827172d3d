"""Linked questions as `gateway.asking` puts them: who is talked to, and whether all can pay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.combine import require_budgets
from gateway.departments import Departments
from gateway.link_convert import linked_to
from gateway.link_talk import Talk
from gateway.linking import LinkRun
from landbridge.errors import error
from landbridge.membership.link_statement import LinkSigner, hash_of
from landbridge.protocols.keeping import Keeper
from landbridge.v1 import link_pb2, node_pb2
from policies.link_plan import LinkPlan
from policies.noise import Draw


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the runs. `draw` is the gateway's own noise, `keeper` seals what departments keep."""

    departments: Departments
    signer: LinkSigner
    draw: Draw
    keeper: Keeper

    def run(
        self,
        plan: LinkPlan,
        asking: node_pb2.Asking,
        time_left: Callable[[], float],
        headers: Sequence[tuple[str, str]],
    ) -> LinkRun:
        """A run of the question; raises DEPARTMENT_MISSING where a contract is not known now."""
        question = linked_to(plan.question, self._documents(plan))
        connections = self.departments.connections
        bound = link_pb2.Round(
            question_id=asking.question_id, question_hash=hash_of(question, asking.question_id)
        )
        stubs = {
            side.department: connections[side.department].link
            for side in plan.sides
            if side.department in connections
        }
        talk = Talk(stubs, self.signer, bound, time_left, headers, self.departments.mending)
        return LinkRun(plan, asking, question, talk, self.draw)

    def estimates(
        self, weighed: Mapping[str, link_pb2.LinkWeighResponse]
    ) -> Mapping[str, node_pb2.EstimateResponse]:
        """What every department says of price and budget."""
        found = {
            name: node_pb2.EstimateResponse(
                cost_micro_rho=reply.cost_micro_rho,
                recipient_budget=reply.recipient_budget,
                overall_budget=reply.overall_budget,
            )
            for name, reply in weighed.items()
        }
        for name, estimate in found.items():
            require_budgets(name, estimate)
        return found

    def require_affordable(
        self, run: LinkRun, weighed: Mapping[str, link_pb2.LinkWeighResponse]
    ) -> None:
        """Raises BUDGET_EXHAUSTED before anybody is charged, where one owner's budget would be.

        The owner's ledger decides again when it charges.
        """
        for name, estimate in self.estimates(weighed).items():
            for budget in (estimate.recipient_budget, estimate.overall_budget):
                if budget.spent_micro_rho + estimate.cost_micro_rho > budget.limit_micro_rho:
                    contract = run.plan.side(name).contract.id
                    raise error(
                        "BUDGET_EXHAUSTED",
                        f"Department {name}: the budget of contract {contract} does not cover this "
                        "question.",
                        rule=f"{name}/contract.budget",
                        hint="A smaller epsilon may fit"
                        + (f"; it renews on {budget.renews}." if budget.renews else "."),
                    )

    def _documents(self, plan: LinkPlan) -> dict[str, bytes]:
        """The contracts' own texts, as the departments described them."""
        offers = self.departments.catalogue().offers
        found = {}
        for side in plan.sides:
            offer = offers.get(side.department)
            known = None if offer is None else offer.contracts.get(side.contract.id)
            if offer is None or known is None or known.digest != side.contract.digest:
                raise error("DEPARTMENT_MISSING", missing=(side.department,))
            found[side.department] = offer.documents[side.contract.id]
        return found


def answer_of(reply: link_pb2.LinkBeginResponse) -> node_pb2.AnswerResponse:
    """A department's part in the form in which answers are shown."""
    return node_pb2.AnswerResponse(
        recipient_budget=reply.recipient_budget,
        overall_budget=reply.overall_budget,
        charged_micro_rho=reply.charged_micro_rho,
        receipt=reply.receipt,
    )
