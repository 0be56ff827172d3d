"""About me: who looked at one person's data, for the citizens' portal.

Asked over the gateway's own gRPC port with the visitor's own token, like any portal: the same
policy, the same logs, the same limits. The page keeps nothing and knows nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from gateway.console.page import Looking, Page
from landbridge.access_list import AccessList
from landbridge.edge.own_log import LONGEST_SUBJECT
from landbridge.errors import error


class Portal(Protocol):
    """A client of the gateway."""

    def about(self, subject: str, *, purpose: str) -> AccessList:
        """Who looked at one person's data."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...


class AboutPage:
    """The page; `portal` connects with a token."""

    def __init__(self, portal: Callable[[str], Portal]) -> None:
        self._portal = portal

    def form(self, looking: Looking) -> Page:
        """Asks for whom, and for which of the visitor's purposes."""
        looking.roles.require(looking.roles.portal)
        return self._page(looking, "", None)

    def show(self, looking: Looking) -> Page:
        """The list. The person's identifier comes in a form, never in an address."""
        looking.roles.require(looking.roles.portal)
        ask, caller = looking.visit.ask, looking.visit.caller
        subject, purpose = ask.field("subject"), ask.field("purpose")
        if not 0 < len(subject) <= LONGEST_SUBJECT:
            raise error("INVALID_ARGUMENT", f"A person is named by 1 to {LONGEST_SUBJECT} letters.")
        if purpose not in caller.purposes:
            raise error("PURPOSE_NOT_ALLOWED")
        # The person stands, as a digest, in the entries of kind `about` that the gateway and every
        # department write of this; one more here would be listed as an access of its own.
        looking.draft.note(purpose=purpose)
        with closing(self._portal(looking.visit.session.token)) as portal:
            found = portal.about(subject, purpose=purpose)
        return self._page(looking, subject, found)

    @staticmethod
    def _page(looking: Looking, subject: str, found: AccessList | None) -> Page:
        return Page(
            "about.html",
            {
                "subject": subject,
                "purposes": sorted(looking.visit.caller.purposes),
                "found": found,
            },
            "about",
        )
