"""Key files: what is refused, and how they rotate and break while the server runs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from landbridge.identity.keys import KeySet, KeySetError
from landbridge.identity.tokens import TokenVerifier

from .forge import (
    AUDIENCE,
    ISSUER,
    NOW,
    Clock,
    Signer,
    ed25519_signer,
    header,
    number,
    rsa_signer,
    token,
    write_jwks,
)
from .forge import claims as good_claims
from .forge import compact as compact_jws
from .refusal import assert_refused


def refusal_of(path: Path, document: object) -> str:
    """The sentence with which a file that holds that document is refused."""
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    with pytest.raises(KeySetError) as caught:
        KeySet.load(path)
    return str(caught.value)


def changed(signer: Signer, **members: object) -> dict[str, object]:
    """The signer's entry with those members put in or, where None, left out."""
    entry = signer.jwk | members
    return {name: value for name, value in entry.items() if value is not None}


@pytest.mark.parametrize(
    ("algorithm", "members", "said"),
    [
        ("EdDSA", {"kid": None}, 'entry 2 has no "kid"'),
        ("EdDSA", {"kid": ""}, "entry 2 (kid '') has no \"kid\""),
        ("EdDSA", {"kid": 7}, 'entry 2 has no "kid"'),
        ("EdDSA", {"kid": "first"}, "repeats the kid of an earlier entry"),
        ("EdDSA", {"alg": None}, '"alg" is one of EdDSA, ES256, RS256'),
        ("EdDSA", {"alg": "none"}, '"alg" is one of EdDSA, ES256, RS256'),
        ("EdDSA", {"alg": "HS256"}, '"alg" is one of EdDSA, ES256, RS256'),
        ("EdDSA", {"alg": ["EdDSA"]}, '"alg" is one of EdDSA, ES256, RS256'),
        ("RS256", {"alg": "PS256"}, '"alg" is one of EdDSA, ES256, RS256'),
        ("EdDSA", {"alg": "ES256"}, 'pinned to ES256, so its "kty" must be "EC"'),
        ("ES256", {"alg": "RS256"}, 'pinned to RS256, so its "kty" must be "RSA"'),
        ("EdDSA", {"crv": "Ed448"}, '"crv" must be "Ed25519"'),
        ("ES256", {"crv": "secp256k1"}, '"crv" must be "P-256"'),
        ("ES256", {"crv": None}, '"crv" must be "P-256"'),
        ("EdDSA", {"kty": "oct", "k": "AAAA"}, '"kty" must be "OKP"'),
        ("EdDSA", {"d": "AAAA"}, "holds private key material"),
        ("RS256", {"p": "AAAA"}, "holds private key material"),
        ("EdDSA", {"use": "encryption"}, '"use" must be "sig"'),
        ("EdDSA", {"key_ops": ["sign"]}, '"key_ops" must hold "verify"'),
        ("EdDSA", {"key_ops": "verify"}, '"key_ops" must hold "verify"'),
        ("EdDSA", {"x": None}, 'has no usable "x"'),
        ("EdDSA", {"x": "AA=="}, 'has no usable "x"'),
        ("EdDSA", {"x": "AAAA"}, "is not a usable EdDSA key"),
        ("ES256", {"y": "A" * 42 + "E"}, "is not a usable ES256 key"),
        ("ES256", {"y": 7}, 'has no usable "y"'),
        ("RS256", {"n": number(2**2046 + 1)}, "modulus of 2048 to 8192 bits"),
        ("RS256", {"n": number(2**8192 + 1)}, "modulus of 2048 to 8192 bits"),
        ("RS256", {"e": "Aw"}, "exponent of 65537"),
        ("RS256", {"e": number(2**64 + 1)}, "exponent of 65537"),
        ("RS256", {"e": number(65538)}, "is not a usable RS256 key"),
    ],
)
def test_a_bad_entry_is_named(
    tmp_path: Path,
    signers: dict[str, Signer],
    algorithm: str,
    members: dict[str, object],
    said: str,
) -> None:
    """An operator reads the file, the entry, and what would be right, before anybody is served."""
    path = tmp_path / "issuer.json"
    entries = [ed25519_signer("first").jwk, changed(signers[algorithm], **members)]
    sentence = refusal_of(path, {"keys": entries})
    assert sentence.startswith(f"{path}: entry 2")
    assert said in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"keys":{}}',
        b"{}",
        b'{"keys":[],"keys":[]}',
        b'{"keys":[7]}',
        b'{"keys":[{"kid":"a","kid":"b"}]}',
        b'{"keys":[]' + b" " * 300_000 + b"}",
        b"[" * 100_000,
        b"-----BEGIN PUBLIC KEY-----",
        b"<html>502</html>",
    ],
    ids=lambda document: repr(document[:24]),
)
def test_what_is_no_jwks_is_refused_with_its_name(tmp_path: Path, document: bytes) -> None:
    """Attack 93: garbage, error pages, and files that are far too large."""
    path = tmp_path / "issuer.json"
    sentence = refusal_of(path, document)
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    assert len(sentence) < len(str(path)) + 120


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Attack 93: two gigabytes in place of a key set; a hole on disk, and never in memory."""
    path = tmp_path / "issuer.json"
    path.touch()
    os.truncate(path, 2 * 2**30)
    with pytest.raises(KeySetError, match="larger than 256 KiB"):
        KeySet.load(path)


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    """Invariant I6: without keys nobody is served, and the operator learns why."""
    path = tmp_path / "issuer.json"
    with pytest.raises(KeySetError, match=r"issuer\.json cannot be read: No such file"):
        KeySet.load(path)


def test_a_pipe_or_a_folder_is_no_key_file(tmp_path: Path) -> None:
    """Attack 93: a source that never answers must not stall the server."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(KeySetError, match=r"is not a regular file|Is a directory"):
            KeySet.load(path)


def test_entries_for_encryption_are_passed_over(tmp_path: Path, ed: Signer) -> None:
    """Identity providers publish their encryption keys in the same set."""
    path = tmp_path / "jwks.json"
    other = {"kty": "RSA", "use": "enc", "kid": "e", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"}
    path.write_text(json.dumps({"keys": [other, ed.jwk | {"use": "sig", "x5c": ["MII"]}]}))
    assert list(KeySet.load(path).current().by_id) == ["ed-1"]


def test_small_rsa_keys_are_refused_before_the_library_warns(tmp_path: Path) -> None:
    """1024 bits are in the reach of a rich forger; PyJWT only warns."""
    assert "2048 to 8192" in refusal_of(tmp_path / "k", {"keys": [rsa_signer("r", 1024).jwk]})


def test_a_new_key_is_accepted_without_a_restart(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """Attack 93: rotation, first half."""
    fresh = ed25519_signer("ed-2")
    assert_refused(verifier, token(fresh))
    write_jwks(jwks, ed, fresh)
    clock.now += 1
    assert verifier.verify(token(fresh)).subject == "alice"
    assert verifier.verify(token(ed)).subject == "alice"


def test_a_removed_key_is_refused_at_once(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """Attack 93: rotation, second half; no grace for a key that a good file no longer holds."""
    good = token(ed)
    verifier.verify(good)
    write_jwks(jwks, ed25519_signer("ed-2"))
    clock.now += 1
    assert_refused(verifier, good)


def test_an_empty_set_revokes_everything(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """The quickest way to shut everybody out must not count as a broken file."""
    write_jwks(jwks)
    clock.now += 1
    assert_refused(verifier, token(ed))


def test_the_generation_grows_with_each_change_and_only_then(
    keys: KeySet, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """What others remember is tied to this number."""
    first = keys.generation
    clock.now += 1
    assert keys.generation == first
    os.utime(jwks, ns=(1, 1))
    clock.now += 1
    assert keys.generation == first
    write_jwks(jwks, ed)
    assert keys.generation == first, "within the second the file is not looked at again"
    clock.now += 1
    assert keys.generation == first + 1


def test_a_change_that_keeps_size_and_time_is_seen(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """A key swapped in place, its file's size and times put back, is still another key."""
    before = jwks.stat()
    other = ed25519_signer(ed.kid)
    jwks.write_text(jwks.read_text().replace(str(ed.jwk["x"]), str(other.jwk["x"])))
    os.utime(jwks, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (jwks.stat().st_size, jwks.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    clock.now += 1
    assert_refused(verifier, token(ed))
    verifier.verify(token(other))


@pytest.mark.parametrize("breakage", ["garbage", "half", "gone", "folder", "bad entry"])
def test_a_broken_file_leaves_the_last_good_keys_for_the_grace_and_no_longer(
    verifier: TokenVerifier,
    keys: KeySet,
    ed: Signer,
    jwks: Path,
    clock: Clock,
    breakage: str,
) -> None:
    """Fault F25, attack 93: serve on through a mistake, and fail closed before long."""
    good = jwks.read_bytes()
    jwks.unlink()
    match breakage:
        case "garbage":
            jwks.write_bytes(b"<html>502</html>")
        case "half":
            jwks.write_bytes(good[: len(good) // 2])
        case "folder":
            jwks.mkdir()
        case "bad entry":
            jwks.write_text(json.dumps({"keys": [ed.jwk, changed(ed, kid="x", alg=None)]}))
    for elapsed in (1, 1800, 3599):
        clock.now = NOW + elapsed
        verifier.verify(token(ed, iat=clock.now, exp=clock.now + 60))
        assert str(jwks) in keys.trouble
    clock.now = NOW + 3600
    late = token(ed, iat=clock.now, exp=clock.now + 60)
    assert_refused(verifier, late)
    assert not keys.current().by_id
    # The very same good file comes back.
    if jwks.is_dir():
        jwks.rmdir()
    jwks.write_bytes(good)
    clock.now += 1
    verifier.verify(late)
    assert keys.trouble == ""


def test_a_remembered_token_does_not_outlive_the_grace(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """Invariant I6: the memory is no second key source."""
    good = token(ed, exp=NOW + 7200)
    verifier.verify(good)
    jwks.unlink()
    clock.now = NOW + 3599
    verifier.verify(good)
    clock.now = NOW + 3600
    assert_refused(verifier, good)


def test_an_idle_server_does_not_lengthen_the_grace(
    verifier: TokenVerifier, ed: Signer, jwks: Path, clock: Clock
) -> None:
    """The grace runs from when the keys were last seen good, not from the next request."""
    jwks.unlink()
    clock.now = NOW + 4000
    assert_refused(verifier, token(ed, iat=clock.now, exp=clock.now + 60))


def test_each_good_look_renews_the_grace(keys: KeySet, jwks: Path, clock: Clock) -> None:
    """A server that has run for days must not fail closed at the first slip of an operator."""
    for _ in range(3):
        clock.now += 3000
        assert keys.current().by_id
    jwks.unlink()
    clock.now += 3000
    assert keys.current().by_id


def test_a_clock_that_goes_back_neither_blinds_nor_lengthens(
    ed: Signer, jwks: Path, clock: Clock
) -> None:
    """Fault F23: set back a year, the file is still followed, and a broken one still fails."""
    keys = KeySet.load(jwks, clock)
    clock.now -= 365 * 86_400
    write_jwks(jwks, ed)
    assert list(keys.current().by_id) == ["ed-1"]
    jwks.unlink()
    clock.now -= 365 * 86_400
    assert not keys.current().by_id


@dataclass
class Fetched:
    """A source that is no file, and counts how often it is read."""

    documents: list[bytes | Exception]
    name: str = "https://identity.example/jwks"
    interval: float = 60.0
    age: float = 0.0
    reads: list[float] = field(default_factory=list)

    def read(self) -> bytes:
        """The present document."""
        self.reads.append(0)
        document = self.documents[-1]
        if isinstance(document, Exception):
            raise document
        return document

    def hurry(self) -> None:
        """Asked to be quick, it is not."""


def test_another_source_fits_and_is_asked_once_per_interval(ed: Signer, clock: Clock) -> None:
    """Attack 93: ten thousand unknown key ids make nobody fetch anything."""
    source = Fetched([json.dumps({"keys": [ed.jwk]}).encode()])
    keys = KeySet(source, clock, grace=300)
    verifier = TokenVerifier(ISSUER, AUDIENCE, keys, clock)
    for stranger in range(10_000):
        head = header(ed, kid=f"unknown-{stranger}")
        if stranger % 1000 == 0:
            assert_refused(verifier, compact_jws(ed, head, good_claims()))
        keys.current().by_id.get(f"unknown-{stranger}")
    assert len(source.reads) == 1
    clock.now += 60
    verifier.verify(token(ed))
    assert len(source.reads) == 2
    source.documents.append(TimeoutError())
    clock.now += 60
    verifier.verify(token(ed))
    assert keys.trouble == "https://identity.example/jwks cannot be read: TimeoutError."
    clock.now += 240
    assert_refused(verifier, token(ed))


def test_trouble_is_logged_once(
    keys: KeySet, jwks: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator must hear of it, and not once a second for an hour."""
    jwks.write_bytes(b"{")
    for _ in range(20):
        clock.now += 1
        keys.current()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    clock.now += 3600
    keys.current()
    clock.now += 3600
    keys.current()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
