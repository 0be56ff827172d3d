"""How a server starts, whom it lets in, and what it turns away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import grpc
import pytest
from google.protobuf.message import Message

from landbridge.edge.server import CannotListen, Tls, serve
from landbridge.status import from_rpc_error
from landbridge.transport import Endpoint, Pem
from landbridge.v1.gateway_pb2 import DirectoryRequest, DirectoryResponse, QueryRequest
from landbridge.v1.gateway_pb2_grpc import GatewayStub
from tests.sdk.loopback import Authority, Gateway, gateway


def ask(
    served: Gateway,
    *,
    ca: Pem,
    certificate: tuple[Pem, Pem] | None = None,
    send: Callable[[GatewayStub], object] = lambda stub: stub.Directory(
        DirectoryRequest(), timeout=10
    ),
) -> grpc.StatusCode:
    """The status of one call."""
    endpoint = Endpoint.at(served.address, ca=ca, certificate=certificate)
    with endpoint.channel() as channel:
        try:
            send(GatewayStub(channel))
        except grpc.RpcError as failure:
            return cast(grpc.Call, failure).code()
        return grpc.StatusCode.OK


def answer(_request: Message, _context: grpc.ServicerContext) -> Message:
    """A directory without members."""
    return DirectoryResponse()


def test_a_port_in_use_is_one_clear_sentence(authority: Authority) -> None:
    """By default gRPC shares a port: a second gateway would silently take half of the calls."""
    with (
        gateway(authority) as served,
        pytest.raises(CannotListen) as caught,
        gateway(authority, port=served.running.port),
    ):
        pass
    assert f"Cannot listen on {served.address}: the port is in use" in str(caught.value)


def test_a_key_of_another_certificate_cannot_serve(authority: Authority) -> None:
    """A server that starts and then fails every handshake is found by its callers."""
    (key, _), (_, certificate) = authority.issue(), authority.issue()
    with pytest.raises(CannotListen):
        serve([], address="127.0.0.1:0", tls=Tls(key, certificate), report=print, threads=1)


def test_a_private_key_does_not_show_in_a_representation(authority: Authority) -> None:
    """Settings get printed."""
    assert "PRIVATE" not in repr(Tls(*authority.issue()))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ours", grpc.StatusCode.OK),
        ("none", grpc.StatusCode.UNAVAILABLE),
        ("foreign", grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_with_an_authority_only_its_certificates_get_in(
    authority: Authority, kind: str, code: grpc.StatusCode
) -> None:
    """A node answers its gateway and nobody else."""
    certificate = {"ours": authority.issue(), "none": None, "foreign": Authority().issue()}[kind]
    with gateway(authority, answer, mutual=True) as served:
        assert ask(served, ca=authority.pem, certificate=certificate) is code
        assert len(served.servicer.requests) == (kind == "ours")


def test_plaintext_does_not_get_in(authority: Authority) -> None:
    """There is no port in the clear to fall back to."""
    with gateway(authority, answer) as served:
        with grpc.insecure_channel(served.address) as channel, pytest.raises(grpc.RpcError):
            GatewayStub(channel).Directory(DirectoryRequest(), timeout=5)
        assert served.servicer.requests == []


def test_a_message_over_four_megabytes_does_not_reach_the_servicer(authority: Authority) -> None:
    """Memory is bounded before anybody is identified."""
    request = QueryRequest(sql="x" * 5_000_000)
    with gateway(authority) as served:
        code = ask(served, ca=authority.pem, send=lambda stub: stub.Query(request, timeout=10))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert served.servicer.requests == []


def test_twenty_kilobytes_of_metadata_do_not_reach_the_servicer(authority: Authority) -> None:
    """The token is the only metadata of size, and it is shorter."""
    flood = (("x-flood", "x" * 20_000),)
    with gateway(authority) as served:
        code = ask(
            served,
            ca=authority.pem,
            send=lambda stub: stub.Query(QueryRequest(), timeout=10, metadata=flood),
        )
        assert code is not grpc.StatusCode.OK
        assert served.servicer.requests == []


def test_the_longest_token_gets_in_every_time(authority: Authority) -> None:
    """Between a soft and a hard limit gRPC would refuse at random."""
    token = (("authorization", "Bearer " + "x" * 8_192),)
    with gateway(authority) as served:
        for _ in range(20):
            code = ask(
                served,
                ca=authority.pem,
                send=lambda stub: stub.Query(QueryRequest(), timeout=10, metadata=token),
            )
            assert code is grpc.StatusCode.OK


def test_a_compressed_message_does_not_reach_the_servicer(authority: Authority) -> None:
    """A few kilobytes must not unpack to megabytes."""
    request = QueryRequest(sql="x" * 1_000_000)
    with gateway(authority) as served:
        code = ask(
            served,
            ca=authority.pem,
            send=lambda stub: stub.Query(request, timeout=10, compression=grpc.Compression.Gzip),
        )
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert served.servicer.requests == []


def test_an_unknown_method_tells_nothing(authority: Authority) -> None:
    """Neither names nor versions are told to whoever knocks."""
    with gateway(authority) as served:
        with Endpoint.at(served.address, ca=authority.pem).channel() as channel:
            reflect: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            )
            with pytest.raises(grpc.RpcError) as caught:
                reflect(b"", timeout=10)
        assert from_rpc_error(caught.value).reason == "FAULT"
        assert cast(grpc.Call, caught.value).details() == "Method not found!"


def test_stopping_lets_a_running_call_finish(authority: Authority) -> None:
    """A question that was charged should be answered."""
    entered, leave = threading.Event(), threading.Event()

    def slow(_request: Message, _context: grpc.ServicerContext) -> Message:
        entered.set()
        leave.wait(20)
        return DirectoryResponse()

    codes: list[grpc.StatusCode] = []
    with gateway(authority, slow) as served:
        caller = threading.Thread(target=lambda: codes.append(ask(served, ca=authority.pem)))
        caller.start()
        assert entered.wait(20)
        stopper = threading.Thread(target=served.running.stop, args=(20,))
        stopper.start()
        leave.set()
        caller.join(20)
        stopper.join(20)
        assert codes == [grpc.StatusCode.OK]
        assert ask(served, ca=authority.pem) is grpc.StatusCode.UNAVAILABLE
