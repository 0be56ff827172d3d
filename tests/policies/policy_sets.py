"""A policy set for tests, and a request that it permits."""

from __future__ import annotations

from landbridge.levels import Level
from policies.access import AccessPolicy, Request
from policies.moment import Moment

NOON = Moment(20260914, 12, 1)

ASK = Request(
    subject="alice",
    organisation="institute",
    clearance=Level.INTERNAL,
    action="query",
    resource_kind="contract",
    resource="people",
    purpose="dpv:ResearchAndDevelopment",
    level=Level.OPEN,
    moment=NOON,
)
PERMIT = """@id("research")
permit (principal in Organisation::"institute", action == Action::"query", resource)
when { context.purpose == "dpv:ResearchAndDevelopment" };
"""
FORBID = """@id("clearance") @hint("Ask with more clearance.")
forbid (principal, action, resource) unless { context.level <= principal.clearance };
"""


def load(text: str) -> AccessPolicy:
    """A policy set over one contract and one handler."""
    return AccessPolicy.load(text, "x.cedar", contracts=["people"], handlers=["tax.band"])
