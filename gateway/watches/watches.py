"""What callers do with watches: create, list, show, stop, follow.

A watch belongs to the organisation of whoever made it, as budgets do: everybody of it, with the
watch's purpose and clearance, may look at it, follow it and stop it. One that a caller may not see
is refused in the words of one that there is not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore
from typing import Final

from gateway.convert import question_to
from gateway.departments import Departments
from gateway.gathering import asking_of, why_missing
from gateway.parts import part_of
from gateway.planning import Planning
from gateway.request import Request
from gateway.sight import Sight
from gateway.watches.evaluator import Evaluator
from gateway.watches.planning import RELATIONS, Planned, plan_standing
from gateway.watches.store import STANDING, Watch, WatchStore, numbers_of
from gateway.watches.telling import Telling
from gateway.watches.wire import event_to, number_in, watch_to
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import watch_pb2

MOST_LISTED: Final = 500
MOST_AT_ONCE: Final = 100
LONGEST_STREAM: Final = 45.0
"""Seconds after which a stream ends and its reader comes again: with a token that is good then."""
LOOK: Final = 1.0
"""Seconds between two looks at whether a stream's reader is still there."""
_ID: Final = re.compile(r"[0-9a-f]{32}")


class Watches:
    """The use cases; `followers` is how many streams there may be at a time."""

    def __init__(
        self,
        store: WatchStore,
        evaluator: Evaluator,
        telling: Telling,
        planning: Planning,
        departments: Departments,
        verifier: Verifier,
        signer: AskingSigner,
        recorder: Recorder,
        sight: Sight,
        log_name: str,
        clock: Callable[[], float],
        followers: int,
    ) -> None:
        self._store = store
        self._evaluator = evaluator
        self._telling = telling
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._signer = signer
        self._recorder = recorder
        self._sight = sight
        self._log_name = log_name
        self._clock = clock
        self._followers = BoundedSemaphore(max(1, followers))

    def create(
        self, request: Request, asked: watch_pb2.CreateWatchRequest
    ) -> watch_pb2.CreateWatchResponse:
        """A new watch, or the one that the same request made before; in both logs."""
        with self._recorder.request("watch", trace_id=request.trace.id) as draft:
            token, caller = self._identified_in(request, draft)  # (1)
            if not _ID.fullmatch(asked.question_id):
                raise error("INVALID_ARGUMENT", "A watch's id is 32 hexadecimal digits.")
            draft.note(question_id=asked.question_id, watch=asked.question_id)
            known = self._departments.catalogue()
            planned = plan_standing(self._planning, asked, caller, known, draft)
            watch = self._store.find(asked.question_id)
            if watch is None:
                watch = self._made(request, token, caller, asked, planned, draft)
            elif watch.asked != _bytes(asked) or watch.caller.subject != caller.subject:
                raise error("QUESTION_ID_REUSED", hint="Make another watch, under a new id.")
            found = watch_to(watch)
            logged = draft.answered(found.SerializeToString(deterministic=True))
            self._evaluator.take_up(watch)
            return watch_pb2.CreateWatchResponse(watch=found, receipt=logged.message())

    def list(
        self, request: Request, asked: watch_pb2.ListWatchesRequest
    ) -> watch_pb2.ListWatchesResponse:
        """The watches of the caller's organisation, as far as this caller may see them."""
        with self._recorder.request("watch", trace_id=request.trace.id) as draft:
            _, caller = self._identified_in(request, draft)
            found = [
                watch_to(*self._evaluator.seen(watch))
                for watch in self._store.of(
                    caller.organisation, ended=asked.ended, after=asked.after, most=MOST_LISTED
                )
                if _may(caller, watch)
            ]
            response = watch_pb2.ListWatchesResponse(watches=found)
            draft.note(note=f"listed {len(found)} watches")
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def show(self, request: Request, identifier: str) -> watch_pb2.Watch:
        """How a watch stands."""
        with self._recorder.request("watch", trace_id=request.trace.id) as draft:
            _, caller = self._identified_in(request, draft)
            found = watch_to(*self._evaluator.seen(self._seen(caller, identifier, draft)))
            draft.note(note="shown")
            draft.answered(found.SerializeToString(deterministic=True))
            return found

    def stop(self, request: Request, identifier: str) -> watch_pb2.Watch:
        """Ends a watch at its owner, who gives back what it did not spend."""
        with self._recorder.request("watch", trace_id=request.trace.id) as draft:
            _, caller = self._identified_in(request, draft)
            watch = self._seen(caller, identifier, draft)
            if watch.state == STANDING:
                self._store.adopt(identifier)  # who dies now is followed by one who knows of it
                self._evaluator.stop_watch(watch)
            now = self._store.find(identifier)
            assert now is not None  # a watch is never removed
            found = watch_to(now)
            draft.note(note="stopped")
            draft.answered(found.SerializeToString(deterministic=True))
            return found

    def follow(
        self, request: Request, identifier: str, token: str, listening: Callable[[], bool]
    ) -> Iterator[watch_pb2.WatchEvent]:
        """Every event after the token's, as they come; ends when the watch has, or after a while.

        Token and certificate are looked at again at least every second and before anything is told:
        a stream ends with the refusal that a call would have then. Who was told of which events is
        in the log before they leave. Raises TOO_BUSY where too many follow already.
        """
        with self._recorder.check("watch"):
            self._follower(request, identifier)
            after = number_in(token, identifier)
        if not self._followers.acquire(blocking=False):
            raise error("TOO_BUSY", "Too many streams are open just now.")
        try:
            end = time.monotonic() + min(LONGEST_STREAM, max(0.0, request.time_left() - 1.0))
            while listening():
                with self._recorder.check("watch"):  # what was good when it began may have ended
                    caller = self._follower(request, identifier)
                events = self._store.events(identifier, after, MOST_AT_ONCE)
                if events:
                    with self._recorder.request("watch", trace_id=request.trace.id) as draft:
                        draft.caller(caller)
                        draft.note(watch=identifier, note=f"told events {numbers_of(events)}")
                        draft.admitted()
                    yield from map(event_to, events)
                    after = events[-1].number
                    continue
                now = self._store.find(identifier)
                if now is None or (now.state != STANDING and now.sequence <= after):
                    return
                left = end - time.monotonic()
                if left <= 0:
                    return
                self._telling.wait(self._something(identifier, after), min(LOOK, left))
        finally:
            self._followers.release()

    def _made(
        self,
        request: Request,
        token: str,
        caller: Caller,
        asked: watch_pb2.CreateWatchRequest,
        planned: Planned,
        draft: Draft,
    ) -> Watch:
        department = planned.department
        if not self._sight.trusted(department):
            raise why_missing((department,), {})
        message = watch_pb2.StandRequest(
            asking=asking_of(request, token, self._log_name),
            question=question_to(planned.question),
            condition=None
            if planned.condition is None
            else watch_pb2.Condition(
                relation=RELATIONS[planned.condition.relation], number=planned.condition.number
            ),
            micro_epsilon=asked.micro_epsilon,
            every_seconds=asked.every_seconds,
            alerts=asked.alerts,
            hours=asked.hours,
            rest_seconds=asked.rest_seconds,
        )
        reply = self._departments.ask_one(  # (5)
            department,
            lambda connection: connection.watching.Stand,
            self._signer.signing(message),
            request.seconds,
            tuple(request.trace.headers),
        )
        known = self._departments.catalogue()
        # Made before, after a lost reply, it has the entry of the first time.
        part = part_of(department, reply.receipt, asked.question_id, known, 0)
        draft.note(parts=[part], charged_micro_rho=reply.reserved_micro_rho)
        watch = Watch(
            asked.question_id,
            caller,
            _bytes(asked),
            department,
            int(self._clock() * 1000),
            reply.until_ms,
            reply.method,
            reply.accuracy,
            reply.alerts_most,
            reply.reserved_micro_rho,
        )
        self._store.create(watch)
        return watch

    def _identified_in(self, request: Request, draft: Draft) -> tuple[str, Caller]:
        token = bearer_token(request.metadata)
        caller = self._verifier.verify(token, request.certificate)
        draft.caller(caller)
        return token, caller

    def _follower(self, request: Request, identifier: str) -> Caller:
        """Who follows, by the token and the certificate of now; raises for whoever may not."""
        caller = self._verifier.verify(bearer_token(request.metadata), request.certificate)
        self._seen(caller, identifier, None)
        return caller

    def _seen(self, caller: Caller, identifier: str, draft: Draft | None) -> Watch:
        watch = self._store.find(identifier) if _ID.fullmatch(identifier) else None
        if watch is None or not _may(caller, watch):
            raise _no_watch()
        if draft is not None:
            draft.note(watch=identifier, purpose=_purpose(watch), members=[watch.department])
        return watch

    def _something(self, identifier: str, after: int) -> Callable[[], bool]:
        def ready() -> bool:
            return bool(self._store.events(identifier, after, 1))

        return ready


def _may(caller: Caller, watch: Watch) -> bool:
    return (
        caller.organisation == watch.caller.organisation
        and caller.clearance >= watch.caller.clearance
        and _purpose(watch) in caller.purposes
    )


def _purpose(watch: Watch) -> str:
    return watch_pb2.CreateWatchRequest.FromString(watch.asked).purpose


def _bytes(asked: watch_pb2.CreateWatchRequest) -> bytes:
    return asked.SerializeToString(deterministic=True)


def _no_watch() -> LandbridgeError:
    return error("NOT_AVAILABLE", "There is no such watch that you may see.")
