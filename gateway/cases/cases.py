"""What callers do with cases: describe, open, show, follow, list, cancel.

Whoever may do a thing is decided twice: by the gateway's access policy (action `case` on the
procedure, for the case's purpose) and by the procedure's own lists of organisations. A case that a
caller may not see is refused in the words of one that there is not.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection

from gateway.cases.case import Case, Change, Opened, Sealed, StepRow
from gateway.cases.driver import OPENED, Driver
from gateway.cases.procedures import Procedures
from gateway.cases.recording import Recording
from gateway.cases.store import Store
from gateway.cases.unfolding import unfolded
from gateway.cases.wire import case_to, change_to, procedure_to
from gateway.catalogue import Catalogue
from gateway.request import Request
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.v1 import case_pb2
from policies.access import AccessPolicy
from policies.moment import Moment
from policies.procedure import APPLICANT, Procedure
from policies.progress import UNDER_WAY, CaseState, StepState
from policies.purpose import require_allowed, require_stated
from policies.review import not_available
from policies.sight import requested_case

_CASE = re.compile(r"[0-9a-f]{32}")
LONGEST_WAIT = 20.0
MOST_LISTED = 1_000
_LONGEST_FORM = 64 * 1024


class Cases:
    """The use cases. `followers` is how many callers may wait for changes at a time."""

    def __init__(
        self,
        store: Store,
        recording: Recording,
        driver: Driver,
        procedures: Procedures,
        access: Callable[[], AccessPolicy],
        verifier: Verifier,
        recorder: Recorder,
        catalogue: Callable[[], Catalogue],
        manifest: Callable[[], bytes],
        followers: int,
    ) -> None:
        self._store = store
        self._recording = recording
        self._driver = driver
        self._procedures = procedures
        self._access = access
        self._verifier = verifier
        self._recorder = recorder
        self._catalogue = catalogue
        self._manifest = manifest
        self._followers = threading.BoundedSemaphore(max(1, followers))

    def describe(self, request: Request, name: str) -> case_pb2.DescribeProcedureResponse:
        """What a form holds and for whom it is sealed; for those who may open a case."""
        caller = self._identified(request)
        procedure = self._procedures.loaded(name)
        if procedure is None or not any(
            self._opens(caller, procedure, purpose) for purpose in sorted(procedure.purposes)
        ):
            raise not_available("procedure", name)
        return procedure_to(procedure, self._catalogue(), self._manifest())

    def open(self, request: Request, asked: case_pb2.OpenRequest) -> case_pb2.OpenResponse:
        """A new case, or the one that the same request opened before; durable and logged."""
        with self._recorder.request("step", trace_id=request.trace.id) as draft:
            token, caller = self._identified_in(request, draft)
            procedure = self._opening(caller, asked, draft)
            opener = self._opener(caller)
            opened = Opened(
                asked.case_id,
                procedure.name,
                procedure.digest,
                asked.purpose,
                opener,
                caller.organisation,
                caller.client,
                asked.form_key,
                self._driver.now(),
            )
            forms = {
                each.step: Sealed(each.form.sealed, each.form.signature) for each in asked.forms
            }
            steps = {step.name for step in procedure.steps}
            if set(forms) != steps or len(asked.forms) != len(steps):
                raise error(
                    "INVALID_ARGUMENT", "The application has one sealed form for each step."
                )
            if any(len(form.sealed) > _LONGEST_FORM for form in forms.values()):
                raise error("INVALID_ARGUMENT", "A form is longer than anybody could fill in.")
            case = self._created(opened, procedure, forms, token, caller.expires)
            state = case_to(procedure, case)
            logged = draft.answered(state.SerializeToString(deterministic=True))
            return case_pb2.OpenResponse(case=state, receipt=logged.message())

    def _created(
        self,
        opened: Opened,
        procedure: Procedure,
        forms: dict[str, Sealed],
        token: str,
        expires: float,
    ) -> Case:
        rows = tuple(StepRow(step.name, StepState.WAITING) for step in procedure.steps)
        blank = Case(opened, CaseState.OPEN, None, 0, rows)
        first = [Change(0, opened.opened_at, "", OPENED)]
        changes = unfolded(procedure, blank, first, opened.opened_at)
        if self._store.create(opened, procedure.text, forms, changes, self._recorder.size):
            self._driver.keep_token(opened.id, token, expires)
            self._recording.log_and_show(opened, changes)
            made = self._driver.opened(opened.id, changes)
            self._driver.offer_token(made, token, expires)  # for the steps that wait
            return made
        case = self._store.find(opened.id)
        assert case is not None  # it is why there was none to create
        same = case.opened
        if (same.opener, same.organisation, same.digest, same.form_key) != (
            opened.opener, opened.organisation, opened.digest, opened.form_key,
        ) or self._store.forms(opened.id) != forms:  # fmt: skip
            raise error(
                "CASE_ID_REUSED",
                hint="Look at the case of that id, or open another one under a new id.",
            )
        self._driver.offer_token(case, token, expires)
        return case

    def show(self, request: Request, case_id: str) -> case_pb2.ShowResponse:
        """The case and its changes; its opener's token is used for what still lacks one."""
        with self._recorder.request("step", trace_id=request.trace.id) as draft:
            token, caller = self._identified_in(request, draft)
            case, procedure = self._seen(caller, case_id, draft)
            if self._opener(caller) == case.opened.opener:
                self._driver.offer_token(case, token, caller.expires)
            response = case_pb2.ShowResponse(
                case=case_to(procedure, case),
                changes=map(change_to, self._store.changes(case_id)),
            )
            draft.note(note="shown")
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def follow(
        self, request: Request, asked: case_pb2.CasesFollowRequest
    ) -> case_pb2.CasesFollowResponse:
        """What changed after `after`; waits for it, as long as not too many others wait."""
        caller = self._identified(request)
        case, procedure = self._seen(caller, asked.case_id, None)
        if self._opener(caller) == case.opened.opener:
            token = bearer_token(request.metadata)
            self._driver.offer_token(case, token, caller.expires)
        seconds = min(asked.wait_ms / 1000, LONGEST_WAIT, request.time_left() - 1.0)
        # For whoever waits for the end, nothing but the end is news.
        after = asked.after if not asked.until_closed else 1 << 62
        ready = self._something(asked.case_id, after)
        if seconds > 0 and not ready() and self._followers.acquire(blocking=False):
            try:
                self._recording.wait(ready, seconds)
            finally:
                self._followers.release()
            caller = self._identified(request)  # the token may have ended meanwhile
        changes = self._store.changes(asked.case_id, asked.after)
        current = self._store.find(asked.case_id)
        assert current is not None
        response = case_pb2.CasesFollowResponse(
            changes=map(change_to, changes), case=case_to(procedure, current)
        )
        if changes:  # that nothing is new tells nothing
            with self._recorder.request("step", trace_id=request.trace.id) as draft:
                draft.caller(caller)
                draft.note(procedure=procedure.name, case=asked.case_id, note="followed")
                draft.answered(response.SerializeToString(deterministic=True))
        return response

    def list(self, request: Request, asked: case_pb2.ListRequest) -> case_pb2.ListResponse:
        """The cases that this caller may see: their own, and those that they supervise."""
        with self._recorder.request("step", trace_id=request.trace.id) as draft:
            _, caller = self._identified_in(request, draft)
            left = min(asked.most or 100, MOST_LISTED)
            found: list[case_pb2.CaseState] = []
            # Loaded or not: a department that is away makes no case disappear.
            for name, procedure in sorted(self._procedures.known().items()):
                if asked.procedure not in ("", name):
                    continue
                if not any(self._allowed(caller, procedure, each) for each in procedure.purposes):
                    continue
                everybody = caller.organisation in _watching(procedure)
                cases = self._store.list(
                    procedure=name,
                    state=asked.state,
                    overdue_at=self._driver.now() if asked.overdue else None,
                    organisation=None if everybody else caller.organisation,
                    opener=self._opener(caller),
                    after=asked.after,
                    most=left,
                )
                found += [case_to(self._procedures.of(each.opened.digest), each) for each in cases]
            found = sorted(found, key=lambda each: each.case_id)[:left]
            response = case_pb2.ListResponse(cases=found)
            draft.note(note=f"listed {len(found)} cases")
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def cancel(self, request: Request, case_id: str) -> case_pb2.CancelResponse:
        """Ends an open case; what departments have done by then stands in their logs."""
        with self._recorder.request("step", trace_id=request.trace.id) as draft:
            _, caller = self._identified_in(request, draft)
            case, procedure = self._seen(caller, case_id, draft)
            if not self._is_one_of(caller, case, procedure.cancels):
                raise error(
                    "ACCESS_DENIED",
                    "You may not cancel this case.",
                    rule="procedure.cancel",
                    hint="The procedure names who may.",
                )

            def decide(current: Case, now: float) -> list[Change]:
                if current.state is not CaseState.OPEN:
                    raise error("CASE_CLOSED")
                return [
                    *(
                        Change(0, now, row.step, StepState.CANCELLED.value)
                        for row in current.steps
                        if row.state in UNDER_WAY
                    ),
                    Change(0, now, "", CaseState.CANCELLED.value),
                ]

            state = case_to(procedure, self._driver.change(case_id, decide))
            draft.answered(state.SerializeToString(deterministic=True))
            return case_pb2.CancelResponse(case=state)

    # Who may.

    def _identified(self, request: Request) -> Caller:
        with self._recorder.check("refused_login"):
            return self._verifier.verify(bearer_token(request.metadata), request.certificate)

    def _identified_in(self, request: Request, draft: Draft) -> tuple[str, Caller]:
        token = bearer_token(request.metadata)
        caller = self._verifier.verify(token, request.certificate)
        draft.caller(caller)
        return token, caller

    def _opening(self, caller: Caller, asked: case_pb2.OpenRequest, draft: Draft) -> Procedure:
        if not _CASE.fullmatch(asked.case_id):
            raise error("INVALID_ARGUMENT", "A case id is 32 lower-case hexadecimal digits.")
        require_stated(asked.purpose, caller.purposes)
        draft.note(purpose=asked.purpose)
        procedure = self._procedures.loaded(asked.procedure)
        if procedure is None or not any(
            self._opens(caller, procedure, purpose) for purpose in procedure.purposes
        ):
            raise not_available("procedure", asked.procedure)
        draft.note(procedure=procedure.name, case=asked.case_id, resource=procedure.name)
        require_allowed(asked.purpose, procedure.purposes)
        now = Moment.at(self._driver.now())
        asking = requested_case(caller, procedure.name, asked.purpose, now)
        draft.note(policies=list(self._access().require(asking)))
        if asked.digest != procedure.digest:
            raise error(
                "INVALID_ARGUMENT",
                "The form was sealed for another version of the procedure.",
                hint="Fetch the procedure's description again.",
            )
        return procedure

    def _opens(self, caller: Caller, procedure: Procedure, purpose: str) -> bool:
        named = not procedure.opens or caller.organisation in procedure.opens
        return named and self._allowed(caller, procedure, purpose)

    def _allowed(self, caller: Caller, procedure: Procedure, purpose: str) -> bool:
        now = Moment.at(self._driver.now())
        asked = requested_case(caller, procedure.name, purpose, now)
        return purpose in caller.purposes and self._access().decide(asked).permitted

    def _seen(self, caller: Caller, case_id: str, draft: Draft | None) -> tuple[Case, Procedure]:
        case = self._store.find(case_id) if _CASE.fullmatch(case_id) else None
        if case is None:
            raise _no_case()
        procedure = self._procedures.of(case.opened.digest)
        watching = {*procedure.follows, *_watching(procedure)}
        if not self._allowed(caller, procedure, case.opened.purpose) or not self._is_one_of(
            caller, case, watching
        ):
            raise _no_case()
        if draft is not None:
            draft.note(procedure=procedure.name, case=case_id, purpose=case.opened.purpose)
        return case, procedure

    def _is_one_of(self, caller: Caller, case: Case, named: Collection[str]) -> bool:
        opened = case.opened
        own = (opened.organisation, opened.opener) == (caller.organisation, self._opener(caller))
        return (APPLICANT in named and own) or caller.organisation in named

    def _opener(self, caller: Caller) -> str:
        """With the key that lasts: a case can outlive a month."""
        return self._recorder.digest("caller", caller.subject)

    def _something(self, case_id: str, after: int) -> Callable[[], bool]:
        def ready() -> bool:
            case = self._store.find(case_id)
            return case is None or case.sequence > after or case.state is not CaseState.OPEN

        return ready


def _watching(procedure: Procedure) -> frozenset[str]:
    """Organisations that follow every case: those named, and those of roles."""
    named = procedure.follows - {APPLICANT}
    return named.union(*procedure.roles.values())


def _no_case() -> LandbridgeError:
    return error("NOT_AVAILABLE", "There is no such case that you may see.")
