"""The operator's commands about members, for the console: the same functions, the same files."""

from __future__ import annotations

from collections.abc import Callable

from gateway import membership
from gateway.console.member_pages import Refuses
from gateway.register import RegisterRefuses
from gateway.settings import Settings


class Commands:
    """What `landbridge gateway members`, `approve` and `reject` do."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock

    def listing(self) -> list[dict[str, object]]:
        """Members and those who wait."""
        return membership.listing(self._settings, self._clock)

    def approve(self, department: str, fingerprint: str) -> None:
        """Certifies the applicant and makes it a member; raises Refuses."""
        try:
            membership.approve(self._settings, department, fingerprint, self._clock)
        except RegisterRefuses as refusal:
            raise Refuses(str(refusal)) from None

    def reject(self, department: str) -> None:
        """Refuses the applicant; raises Refuses."""
        try:
            membership.reject(self._settings, department, self._clock)
        except RegisterRefuses as refusal:
            raise Refuses(str(refusal)) from None
