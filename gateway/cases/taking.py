"""One step, asked of its department: the request, and the checks that its reply must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.asking import Asking
from gateway.cases.case import Case, Sealed
from gateway.cases.store import Store
from gateway.departments import Departments
from gateway.fitting import require_fitting
from landbridge.errors import error
from landbridge.membership.statement import AskingSigner
from landbridge.protocols.step_info import step_question
from landbridge.v1 import node_pb2, step_pb2
from policies.procedure import Procedure, Step

SECONDS = 20.0
"""How long a department may take for one step before it is asked again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a department replied: its code counts as a pass or not, and what it hands over."""

    passed: bool
    code: str
    reasons: tuple[str, ...]
    parts: tuple[dict[str, Any], ...]
    envelopes: tuple[tuple[str, str, Sealed], ...]


class Taking:
    """Asks departments for steps. `log_name` names the gateway's log to them."""

    def __init__(
        self,
        store: Store,
        departments: Departments,
        signer: AskingSigner,
        asking: Asking,
        log_name: str,
    ) -> None:
        self._store = store
        self._departments = departments
        self._signer = signer
        self._asking = asking
        self._log_name = log_name

    def admit(self, procedure: Procedure, case: Case, step: Step, token: str) -> None:
        """Has the step admitted while the token is good; raises what the department says."""
        request = self._request(procedure, case, step, token)
        request.admit_only = True
        self._send(step, request)

    def take(self, procedure: Procedure, case: Case, step: Step, token: str) -> Taken:
        """The step's reply; the same again however often it is asked. Raises as `admit` does."""
        request = self._request(procedure, case, step, token)
        handed = self._store.envelopes(case.opened.id, step.name)
        for source in dict.fromkeys(source for source, _ in step.receives.values()):
            if source not in handed:
                raise error("DEPARTMENT_MISSING", missing=(step.department,))
            sender = procedure.step(source)
            request.inputs.append(
                step_pb2.HandedInput(
                    department=sender.department,
                    handler=sender.handler_name,
                    step=source,
                    arguments={
                        argument: value
                        for argument, (each, value) in step.receives.items()
                        if each == source
                    },
                    envelope=_message(handed[source]),
                )
            )
        response = self._send(step, request)
        return self._taken(procedure, case, step, response)

    def _request(
        self, procedure: Procedure, case: Case, step: Step, token: str
    ) -> step_pb2.TakeRequest:
        opened = case.opened
        return step_pb2.TakeRequest(
            asking=node_pb2.Asking(
                token=token,
                purpose=opened.purpose,
                question_id=step_question(procedure.name, opened.id, step.name),
                gateway_log=self._log_name,
            ),
            procedure=procedure.name,
            case_id=opened.id,
            step=step.name,
            handler=step.handler_name,
            form=_message(self._store.form(opened.id, step.name)),
            form_key=opened.form_key,
            recipients=[
                step_pb2.Recipient(
                    step=name, department=procedure.step(name).department, values=values
                )
                for name, values in procedure.recipients(step.name).items()
            ],
        )

    def _send(self, step: Step, request: step_pb2.TakeRequest) -> step_pb2.TakeResponse:
        self._asking.sight(step.department)
        signed: Callable[[str], step_pb2.TakeRequest] = self._signer.signing(request)
        return self._departments.ask_one(
            step.department,
            lambda connection: connection.steps.Take,
            signed,
            SECONDS,
            (),
        )

    def _taken(
        self, procedure: Procedure, case: Case, step: Step, response: step_pb2.TakeResponse
    ) -> Taken:
        offer = self._departments.catalogue().offers.get(step.department)
        handler = offer.handlers.get(step.handler_name) if offer is not None else None
        if handler is None:
            raise error("DEPARTMENT_MISSING", missing=(step.department,))
        require_fitting(step.department, handler, response.reply)
        part = self._asking.part(
            step.department,
            response.reply.receipt,
            step_question(procedure.name, case.opened.id, step.name),
            seen=0,  # a step that is asked again has the entry of the first time
        )
        wanted = set(procedure.recipients(step.name))
        handed = {each.step: each.envelope for each in response.handed}
        if len(handed) != len(response.handed) or not set(handed) <= wanted:
            raise error(
                "ANSWER_REJECTED",
                f"Department {step.department} handed over what was not asked of it.",
                missing=(step.department,),
            )
        return Taken(
            response.reply.code in step.passing,
            response.reply.code,
            tuple(response.reply.reasons),
            (part,),
            tuple(
                (step.name, target, Sealed(each.sealed, each.signature))
                for target, each in handed.items()
            ),
        )


def _message(sealed: Sealed) -> step_pb2.Sealed:
    return step_pb2.Sealed(sealed=sealed.sealed, signature=sealed.signature)
