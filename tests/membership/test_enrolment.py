"""Two commands make a member; a code that is used, overheard, guessed or old makes nobody one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import app as gateway_app
from gateway import membership, refreshing
from gateway.enrolment import FAILURES
from gateway.register import Register, RegisterRefuses
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.identity.certificates import server_name
from landbridge.membership.application import Application
from landbridge.membership.code import LIFETIME, CodeInvalid, JoinCode
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import MemberEntry
from landbridge.status import from_rpc_error
from landbridge.v1 import enrolment_pb2, enrolment_pb2_grpc, node_pb2
from nodes.join import JoinFailed, gateway_address, join
from tests.membership.town import Town, eventually, fail

NOW = 1_790_000_000.0


def test_two_commands_make_a_member_that_a_running_gateway_asks(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty manifest to an answered question, over real TLS, without a restart."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.05)
    town.running.hurry()  # the round that waits was begun with the longer pause
    assert town.reason(town.explain) == "NOT_AVAILABLE"
    code = town.code()
    town.join(code)
    assert gateway_address(town.node.state) == code.address  # for the doctor
    town.start_node()
    eventually(lambda: town.reason(town.explain) == "", "the new member is asked")
    # It describes itself, has pinned the manifest, and witnesses the gateway's log.
    assert town.told[0] == "library is a member; it is asked from now on."
    known = town.running._log._oversight
    assert known is not None
    eventually(lambda: "town/library/witness" in known.cosigned(), "it witnesses the log")
    certificate = x509.load_pem_x509_certificate(town.node.tls_certificate.read_bytes())
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 30
    assert town.node.tls_key.stat().st_mode & 0o777 == 0o600


def test_a_revoked_member_is_asked_no_more_while_the_gateway_runs(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of the manifest, out of the catalogue, out of the connections, into the log."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.05)
    town.join(town.code())
    town.running.stop(0)
    town.running = gateway_app.start(town.gateway, fail, lambda _: None)
    departments = town.running._departments
    assert departments.catalogue().members == ("library",)
    membership.revoke(town.gateway, "library", time.time)
    for _ in range(200):
        if not departments.catalogue().members:
            break
        time.sleep(0.05)
    assert departments.catalogue().members == ()
    asked = departments.ask(
        ("library",), lambda stub: stub.node.Describe, lambda _: node_pb2.DescribeRequest(), 5, ()
    )
    assert set(asked.missing) == {"library"}
    town.running.stop(0)
    entries = verify_folder(town.gateway.state / "log").entries()
    kinds = [Entry.from_bytes(content).kind for _, content in entries]
    assert kinds.count("membership_change") == 2  # it came, and it went
    town.running = gateway_app.start(town.gateway, fail, lambda _: None)
    with pytest.raises(RegisterRefuses, match="no member"):
        membership.revoke(town.gateway, "library", time.time)


def ask(town: Town, application: Application) -> str:
    """The reason for which the gateway does not take it, or the state that it has."""
    credentials = grpc.ssl_channel_credentials(town.gateway.tls_authority.read_bytes())
    request = enrolment_pb2.JoinRequest(
        entry=application.entry, certificate_request=application.request, proof=application.proof
    )
    with grpc.secure_channel(f"127.0.0.1:{town.running.port}", credentials) as channel:
        try:
            found = enrolment_pb2_grpc.EnrolmentStub(channel).Join(request, timeout=10)
        except grpc.RpcError as failure:
            return from_rpc_error(failure).reason
    return enrolment_pb2.JoinResponse.State.Name(found.state)


def application(
    code: JoinCode, department: str = "library", *, log: str = "", witness: str = ""
) -> Application:
    """Somebody with new keys who has that code."""
    keys = MemberKeys.create().public
    name = server_name(department)
    entry = MemberEntry(
        department,
        "T",
        "gateway.town.example:1",
        name,
        ("loans",),
        (),
        log or f"town/{department}+00000000+key",
        keys,
        witness_key=witness,
    )
    return Application.make(code, entry, ec.generate_private_key(ec.SECP256R1()))


def test_a_used_code_is_worth_nothing_to_who_overheard_it(town: Town) -> None:
    """One application per code; the same bytes again are the same application."""
    code = town.code()
    first = application(code)
    assert ask(town, first) == "STATE_WAITING"
    assert ask(town, first) == "STATE_WAITING"
    assert ask(town, application(code)) == "JOIN_REFUSED"
    town.said.append(first.fingerprint)
    town.approve()
    assert ask(town, application(code)) == "JOIN_REFUSED"
    (admitted,) = Register(town.gateway.state, "town", time.time).applicants().values()
    certificate = x509.load_pem_x509_certificate(admitted.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    # The address that it asked for is the gateway's own host: no certificate says so.
    assert names.get_values_for_type(x509.DNSName) == ["library.landbridge.internal"]
    assert ask(town, first) == "STATE_ADMITTED"  # a replay gets a certificate without its key


def test_the_keys_of_log_and_witness_carry_the_members_own_name(town: Town) -> None:
    """Else a member could speak in the log of another, or stop the gateway's start by its name."""
    code = town.code()
    for log, witness in (
        ("town/health+00000000+key", ""),
        ("town/library/more+00000000+key", ""),
        ("library+00000000+key", ""),
        ("", "town/health/witness+00000000+key"),
        ("", "town/library+00000000+key"),
    ):
        assert ask(town, application(code, log=log, witness=witness)) == "JOIN_REFUSED"


def test_guesses_are_refused_and_soon_not_even_heard(town: Town) -> None:
    """A code for another department, and one whose secret is a guess."""
    code = town.code()
    assert ask(town, application(code, "health")) == "JOIN_REFUSED"
    for _ in range(FAILURES - 1):
        guess = replace(code, secret=bytes(16))
        assert ask(town, application(guess)) == "JOIN_REFUSED"
    assert ask(town, application(code)) == "TOO_BUSY"


def test_a_node_with_a_code_for_another_gateway_sends_nothing_to_this_one(town: Town) -> None:
    """TLS trusts the authority in the code, so an impostor at the address is not heard."""
    from cryptography.hazmat.primitives.serialization import Encoding

    from landbridge.identity.development import DevelopmentAuthority

    other = DevelopmentAuthority.create(town.folder / "other", "town")
    der = x509.load_pem_x509_certificate(other.ca_pem).public_bytes(Encoding.DER)
    with pytest.raises(JoinFailed):
        town.join(replace(town.code(), authority=der))


def test_nothing_is_sent_without_the_operators_confirmation(town: Town) -> None:
    """Whoever says no to the fingerprint has used nothing up."""
    code = town.code()
    with pytest.raises(JoinFailed, match="Nothing was sent"):
        join(code, town.node, "x:1", lambda _: False, town.said.append)
    assert ask(town, application(code)) == "STATE_WAITING"


def test_codes_expire_and_last_over_a_restart(tmp_path: Path) -> None:
    """Time is passed in; the register is read anew by every process."""
    code = JoinCode.create("town", "gateway", "library", "g:1", int(NOW) + LIFETIME, b"authority")
    for later, good in ((LIFETIME - 1, True), (LIFETIME, False)):
        place = tmp_path / str(later)
        place.mkdir()
        Register(place, "town", lambda: NOW).invite(code)
        assert code.secret.hex() not in (place / "enrolment.json").read_text()
        after = Register(place, "town", lambda late=later: NOW + late)  # type: ignore[misc]
        if good:
            assert after.apply(application(code), code.fingerprint).state == "waiting"
        else:
            with pytest.raises(RegisterRefuses):
                after.apply(application(code), code.fingerprint)
    with pytest.raises(RegisterRefuses, match="fifteen"):
        Register(tmp_path, "town", lambda: NOW - 1).invite(code)


def test_an_application_counts_for_one_authority_and_as_it_was_made(tmp_path: Path) -> None:
    """The proof covers entry, certificate request and the gateway's authority."""
    code = JoinCode.create("town", "gateway", "library", "g:1", int(NOW) + 60, b"authority")
    register = Register(tmp_path, "town", lambda: NOW)
    register.invite(code)
    entry, _ = application(code).read()
    named = Application.make(
        code, replace(entry, name="gateway.landbridge.internal"),
        ec.generate_private_key(ec.SECP256R1()),
    )  # fmt: skip
    made, other = application(code), application(code)
    for spoilt, authority in (
        (made, "00" * 32),
        (replace(made, request=other.request), code.fingerprint),
        (replace(made, entry=other.entry), code.fingerprint),
        (replace(made, entry=made.entry + b" "), code.fingerprint),
        (replace(made, request=b""), code.fingerprint),
        (named, code.fingerprint),
    ):
        with pytest.raises(RegisterRefuses):
            register.apply(spoilt, authority)
    assert register.apply(made, code.fingerprint).state == "waiting"


def test_another_fingerprint_is_not_approved_and_a_no_is_final(town: Town) -> None:
    """The operator approves what was compared, not what stands in the list by now."""
    code = town.code()
    made = application(code)
    assert ask(town, made) == "STATE_WAITING"
    with pytest.raises(RegisterRefuses, match="another fingerprint"):
        membership.approve(town.gateway, "library", "00" * 32, lambda: NOW)
    membership.reject(town.gateway, "library", lambda: NOW)
    assert ask(town, made) == "STATE_REJECTED"
    with pytest.raises(RegisterRefuses, match="does not wait"):
        membership.approve(town.gateway, "library", made.fingerprint, lambda: NOW)


def test_a_code_survives_copying_or_says_that_it_did_not() -> None:
    """A lost character is noticed before anything is sent."""
    code = JoinCode.create("town", "gateway", "library", "g:1", 5, b"\0authority\0")
    assert JoinCode.read(code.text()) == code
    assert code.secret.hex() not in repr(code)
    for spoilt in ("", "LB1.", code.text()[:-1], code.text()[4:], code.text().swapcase()):
        with pytest.raises(CodeInvalid):
            JoinCode.read(spoilt)
