"""What the departments of a linked question come to together: steps (5) and (11), and again.

An answer that was given before, over the same data and to the same recipient, is given again free
of charge: every department stands by it, decides anew whether this caller may have it, and logs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256

from gateway.gathering import Gathered, Put, asking_of, why_missing
from gateway.link_memory import kept, restored
from gateway.linking import LinkRun
from gateway.links import Links, answer_of
from gateway.parts import part_of
from gateway.sight import Sight
from landbridge.edge.turns import Turns
from landbridge.errors import LandbridgeError
from landbridge.v1 import evidence_pb2, node_pb2
from policies.link_plan import LinkPlan


class LinkGathering:
    """Asks departments that compute together. `log_name` is the gateway's log."""

    def __init__(self, links: Links, log_name: str, sight: Sight) -> None:
        self._links = links
        self._log_name = log_name
        self._sight = sight
        self._turns = Turns()

    def answer(self, put: Put, link: LinkPlan, organisation: str) -> Gathered:
        """The cells: all departments take part, or there is no answer.

        What every department logged is in the draft before anything is raised for it.
        """
        run = self._run(put, link)
        # Twice at once is one draw: a caller that lost its reply asks while the first is computed.
        with self._turns.turn(sha256(organisation.encode() + b"\0" + run.question).digest()):
            weighed = run.weigh()  # every owner's yes, before any department computes
            earlier = run.earlier(weighed)
            if earlier is not None:
                found = self._again(put, run, earlier)
                if found is not None:
                    return found
            self._links.require_affordable(run, weighed)
            return self._anew(put, run)

    def estimate(self, put: Put, link: LinkPlan) -> Mapping[str, node_pb2.EstimateResponse]:
        """What every department says of price and budget; raises the first refusal."""
        return self._links.estimates(self._run(put, link).weigh())

    def _anew(self, put: Put, run: LinkRun) -> Gathered:
        seen = self._sight.sizes(put.plan.departments)
        begun = run.begin()  # (5)
        replies = {name: answer_of(reply) for name, reply in begun.replies.items()}
        self._note(put, seen, {name: reply.receipt for name, reply in replies.items()})
        put.draft.note(charged_micro_rho=sum(r.charged_micro_rho for r in replies.values()))
        begun.require_all()
        combined = run.compute(begun.rows)  # (11)
        sealed = kept(self._links.keeper, run.question_hash, combined)
        with suppress(LandbridgeError):  # whoever asks again is charged again then
            if sealed is not None:
                run.keep(sealed)
        return Gathered(put.plan, combined, replies, ())

    def _again(self, put: Put, run: LinkRun, earlier: bytes) -> Gathered | None:
        """The earlier answer; None where somebody's data has changed in this moment."""
        seen = self._sight.sizes(put.plan.departments)
        replies, failure = run.repeat(earlier)
        self._note(put, seen, {name: reply.receipt for name, reply in replies.items()})
        if failure is not None:
            if failure.reason == "ROUND_FORGOTTEN":
                return None
            raise failure
        first = run.plan.sides[0].department
        combined = restored(self._links.keeper, earlier, run.plan, replies[first].answer, first)
        put.draft.note(charged_micro_rho=0, remembered=True)
        answers = {}
        for name, reply in replies.items():
            answers[name] = node_pb2.AnswerResponse(
                recipient_budget=reply.recipient_budget,
                overall_budget=reply.overall_budget,
                receipt=reply.receipt,
            )
            answers[name].release.remembered = True
        return Gathered(put.plan, combined, answers, ())

    def _note(
        self, put: Put, seen: Mapping[str, int], receipts: Mapping[str, evidence_pb2.Receipt]
    ) -> None:
        """The departments' own entries, beside those of an attempt before."""
        known = self._links.departments.catalogue()
        found = [
            part_of(name, receipt, put.request.question_id, known, seen[name])
            for name, receipt in receipts.items()
        ]
        put.draft.note(parts=[*put.draft.fields.get("parts", ()), *found])

    def _run(self, put: Put, link: LinkPlan) -> LinkRun:
        for side in link.sides:
            if not self._sight.trusted(side.department):
                raise why_missing((side.department,), {})
        request = put.request
        return self._links.run(
            link,
            asking_of(request, put.token, self._log_name, as_of=put.plan.as_of),
            lambda: request.seconds,
            request.trace.headers,
        )
