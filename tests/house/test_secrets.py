"""Where secrets meet, they are compared in a time that says nothing of them.

What verifies a signature or opens a seal is `cryptography`'s. Left are comparisons of our own: one
that is written with `==` between names of secrets has a reason here, or fails.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECRETS = frozenset({
    "token", "_token", "secret", "_secret", "password", "challenge", "nonce", "form",
    "browser", "cookie", "bearer", "csrf", "verifier",
})  # fmt: skip
"""Names of what only one side should know; attributes count by their last part."""
REASONS = {
    "landbridge/watch_handle.py view.token": "the token is a place in a watch's own stream",
    "gateway/cases/driver.py kept": "both are of one applicant, accepted before, in one process",
    "nodes/intaking.py arrived.head.token": "a digest of the token that came along, not a secret",
    "nodes/intaking.py arrived.head.form": "the digest of a published form",
    "landbridge/edge/words.py form": "how words are written: as text or as JSON",
    "nodes/engines/file_key.py other._secret": "two keys of this process, never a stranger's",
}


def _comparisons(tree: ast.AST) -> Iterator[ast.Compare]:
    """Those by == or != of which a side is named like a secret and none is a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = (node.left, node.comparators[0])
            names = {getattr(side, "attr", getattr(side, "id", "")) for side in sides}
            if names & SECRETS and not any(isinstance(side, ast.Constant) for side in sides):
                yield node


def test_secrets_are_compared_in_constant_time() -> None:
    """By hmac.compare_digest, or with a reason above, which must still be needed."""
    found = set()
    for room in ("landbridge", "gateway", "nodes", "policies"):
        for path in (ROOT / room).rglob("*.py"):
            if path.stem.endswith(("_pb2", "_pb2_grpc")):
                continue
            for node in _comparisons(ast.parse(path.read_text("utf-8"))):
                found.add(f"{path.relative_to(ROOT)} {ast.unparse(node.left)}")
    assert found == set(REASONS)


def test_the_search_sees_one() -> None:
    """Positive control."""
    assert list(_comparisons(ast.parse("if request.token != self._token: pass")))
    assert not list(_comparisons(ast.parse("if token == '' or token is None: pass")))
