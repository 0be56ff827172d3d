"""Groups at the gateway: which a caller is in, and what members are told, passed on.

The department decides who takes part, at every call. The gateway's own policy can only be
stricter: it knows the caller's organisation, and nobody's registry. What a department says of its
groups it has signed; reports and ballots come by the way of all records (`gateway.submitting`,
`gateway.census`), sealed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Final

from gateway.departments import Departments
from gateway.gathering import asking_of, why_missing
from gateway.planning import Planning
from gateway.request import Request
from gateway.sight import Sight
from landbridge.edge.record import Draft, Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.group.token import number_in
from landbridge.identity.bearer import bearer_token
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import gateway_pb2, group_pb2
from policies.moment import Moment
from policies.review import not_available
from policies.sight import requested_part

LONGEST_STREAM: Final = 45.0
"""Seconds after which a stream ends and its reader comes again: with a token that is good then."""
WAIT: Final = 10.0
"""Seconds that a department is asked to wait for a notice."""
REST: Final = 1.0
"""Seconds before a department that did not wait is asked again."""
ANSWER: Final = 5.0
"""Seconds that a department has beyond that."""
DIRECTORY: Final = 3.0
"""Seconds that departments have to say which groups a directory shows."""


class Groups:
    """The use cases; `followers` is how many streams there may be at a time."""

    def __init__(
        self,
        planning: Planning,
        departments: Departments,
        verifier: Verifier,
        recorder: Recorder,
        log_name: str,
        signer: AskingSigner,
        sight: Sight,
        manifest: Callable[[], bytes],
        clock: Callable[[], float],
        followers: int,
    ) -> None:
        self._planning = planning
        self._departments = departments
        self._verifier = verifier
        self._recorder = recorder
        self._log_name = log_name
        self._signer = signer
        self._sight = sight
        self._manifest = manifest
        self._clock = clock
        self._followers = BoundedSemaphore(max(1, followers))

    def listed(self, request: Request) -> group_pb2.ListGroupsResponse:
        """Those in which the caller takes part; who did not answer is named."""
        with self._recorder.request("group", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)
            response = self._seen(request, token, caller)
            draft.note(note=f"listed {len(response.groups)} groups")
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def directory(self, request: Request, caller: Caller) -> list[gateway_pb2.DirectoryGroup]:
        """The same for the directory, which waits for no department for long."""
        soon = replace(request, time_left=lambda: min(request.time_left(), DIRECTORY))
        found = self._seen(soon, bearer_token(request.metadata), caller)
        return [
            gateway_pb2.DirectoryGroup(name=each.name, title=each.title) for each in found.groups
        ]

    def show(self, request: Request, name: str) -> group_pb2.ShowGroupResponse:
        """One, as its department signed it."""
        with self._recorder.request("group", trace_id=request.trace.id) as draft:
            token, caller = self._identified(request, draft)
            department, group = self._admitted(caller, name, draft)
            message = group_pb2.DescribeGroupRequest(
                asking=asking_of(_anew(request), token, self._log_name), group=group
            )
            reply = self._departments.ask_one(
                department,
                lambda connection: connection.grouping.DescribeGroup,
                self._signer.signing(message),
                request.seconds,
                tuple(request.trace.headers),
            )
            response = group_pb2.ShowGroupResponse(group=reply.group, manifest=self._manifest())
            draft.note(note="shown")
            draft.answered(reply.group.SerializeToString(deterministic=True))
            return response

    def notices(self, request: Request, name: str, token: str) -> group_pb2.ListNoticesResponse:
        """What was published behind the resume token."""
        with self._recorder.request("group", trace_id=request.trace.id) as draft:
            bearer, caller = self._identified(request, draft)
            department, group = self._admitted(caller, name, draft)
            after = number_in(token, name)
            found = self._read(request, bearer, department, group, after, 0, request.seconds)
            draft.note(note=_told(found))
            response = group_pb2.ListNoticesResponse(notices=found)
            draft.answered(response.SerializeToString(deterministic=True))
            return response

    def follow(
        self, request: Request, name: str, token: str, listening: Callable[[], bool]
    ) -> Iterator[group_pb2.SignedNotice]:
        """Every notice behind the token's, as they are published; ends after a while.

        The caller's token and both policies are asked before anything is told; whoever is no member
        any more is refused as if there were no such group. Who was told of which notices is in both
        logs before they leave. Raises TOO_BUSY where too many follow already.
        """
        self._require(request, name)
        after = number_in(token, name)
        if not self._followers.acquire(blocking=False):
            raise error("TOO_BUSY", "Too many streams are open just now.")
        try:
            end = time.monotonic() + min(LONGEST_STREAM, max(0.0, request.time_left() - 1.0))
            while listening() and (left := end - time.monotonic()) > 0:
                began = time.monotonic()
                bearer, department, group = self._require(request, name)
                wait = int(min(WAIT, left))
                found = self._read(
                    request, bearer, department, group, after, wait, min(wait + ANSWER, left + 1.0)
                )
                if found:
                    with self._recorder.request("group", trace_id=request.trace.id) as draft:
                        _, caller = self._identified(request, draft)
                        self._admitted(caller, name, draft)
                        draft.note(note=_told(found))
                        draft.admitted()
                    yield from found
                    after = found[-1].notice.number
                elif time.monotonic() - began < REST:
                    time.sleep(max(0.0, min(REST, end - time.monotonic())))
        finally:
            self._followers.release()

    def _seen(self, request: Request, token: str, caller: Caller) -> group_pb2.ListGroupsResponse:
        """What departments say of the caller's groups, of those that the gateway's policy permits.

        Only departments with a group that it permits are asked.
        """
        known = self._departments.catalogue()
        permitted = {
            department: {
                f"{department}.{name}"
                for name, purpose in offer.groups.items()
                if self._permits(caller, f"{department}.{name}", purpose)
            }
            for department, offer in known.offers.items()
            if self._sight.trusted(department)
        }
        asked = tuple(name for name, groups in permitted.items() if groups)
        if not asked:
            return group_pb2.ListGroupsResponse()
        message = group_pb2.MembershipRequest(
            asking=asking_of(_anew(request), token, self._log_name)
        )
        replies = self._departments.ask(
            asked,
            lambda connection: connection.grouping.Membership,
            self._signer.signing(message),
            request.seconds,
            tuple(request.trace.headers),
        )
        return group_pb2.ListGroupsResponse(
            groups=[
                group
                for department, reply in replies.replies.items()
                for group in reply.groups
                if group.name in permitted[department]
            ],
            missing=sorted((*replies.missing, *replies.refused)),
        )

    def _read(
        self, request: Request, token: str, department: str, group: str, after: int, wait: int,
        seconds: float,
    ) -> Sequence[group_pb2.SignedNotice]:  # fmt: skip
        message = group_pb2.ReadNoticesRequest(
            asking=asking_of(_anew(request), token, self._log_name),
            group=group,
            after=after,
            wait_seconds=wait,
        )
        reply = self._departments.ask_one(
            department,
            lambda connection: connection.grouping.ReadNotices,
            self._signer.signing(message),
            seconds,
            tuple(request.trace.headers),
        )
        return [*reply.notices]

    def _require(self, request: Request, name: str) -> tuple[str, str, str]:
        """The caller's token, department and group; what is refused here leaves an entry."""
        with self._recorder.check("group") as draft:
            token, caller = self._identified(request, draft)
            return (token, *self._admitted(caller, name, draft))

    def _identified(self, request: Request, draft: Draft) -> tuple[str, Caller]:
        token = bearer_token(request.metadata)
        caller = self._verifier.verify(token, request.certificate)
        draft.caller(caller)
        return token, caller

    def _admitted(self, caller: Caller, name: str, draft: Draft) -> tuple[str, str]:
        """Department and group, where the gateway's policy permits it; else there is none."""
        department, _, group = name.partition(".")
        offer = self._departments.catalogue().offers.get(department)
        purpose = None if offer is None else offer.groups.get(group)
        if purpose is None or not self._permits(caller, name, purpose):
            raise _no_group(name)
        draft.note(resource=name, purpose=purpose, members=[department])
        if not self._sight.trusted(department):
            raise why_missing((department,), {})
        return department, group

    def _permits(self, caller: Caller, name: str, purpose: str) -> bool:
        if purpose not in caller.purposes:
            return False
        asked = requested_part(caller, name, purpose, Moment.at(self._clock()))
        return self._planning.access.decide(asked).permitted


def _anew(request: Request) -> Request:
    """The request under an id of its own: each department's entry has one."""
    return replace(request, question_id=secrets.token_hex(16), purpose="")


def _told(found: Sequence[group_pb2.SignedNotice]) -> str:
    if not found:
        return "no notice"
    first, last = found[0].notice.number, found[-1].notice.number
    return f"told notice {first}" + (f" to {last}" if last > first else "")


def _no_group(name: str) -> LandbridgeError:
    return not_available("group", name[:100])
