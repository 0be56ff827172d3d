"""Every way in but the one that is meant: another door, another's name, another purpose."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any, cast

import grpc
import pytest

from landbridge.identity.certificates import server_name
from landbridge.identity.development import DevelopmentAuthority
from landbridge.membership.keys import signing_key
from landbridge.membership.statement import AskingSigner
from landbridge.v1 import gateway_pb2, node_pb2, node_pb2_grpc, question_pb2
from tests.attacks.conftest import Worlds
from tests.attacks.worlds import OTHER_PURPOSE, PURPOSE, World, problem_of

pytestmark = pytest.mark.journey

Metadata = tuple[tuple[str, str | bytes], ...]


def node_channel(world: World, key: bytes | None, certificate: bytes | None) -> grpc.Channel:
    """A connection straight to the node, with that certificate."""
    credentials = grpc.ssl_channel_credentials(world.running.ca.read_bytes(), key, certificate)
    return grpc.secure_channel(
        f"127.0.0.1:{world.running.node_port('north')}",
        credentials,
        options=[("grpc.ssl_target_name_override", server_name("north"))],
    )


def gateways_own(world: World) -> tuple[bytes, bytes]:
    """The gateway's key and certificate, as a thief would have them."""
    own = world.running.state / "gateway"
    return (own / "tls.key").read_bytes(), (own / "tls.pem").read_bytes()


def members(world: World, name: str) -> tuple[bytes, bytes]:
    """A key and a valid certificate of the federation for a member of that name."""
    authority = DevelopmentAuthority.load(world.running.state / "authority")
    return authority.certificate(name, ["localhost", "127.0.0.1", server_name(name)])


def signed(world: World, request: Any) -> Any:
    """The request under the gateway's own signature, as who stole that key too would send it."""
    key = signing_key(world.running.state / "gateway")
    return AskingSigner(world.running.folder.name, key, time.time).signing(request)("north")


def status(method: Callable[..., object], request: object, **more: object) -> grpc.Call:
    """The failure of a call that must fail."""
    with pytest.raises(grpc.RpcError) as refused:
        method(request, timeout=10, **more)
    return cast(grpc.Call, refused.value)


def count_request(world: World, token: str, question_id: str) -> node_pb2.AnswerRequest:
    """What the gateway sends for `SELECT count(*) FROM people`."""
    del world
    return node_pb2.AnswerRequest(
        asking=node_pb2.Asking(token=token, purpose=PURPOSE, question_id=question_id),
        question=question_pb2.Question(
            contract="people", measures=[question_pb2.Measure(count=question_pb2.Count())]
        ),
        members=["north"],
    )


@pytest.mark.parametrize("name", ["south", "north", "gateway2", "alice"])
def test_a_node_refuses_every_peer_but_the_gateway(rare: World, name: str) -> None:
    """Rows 47 and 94: another department's valid certificate, with a valid caller's token."""
    before = rare.node_entries()
    with node_channel(rare, *members(rare, name)) as channel:
        stub = node_pb2_grpc.NodeStub(channel)
        request = count_request(rare, rare.token(), "0" * 32)
        for method, message in (
            (stub.Answer, request), (stub.Describe, node_pb2.DescribeRequest()),
            (stub.Reply, node_pb2.ReplyRequest(asking=request.asking, handler="income_band")),
            (stub.Estimate, node_pb2.EstimateRequest(asking=request.asking)),
        ):  # fmt: skip
            said = status(method, message)
            assert said.code() is grpc.StatusCode.UNAUTHENTICATED
            assert problem_of(said).reason == "PEER_UNKNOWN"
    # Four refused logins (past the tenth in a minute they are counted) and the question itself.
    assert before < rare.node_entries() <= before + 5


def test_without_a_certificate_no_node_speaks(rare: World) -> None:
    """Row 94: a caller's token alone does not open a connection."""
    with node_channel(rare, None, None) as channel:
        said = status(
            node_pb2_grpc.NodeStub(channel).Answer, count_request(rare, rare.token(), "0" * 32)
        )
        assert said.code() is grpc.StatusCode.UNAVAILABLE


def test_around_the_gateway_there_is_no_second_draw(rare: World) -> None:
    """Row 47: with the gateway's stolen key and a caller's token it is still one ledger."""
    through = rare.ask("SELECT count(*) FROM people", "burglar")
    with node_channel(rare, *gateways_own(rare)) as channel:
        stub = node_pb2_grpc.NodeStub(channel)
        request = count_request(rare, rare.token("burglar"), "a" * 32)
        assert problem_of(status(stub.Answer, request)).reason == "SIGNATURE_INVALID"
        reply = stub.Answer(signed(rare, request), timeout=10)
        assert reply.charged_micro_rho == 0
        assert reply.release.remembered
        spent = reply.recipient_budget.spent_micro_rho
        assert spent == through.entry.charged_micro_rho
        stolen = count_request(rare, "", "b" * 32)
        said = status(stub.Answer, signed(rare, stolen))
        assert said.code() is grpc.StatusCode.UNAUTHENTICATED
    assert rare.ask("SELECT count(*) FROM people", "burglar").number == through.number


def test_a_handler_counts_its_subjects_whichever_door_is_taken(rare: World) -> None:
    """Row 47: the same quota by the gateway and, with its stolen key, straight at the node."""
    for person in range(20_000, 20_006):
        assert rare.band(person, "two_doors").code == "NOBODY"
    with node_channel(rare, *gateways_own(rare)) as channel:
        stub = node_pb2_grpc.NodeStub(channel)
        ends = []
        for person in range(20_006, 20_020):
            request = node_pb2.ReplyRequest(
                asking=node_pb2.Asking(
                    token=rare.token("two_doors"), purpose=PURPOSE, question_id=f"{person:032x}"
                ),
                handler="income_band",
            )
            request.arguments["person_id"].integer = person
            try:
                ends.append(stub.Reply(signed(rare, request), timeout=10).code)
            except grpc.RpcError as failure:
                ends.append(problem_of(cast(grpc.Call, failure)).reason)
    assert ends == ["NOBODY"] * 6 + ["SUBJECTS_EXHAUSTED"] * 8


def segments(token: str, *, header: Any = None, payload: Any = None, sign: str = "") -> str:
    """The token with a part put in; the signature is the old one unless given."""
    parts = token.split(".")
    for place, part in ((0, header), (1, payload)):
        if part is not None:
            text = part if isinstance(part, bytes) else json.dumps(part).encode()
            parts[place] = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
    return ".".join([*parts[:2], sign or parts[2]])


def claims(token: str, **changes: Any) -> dict[str, Any]:
    """The token's payload, changed."""
    body = token.split(".")[1]
    found = cast(
        dict[str, Any], json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    )
    return {**found, **changes}


def test_a_token_that_is_not_quite_one_gets_nothing(worlds: Worlds) -> None:
    """Rows 85 to 91: the same bare refusal, in each world; tests/identity has more of them."""
    for world in worlds:
        good = world.token()
        forged = [
            segments(good, header={"alg": "none", "typ": "at+jwt"}, sign="AA"),
            segments(good, header={"alg": "HS256", "typ": "at+jwt", "kid": "../../dev/null"}),
            segments(good, header={"alg": "EdDSA", "typ": "JWT", "kid": "' OR 1"}),
            segments(good, header=b'{"alg":"none","alg":"EdDSA","typ":"at+jwt"}'),
            segments(good, payload=claims(good, sub="admin")),
            segments(good, payload=claims(good, exp=1e12)),
            good[:-2],
            "x.y.z",
            "e" * 9_000,
        ]  # fmt: skip
        request = gateway_pb2.QueryRequest(
            sql="SELECT count(*) FROM people", purpose=PURPOSE, question_id="0" * 32
        )
        said = set()
        for token in forged:
            metadata = (("authorization", f"Bearer {token}"),)
            call = status(world.stub.Query, request, metadata=metadata)
            problem = problem_of(call)
            said.add((call.code(), problem.reason, problem.message, problem.hint))
        assert said == {
            (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "The bearer token is not valid.", "")
        }


def test_a_token_travels_in_one_way_only(rare: World) -> None:
    """Row 91: two entries, a binary one, another spelling, somebody else's header."""
    good = rare.token()
    request = gateway_pb2.DirectoryRequest()
    odd: tuple[Metadata, ...] = (
        (("authorization", f"Bearer {good}"), ("authorization", f"Bearer {good}")),
        (("authorization-bin", good.encode()),),
        (("authorization", f"bearer  {good}"),),
        (("authorization", good),),
        (("x-authorization", f"Bearer {good}"),),
        (("x-user", "alice"), ("x-forwarded-for", "127.0.0.1")),
    )
    for metadata in odd:
        said = status(rare.stub.Directory, request, metadata=metadata)
        assert said.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("who", ["gateway", "north"])
def test_one_forbid_outweighs_the_permit_at_either_end(worlds: Worlds, who: str) -> None:
    """Row 95: permit and forbid both match; gateway and node decide each for itself.

    What is forbidden always is refused like what does not exist.
    """
    barred = f"barred_by_{who}"
    seen = [world.ask("SELECT count(*) FROM people", barred) for world in worlds]
    seen += [world.call("north.income_band", barred, person_id=4711) for world in worlds]
    for each in seen:
        assert (each.code, each.reason) == ("PERMISSION_DENIED", "NOT_AVAILABLE")
        assert each.problem.message.startswith("Department north:") is (who == "north")
        assert each.entry.charged_micro_rho == 0
    assert len({each.refusal for each in seen[:3]}) == 1
    assert len({each.refusal for each in seen[3:]}) == 1


def test_a_purpose_is_the_tokens_and_the_owners(worlds: Worlds) -> None:
    """Row 97: what the token does not hold, and what it holds but the owner does not allow."""
    for world in worlds:
        text = "SELECT count(*) FROM people"
        for purpose, token in (
            (OTHER_PURPOSE, world.token()),
            (OTHER_PURPOSE, world.token(purposes=[PURPOSE, OTHER_PURPOSE])),
            (PURPOSE, world.token(purposes=[OTHER_PURPOSE])),
            (PURPOSE.upper(), world.token()),
            (f"{PURPOSE} ", world.token()),
            ("", world.token()),
        ):
            for seen in (
                world.ask(text, purpose=purpose, token=token),
                world.call("north.income_band", purpose=purpose, token=token, person_id=4711),
            ):
                assert seen.code == "PERMISSION_DENIED"
                assert seen.reason in ("PURPOSE_NOT_ALLOWED", "PURPOSE_MISSING")
                assert seen.entry.purpose in ("", OTHER_PURPOSE)


def test_a_clearance_is_the_tokens_own(rare: World) -> None:
    """Row 97: a restricted column is there for its clearance, a sealed one for nobody."""
    low, high = rare.token(), rare.token("cleared", clearance="restricted")
    text = "SELECT count(*) FROM people WHERE name='Zoltan Q'"
    assert rare.ask(text, token=low).reason == "NOT_AVAILABLE"
    assert rare.ask(text, token=high).code == "OK"
    sealed = rare.token("cleared", clearance="sealed")
    for column in ("person_id=4711", "person_id IN (4711)", "person_id IS NULL"):
        seen = rare.ask(f"SELECT count(*) FROM people WHERE {column}", token=sealed)
        assert seen.reason == "LEVEL_FORBIDS"


@pytest.mark.parametrize(
    "path",
    [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetTopChannels",
        "/landbridge.v1.Node/Describe",
        "/landbridge.v1.Node/Answer",
        "/landbridge.v1.Gateway/query",
        "/landbridge.v1.Gateway/Debug",
        "/",
    ],
)
def test_what_is_not_served_tells_nothing(rare: World, path: str) -> None:
    """Row 98: no reflection, no channelz, no node behind the gateway's door."""
    with rare.channel() as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        said = status(method, b"\x08\x01")
    assert said.code() is grpc.StatusCode.UNIMPLEMENTED
    assert said.details() == "Method not found!"
    assert not [key for key, _ in said.trailing_metadata() or () if key.startswith("grpc-status-")]


def test_health_says_one_word_and_knows_no_other_service(rare: World) -> None:
    """Row 98: whether it serves, for who balances load; no version, no name, no detail."""
    with rare.channel() as channel:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/grpc.health.v1.Health/Check"
        )
        assert check(b"") == b"\x08\x01"  # status: SERVING
        for name in (b"people", b"landbridge.v1.Gateway"):
            asked = b"\x0a" + bytes([len(name)]) + name
            assert check(asked) == b"\x08\x03"  # status: SERVICE_UNKNOWN, whatever the name


def test_garbage_is_a_constant_sentence(worlds: Worlds) -> None:
    """Row 98: bytes that are no message end without a stack trace, a path or a name."""
    said = set()
    for world in worlds:
        with world.channel() as channel:
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/landbridge.v1.Gateway/Query"
            )
            metadata = (("authorization", f"Bearer {world.token()}"),)
            for garbage in (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xc3\x28"):
                call = status(method, garbage, metadata=metadata)
                said.add((call.code(), call.details()))
    assert len(said) == 1
    assert "Traceback" not in repr(said)
    assert "/" not in repr(said)
