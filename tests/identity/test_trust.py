"""The tables that say whose tokens count: what each form means, and which mistakes are named."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from landbridge.edge.settings import SettingsInvalid, open_settings
from landbridge.edge.trust import Trust, read_trust, trusted
from landbridge.errors import LandbridgeError
from landbridge.identity.certificates import Presented
from landbridge.identity.followed import SourceError

from . import forge
from .forge import AUDIENCE, ISSUER, Signer, ed25519_signer, write_jwks
from .key_server import key_server, replying

OTHER = "https://other.example"
NOWHERE = "https://identity.example/jwks"


def read(path: Path, text: str) -> Trust:
    """What a file with that text says, all of it taken."""
    path.write_text(text, encoding="utf-8")
    top, problems = open_settings(path)
    trust = read_trust(top, problems)
    top.done()
    if problems:
        raise SettingsInvalid(str(path), problems)
    return trust


def token(signer: Signer, **members: object) -> str:
    """A token that is valid for the next minutes by the machine's own clock."""
    now = int(time.time())
    return forge.token(signer, **({"iat": now, "exp": now + 600} | members))


def table(name: str, **values: object) -> str:
    """A TOML table."""
    return "\n".join([name, *(f"{key} = {json.dumps(value)}" for key, value in values.items())])


def single(**values: object) -> str:
    """The form with one issuer."""
    return table("[identity]", issuer=ISSUER, audience=AUDIENCE, **values)


def test_one_issuer_and_a_file(tmp_path: Path) -> None:
    """The form that every template shows."""
    trust = read(tmp_path / "s.toml", single(jwks="jwks.json", revoked="revoked.json"))
    assert trust.issuers[0].jwks == tmp_path / "jwks.json"
    assert trust.issuers[0].organisations is None
    assert trust.revoked == tmp_path / "revoked.json"
    assert trust.algorithms == {"EdDSA", "ES256", "RS256"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (single(), "identity.jwks (a file) or identity.jwks_url is needed"),
        (single(jwks="a", jwks_url=NOWHERE), "is needed, not both"),
        (single(jwks="a", jwks_ca="ca.pem"), "identity.jwks_ca is for identity.jwks_url"),
        (single(jwks="a", algorithms=["HS256"]), "holds 'HS256'; known are EdDSA, ES256, RS256"),
        (single(jwks="a", algorithms=["none"]), "holds 'none'"),
        (single(jwks="a", algorithms=[]), "at least one algorithm"),
        (single(jwks="a", algorithms="ES256"), "must be a list of texts"),
        (single(jwks="a", keys="x"), "unknown key identity.keys"),
        (single(jwks="a") + table("\n[issuer]", issuer="x"), "must be an array of tables"),
        (
            single(jwks="a") + table("\n[[issuer]]", issuer="x", audience="y", jwks="z"),
            "unknown key identity.issuer",
        ),
        (
            table("[[issuer]]", issuer="x", audience="y", jwks="z", organisations=["a"])
            + table("\n[[issuer]]", issuer="x", audience="y", jwks="z", organisations=["b"]),
            "two [[issuer]] tables have the same issuer",
        ),
        (
            table("[[issuer]]", issuer="x", audience="y", jwks="z")
            + table("\n[[issuer]]", issuer="v", audience="y", jwks="z", organisations=["b"]),
            "must each name their organisations",
        ),
        (
            table("[[issuer]]", issuer="x", audience="y", jwks="z", organisations=["b"])
            + table("\n[[issuer]]", issuer="v", audience="y", jwks="z", organisations=["b"]),
            "must each name their organisations",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    """Before anybody is served, with the key that is wrong."""
    with pytest.raises(SettingsInvalid) as caught:
        read(tmp_path / "s.toml", text)
    assert said in str(caught.value)


def test_the_token_picks_its_issuer_and_nothing_more(tmp_path: Path, ed: Signer) -> None:
    """Each issuer speaks for its own organisations, with its own keys; nobody for another's."""
    other = ed25519_signer(ed.kid)
    write_jwks(tmp_path / "one.json", ed)
    write_jwks(tmp_path / "two.json", other)
    one = table(
        "[[issuer]]", issuer=ISSUER, audience=AUDIENCE, jwks="one.json", organisations=["harbour"]
    )
    two = table(
        "\n[[issuer]]", issuer=OTHER, audience="b", jwks="two.json", organisations=["school"]
    )
    verifier = trusted(read(tmp_path / "s.toml", one + two)).verifier
    assert verifier.verify(token(ed, org="harbour")).organisation == "harbour"
    assert verifier.verify(token(other, iss=OTHER, aud="b", org="school")).organisation == "school"
    for forged in (
        token(ed, org="school"),
        token(other, org="harbour"),
        token(ed, iss=OTHER, aud="b", org="school"),
        token(other, iss=OTHER, aud="b", org="harbour"),
        token(ed, iss=ISSUER + "/", org="harbour"),
        token(ed, iss=[ISSUER], org="harbour"),
        token(ed, iss=None, org="harbour"),
        "a.b.c",
        "a",
        "",
        token(ed)[:-1] + "!",
        "." * 9000,
    ):
        with pytest.raises(Exception, match="TOKEN_INVALID"):
            verifier.verify(forged)
    with pytest.raises(Exception, match="TOKEN_AUDIENCE"):
        verifier.verify(token(other, iss=OTHER, aud=AUDIENCE, org="school"))


def test_an_algorithm_that_is_not_in_use_is_refused(
    tmp_path: Path, signers: dict[str, Signer]
) -> None:
    """A provider publishes more keys than a department wants to believe."""
    write_jwks(tmp_path / "jwks.json", *signers.values())
    text = single(jwks="jwks.json", algorithms=["ES256"])
    verifier = trusted(read(tmp_path / "s.toml", text)).verifier
    assert verifier.verify(token(signers["ES256"])).subject == "alice"
    for name in ("EdDSA", "RS256"):
        with pytest.raises(Exception, match="TOKEN_INVALID"):
            verifier.verify(token(signers[name]))


def test_keys_come_from_an_address(tmp_path: Path, ed: Signer) -> None:
    """The whole way from the setting to a caller."""
    document = json.dumps({"keys": [ed.jwk]}).encode()
    with key_server(replying(document)) as server:
        url = f"http://127.0.0.1:{server.port}/keys"
        found = trusted(read(tmp_path / "s.toml", single(jwks_url=url)))
        try:
            assert found.verifier.verify(token(ed)).subject == "alice"
        finally:
            found.close()
    with pytest.raises(SourceError, match="cannot be fetched"):
        trusted(read(tmp_path / "s.toml", single(jwks_url=url)))


def test_where_bound_tokens_are_wanted_no_other_is_taken(tmp_path: Path) -> None:
    """At the gateway and, for itself, at a node; an officer on its machine has no connection."""
    signer = ed25519_signer("k")
    write_jwks(tmp_path / "jwks.json", signer)
    trust = trusted(read(tmp_path / "s.toml", single(jwks="jwks.json", bound=True)))
    plain = token(signer)
    bound = token(signer, cnf={"x5t#S256": forge.b64(bytes(32))})
    for verifier in (trust.callers(), trust.callers(officers=True)):
        with pytest.raises(LandbridgeError, match="TOKEN_UNBOUND"):
            verifier.verify_passed_on(plain)
        assert verifier.verify_passed_on(bound).certificate == "00" * 32
    with pytest.raises(LandbridgeError, match="TOKEN_UNBOUND"):
        trust.callers().verify(plain, Presented("00" * 32))
    with pytest.raises(LandbridgeError, match="TOKEN_BOUND"):
        trust.callers().verify(bound, Presented("11" * 32))
    assert trust.callers(officers=True).verify(plain).subject == "alice"
    assert trust.verifier.verify(plain).subject == "alice"
