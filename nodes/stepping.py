"""A step of a case, as this department takes it: admitted by a token, taken once, told again.

The gateway asks as often as it likes, after a lost reply or a crash on either side: the same
request has the same reply, one log entry and one charge. A request that differs from what was
admitted is refused, so that no sealed value can be tried out on another question.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from landbridge.edge.record import Draft, Recorder
from landbridge.edge.turns import Turns
from landbridge.errors import error
from landbridge.evidence.receipt import Receipt
from landbridge.identity.caller import Caller
from landbridge.protocols.step_info import step_question
from landbridge.v1 import batch_pb2, evidence_pb2, step_pb2
from nodes.computing import Computing
from nodes.guard import Asking, Guard
from nodes.hand_over import Form, HandOver, Place
from nodes.quotas import Quotas
from nodes.replying import charge, noted
from nodes.step_memory import Admission, Effect, Key, Remembered, StepMemory
from policies.handler import Handler
from policies.reply import Reply, spelt

_CASE = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class _Known:
    """The step once it is admitted: the handler of now, who opened the case, and their form."""

    handler: Handler
    admission: Admission
    form: Form


class Stepping:
    """The use case. Everything that acts is passed in."""

    def __init__(
        self,
        guard: Guard,
        quotas: Quotas,
        computing: Computing,
        recorder: Recorder,
        memory: StepMemory,
        hand_over: HandOver,
    ) -> None:
        self._guard = guard
        self._quotas = quotas
        self._computing = computing
        self._recorder = recorder
        self._memory = memory
        self._hand_over = hand_over
        self._turns = Turns()
        # Entries that the memory of steps could not take yet.
        self._halfway: dict[Key, Receipt] = {}

    def take(
        self,
        asking: Asking,
        request: step_pb2.TakeRequest,
        *,
        time_left: Callable[[], float],
        trace_id: str,
    ) -> step_pb2.TakeResponse:
        """The step's reply, or that it is admitted; raises a refusal. Logged before it returns."""
        place = Place(request.procedure, request.case_id, request.step)
        key = Key(place.case, place.step)
        with self._turns.turn(key.to_bytes()):
            if (logged := self._halfway.get(key)) is not None:
                self._memory.logged(key, logged)  # or nobody hears of it: one effect, one entry
                del self._halfway[key]
            known = self._memory.find(key) if _spelt_well(place) else None
            if known is not None and known.receipt is not None and not request.admit_only:
                # Said before; it stands in the log already.
                _require_same(known.admitted, _admitted(request))
                _require_same(known.taken, _taken(request))
                assert known.effect is not None  # a logged step has one
                return _response(known.effect, *known.receipt)
            with self._recorder.request(
                "step", trace_id=trace_id, **(_names(place) if _spelt_well(place) else {})
            ) as draft:
                return self._take(asking, request, place, known, draft, time_left)

    def _take(
        self,
        asking: Asking,
        request: step_pb2.TakeRequest,
        place: Place,
        known: Remembered | None,
        draft: Draft,
        time_left: Callable[[], float],
    ) -> step_pb2.TakeResponse:
        key = Key(place.case, place.step)
        if not _spelt_well(place):
            raise error("INVALID_ARGUMENT", "The request names no step of a case.")
        if asking.question_id != step_question(place.procedure, place.case, place.step):
            raise error("INVALID_ARGUMENT", "The question id is not that of this step.")
        draft.note(question_id=asking.question_id)
        found = self._admitted(asking, request, place, known, draft)
        if request.admit_only:
            draft.admitted()
            return step_pb2.TakeResponse()
        effect = known.effect if known is not None else None
        if known is not None and known.effect is not None:
            _require_same(known.taken, _taken(request))
        handed = self._hand_over.inputs(place, found.handler, request.inputs)
        values = found.handler.values(found.form.arguments, handed)
        draft.note(**noted(draft, found.handler, values, found.form.consent))
        if effect is None:
            effect = self._computed(found, place, values, request, time_left)
            self._memory.computed(key, _taken(request), effect, self._recorder.size)
        logged = draft.answered(effect.said.encode(), effect.salt)
        self._halfway[key] = logged.receipt
        self._memory.logged(key, logged.receipt)
        del self._halfway[key]
        return _response(effect, logged.receipt.entry, logged.receipt.proof)

    def _admitted(
        self,
        asking: Asking,
        request: step_pb2.TakeRequest,
        place: Place,
        known: Remembered | None,
        draft: Draft,
    ) -> _Known:
        """The policy's word on this step, now; at first with the caller's own token."""
        admitted = _admitted(request)
        if known is None:
            if not asking.token:
                raise error("STEP_NOT_ADMITTED", hint="The applicant has to come back to the case.")
            caller: Caller | None = None
            purpose = asking.purpose
        else:
            _require_same(known.admitted, admitted)
            caller, purpose = known.admission.caller, known.admission.purpose
        caller, handler = self._guard.step(
            asking, caller, purpose, request.handler, place.procedure, draft
        )
        self._hand_over.require_recipients(handler, request.recipients)
        form = self._hand_over.form(place, request.form, request.form_key)
        handler.require_consent(form.consent)
        admission = Admission(caller, purpose, place.procedure, handler.name)
        if known is None:
            self._memory.admit(Key(place.case, place.step), admission, admitted)
        return _Known(handler, admission, form)

    def _computed(
        self,
        found: _Known,
        place: Place,
        values: Mapping[str, int | str],
        request: step_pb2.TakeRequest,
        time_left: Callable[[], float],
    ) -> Effect:
        counted = charge(
            self._recorder,
            self._guard,
            found.admission.caller,
            found.handler,
            [values],
            Key(place.case, place.step).to_bytes().decode(),
        )
        self._quotas.charge(counted, found.handler.quota)
        computed = self._computing.compute(found.handler, values, time_left)
        response = step_pb2.TakeResponse(
            reply=reply_to(computed.reply),
            version=found.handler.version,
            handed=self._hand_over.seal(place, found.handler, computed.handed, request.recipients),
        )
        return Effect(
            response.SerializeToString(deterministic=True),
            spelt(computed.reply),
            secrets.token_bytes(32),
        )


def reply_to(reply: Reply) -> batch_pb2.HandlerReply:
    """The wire form of a reply, and of nothing else."""
    if not isinstance(reply, Reply):
        raise TypeError("only what a handler's declared type made can leave")
    return batch_pb2.HandlerReply(code=reply.code, reasons=reply.reasons, number=reply.number)


def _response(effect: Effect, entry: bytes, proof: str) -> step_pb2.TakeResponse:
    response = step_pb2.TakeResponse.FromString(effect.reply)
    response.reply.receipt.CopyFrom(
        evidence_pb2.Receipt(entry=entry, proof=proof, answer_salt=effect.salt)
    )
    return response


def _spelt_well(place: Place) -> bool:
    return bool(
        _CASE.fullmatch(place.case)
        and _NAME.fullmatch(place.step)
        and _NAME.fullmatch(place.procedure)
    )


def _names(place: Place) -> dict[str, str]:
    return {"procedure": place.procedure, "case": place.case, "step": place.step}


def _admitted(request: step_pb2.TakeRequest) -> bytes:
    """What a token admits: everything but what earlier steps hand over."""
    bare = step_pb2.TakeRequest(
        procedure=request.procedure,
        case_id=request.case_id,
        step=request.step,
        handler=request.handler,
        form=request.form,
        form_key=request.form_key,
        recipients=request.recipients,
    )
    return sha256(bare.SerializeToString(deterministic=True)).digest()


def _taken(request: step_pb2.TakeRequest) -> bytes:
    bare = step_pb2.TakeRequest(inputs=request.inputs)
    return sha256(bare.SerializeToString(deterministic=True)).digest()


def _require_same(earlier: bytes, now: bytes) -> None:
    if earlier != now:
        raise error(
            "CASE_ID_REUSED",
            "This step of this case was asked with other contents.",
            hint="Open another case.",
        )
