"""Members and who wants to be one; admitting and refusing, for those whom the policy lets enrol."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Final, Protocol

from gateway.console.page import Done, Looking, Page
from landbridge.errors import error

_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)
_FINGERPRINT: Final = re.compile(r"[0-9a-f :-]{8,200}", re.ASCII)


class Refuses(Exception):
    """What was asked for cannot be; one sentence for an operator."""


class Enrolling(Protocol):
    """What an operator does about members; each raises Refuses."""

    def listing(self) -> list[dict[str, object]]:
        """Members and those who wait, each with what an operator compares."""
        ...

    def approve(self, department: str, fingerprint: str) -> None:
        """Certifies the applicant and makes it a member."""
        ...

    def reject(self, department: str) -> None:
        """Refuses the applicant."""
        ...


class MemberPages:
    """The page and its two buttons."""

    def __init__(self, enrolling: Enrolling, silent: Callable[[], Collection[str]]) -> None:
        self._enrolling = enrolling
        self._silent = silent

    def show(self, looking: Looking) -> Page:
        """Who is a member, and who waits."""
        looking.roles.require(looking.roles.looks or looking.roles.enrols)
        sees = None if looking.roles.enrols else looking.roles.sees
        silent = set(self._silent())
        listed: list[dict[str, Any]] = [
            {**each, "silent": each["department"] in silent}
            for each in self._enrolling.listing()
            if sees is None or each["department"] in sees
        ]
        return Page(
            "members.html",
            {
                "members": [each for each in listed if each["state"] == "member"],
                "waiting": [each for each in listed if each["state"] != "member"],
            },
            "members",
        )

    def decide(self, looking: Looking) -> Done:
        """Admits or refuses, as the form says; the fingerprint must be typed for a yes."""
        looking.roles.require(looking.roles.enrols)
        ask = looking.visit.ask
        department = ask.field("department")
        if not _DEPARTMENT.fullmatch(department):
            raise error("INVALID_ARGUMENT", "That is no department's name.")
        looking.draft.note(members=[department])
        try:
            if ask.field("decision") == "reject":
                self._enrolling.reject(department)
                return Done("/members", f"members: refused {department}")
            fingerprint = ask.field("fingerprint").strip().lower()
            if not _FINGERPRINT.fullmatch(fingerprint):
                raise error(
                    "INVALID_ARGUMENT",
                    "A department is admitted with the fingerprint that its operator reads out.",
                )
            self._enrolling.approve(department, fingerprint)
        except Refuses as refusal:
            raise error("INVALID_ARGUMENT", str(refusal)) from None
        return Done("/members", f"members: admitted {department}")
