"""What a refusal of a token must look like, whatever the cause."""

from __future__ import annotations

import pytest

from landbridge.errors import CATALOGUE, Unauthenticated
from landbridge.identity.tokens import TokenVerifier


def assert_refused(verifier: TokenVerifier, token: str, reason: str = "TOKEN_INVALID") -> None:
    """Refused with that reason, the catalogue's constant sentence, and nothing behind it."""
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(token)
    refusal = caught.value
    assert refusal.reason == reason
    assert refusal.message == CATALOGUE[reason].sentence
    assert (refusal.rule, refusal.hint, refusal.position) == ("", "", None)
    assert refusal.__cause__ is None
    assert refusal.__context__ is None
