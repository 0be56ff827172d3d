"""What a caller may know to exist.

A table or handler that no policy lets a caller use, for any purpose of theirs and at any time, is
refused in the words of one that does not exist. Whoever may use it sometimes is told what stands in
the way now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Literal, Protocol

from landbridge.levels import Level
from policies.access import AccessPolicy, Action, Request
from policies.contract import Contract, Method
from policies.moment import Moment


class Asker(Protocol):
    """A caller, as a verified token says."""

    @property
    def subject(self) -> str:
        """The person or service."""

    @property
    def organisation(self) -> str:
        """The office."""

    @property
    def clearance(self) -> Level:
        """The highest level they see."""

    @property
    def purposes(self) -> Collection[str]:
        """Those that they may state."""


def sees_contract(asker: Asker, contract: Contract, access: AccessPolicy, now: Moment) -> bool:
    """Whether the caller could ever count rows of it, which takes no column."""
    terms = contract.disclosure
    if terms.method is Method.EXACT and asker.organisation not in terms.exact_for:
        return False
    return _sees(asker, "contract", contract.id, Level.OPEN, contract.purposes, access, now)


def may_contribute(asker: Asker, contract: Contract, access: AccessPolicy, now: Moment) -> bool:
    """Whether the caller could ever hand in a report of a measured column.

    Who gives a value is shown none, so no level is asked for.
    """
    return bool(contract.measurements) and _sees(
        asker, "contract", contract.id, Level.OPEN, contract.purposes, access, now, "submit"
    )


def may_watch(asker: Asker, contract: Contract, access: AccessPolicy, now: Moment) -> bool:
    """Whether the caller could ever make a watch of it, which takes being able to ask as well."""
    return sees_contract(asker, contract, access, now) and _sees(
        asker, "contract", contract.id, Level.OPEN, contract.purposes, access, now, "watch"
    )


def sees_handler(
    asker: Asker, name: str, level: Level, purposes: Collection[str], access: AccessPolicy,
    now: Moment,
) -> bool:  # fmt: skip
    """Whether the caller could ever call it; `name` is department.handler."""
    if level > asker.clearance:
        return False
    return _sees(asker, "handler", name, level, purposes, access, now)


def may_consult(
    asker: Asker, kind: Literal["contract", "handler"], resource: str, access: AccessPolicy,
    now: Moment, purposes: Iterable[str] | None = None,
) -> Level | None:  # fmt: skip
    """Up to which level the caller may have it considered by an officer; None: not at all.

    For any of their purposes, or for those given; the owner's list of purposes is not asked, since
    it can be lifted. Nothing is ever sealed enough to be lifted.
    """
    for level in (Level.RESTRICTED, Level.INTERNAL, Level.OPEN):
        if _sees(
            asker, kind, resource, level, asker.purposes if purposes is None else [*purposes],
            access, now, "consult",
        ):  # fmt: skip
            return level
    return None


def may_submit(asker: Asker, contract: Contract, access: AccessPolicy, now: Moment) -> bool:
    """Whether the caller could ever hand in records of it.

    Who gives records is shown none, so no level is asked for.
    """
    if contract.collection is None:
        return False
    return _sees(
        asker, "contract", contract.id, Level.OPEN, contract.purposes, access, now, "submit"
    )


def requested_part(asker: Asker, group: str, purpose: str, moment: Moment) -> Request:
    """The question to the policies: may this caller take part in that `department.group`."""
    return Request(
        subject=asker.subject,
        organisation=asker.organisation,
        clearance=asker.clearance,
        action="take_part",
        resource_kind="group",
        resource=group,
        purpose=purpose,
        level=Level.OPEN,
        moment=moment,
    )


def requested_publishing(
    officer: Asker, group: str, purpose: str, role: str, moment: Moment
) -> Request:
    """The question to the owner's policy: may this officer publish to that group in that role."""
    asked = requested_part(officer, group, purpose, moment)
    return replace(asked, action="publish", role=role)


def requested_step(
    asker: Asker, resource: str, purpose: str, level: Level, moment: Moment
) -> Request:
    """The question to a department's policies: may its handler be a step of this caller's case."""
    asked = request(asker, "handler", resource, purpose, level, moment, columns=())
    return replace(asked, action="step")


def requested_case(asker: Asker, procedure: str, purpose: str, moment: Moment) -> Request:
    """The question to the gateway's policies: may this caller open a case of the procedure."""
    return Request(
        subject=asker.subject,
        organisation=asker.organisation,
        clearance=asker.clearance,
        action="case",
        resource_kind="procedure",
        resource=procedure,
        purpose=purpose,
        level=Level.OPEN,
        moment=moment,
    )


def request(
    asker: Asker, kind: Literal["contract", "handler"], resource: str, purpose: str, level: Level,
    moment: Moment, action: Action | None = None, *, columns: tuple[tuple[str, Level], ...],
) -> Request:  # fmt: skip
    """The question to the policies: may this caller query that contract, or call that handler.

    Or do with it what `action` says. `columns` are those of the contract that the question uses, as
    `policies.joined` finds them.
    """
    return Request(
        subject=asker.subject,
        organisation=asker.organisation,
        clearance=asker.clearance,
        action=action or ("query" if kind == "contract" else "call"),
        resource_kind=kind,
        resource=resource,
        purpose=purpose,
        level=level,
        moment=moment,
        columns=columns,
    )


def log_request(asker: Asker, log: str, purpose: str, moment: Moment) -> Request:
    """The question to the policies: may this caller look one person up in that log.

    Who asked about somebody, and for what, is as personal as what is restricted.
    """
    return Request(
        subject=asker.subject,
        organisation=asker.organisation,
        clearance=asker.clearance,
        action="about",
        resource_kind="log",
        resource=log,
        purpose=purpose,
        level=Level.RESTRICTED,
        moment=moment,
    )


def console_request(
    asker: Asker,
    action: Literal["audit", "view", "enrol"],
    resource: str,
    moment: Moment,
) -> Request:
    """The question to the policies: may this person look at that log or department, or enrol.

    No purpose is stated there: whoever looks has one for all that they look at, their office.
    """
    return Request(
        subject=asker.subject,
        organisation=asker.organisation,
        clearance=asker.clearance,
        action=action,
        resource_kind="department" if action == "view" else "log",
        resource=resource,
        purpose="",
        level=Level.RESTRICTED,
        moment=moment,
    )


def _sees(
    asker: Asker,
    kind: Literal["contract", "handler"],
    resource: str,
    level: Level,
    purposes: Collection[str],
    access: AccessPolicy,
    now: Moment,
    action: Action | None = None,
) -> bool:
    # Whoever may ask what a group declares knows that the table is there.
    declared = (False, True) if kind == "contract" and action in (None, "query") else (False,)
    return any(
        access.decide(
            replace(
                request(asker, kind, resource, purpose, level, moment, action, columns=()),
                declared=each,
            )
        ).permitted
        for each in declared
        for purpose in sorted({*purposes} & {*asker.purposes})
        for moment in access.moments(now)
    )
