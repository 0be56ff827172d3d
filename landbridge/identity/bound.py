"""Only tokens that are bound to a certificate: a stolen one is then worth nothing by itself."""

from __future__ import annotations

from typing import Final

from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import NONE_PRESENTED, Presented
from landbridge.identity.issuers import Verifier


class BoundOnly:
    """A verifier that refuses tokens which anybody may bear (TOKEN_UNBOUND).

    With `officers` those who show theirs on this very machine, over no connection that could have a
    certificate, need not have a bound one: `verify` is theirs alone at a node.
    """

    def __init__(self, verifier: Verifier, *, officers: bool = False) -> None:
        self._verifier: Final = verifier
        self._officers: Final = officers

    def verify(self, token: str, certificate: Presented = NONE_PRESENTED) -> Caller:
        """As the other, for a token that is bound."""
        caller = self._verifier.verify(token, certificate)
        return caller if self._officers else _bound(caller)

    def verify_passed_on(self, token: str) -> Caller:
        """As the other, for a token that is bound."""
        return _bound(self._verifier.verify_passed_on(token))


def _bound(caller: Caller) -> Caller:
    if not caller.certificate:
        raise error("TOKEN_UNBOUND")
    return caller
