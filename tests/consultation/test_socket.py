"""The officers' socket: whoever may open it is decided by the folder that it lies in."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import grpc
import pytest

from landbridge.consultation.officers import review
from landbridge.edge.local import serve_local
from landbridge.edge.server import CannotListen
from landbridge.errors import Unavailable
from landbridge.local import LocalChannel


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777, 0o720])
def test_a_folder_that_others_could_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever can write there could put up a socket of their own, and collect tokens."""
    folder = tmp_path / "review"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(CannotListen, match="only its group may enter"):
        serve_local([], folder, report=lambda _: None, threads=1)
    assert list(folder.iterdir()) == []


def test_a_group_is_let_in_by_the_folder_s_mode(tmp_path: Path) -> None:
    """0750 is the owner's word that the group may open the socket; otherwise nobody may."""
    for mode, wanted in ((0o700, 0o600), (0o750, 0o660)):
        folder = tmp_path / oct(mode)
        folder.mkdir()
        folder.chmod(mode)
        served = serve_local([], folder, report=lambda _: None, threads=1)
        assert stat.S_IMODE((folder / "review.sock").stat().st_mode) == wanted
        served.stop(0)
        assert list(folder.iterdir()) == []


def test_the_path_of_a_state_folder_may_be_long(tmp_path: Path) -> None:
    """The address of a socket has 107 bytes; a folder's path has no such end."""
    folder = tmp_path / ("long" * 40) / "review"
    served = serve_local([], folder, report=lambda _: None, threads=1)
    local = LocalChannel(folder)
    call: Any = local.channel.unary_unary("/nobody/Serves")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    local.close()
    served.stop(0)


def test_an_officer_without_a_node_is_told_so(tmp_path: Path) -> None:
    """A sentence with what would be right, and no words of a library's."""
    with pytest.raises(Unavailable, match="officers' socket is not in"):
        review(tmp_path / "nowhere", token="a.b.c")
    with review(tmp_path, token="a.b.c") as officer, pytest.raises(Unavailable, match="No node"):
        officer.list()


def test_bytes_that_are_no_message_are_refused_in_our_own_words(tmp_path: Path) -> None:
    """As at the other servers: a reason, and no library's exception."""

    def parse(content: bytes) -> bytes:
        raise ValueError(content)

    def register(server: grpc.Server) -> None:
        method: Any = grpc.unary_unary_rpc_method_handler(
            lambda request, _: request, request_deserializer=parse
        )
        handler = grpc.method_handlers_generic_handler("somebody", {"Serves": method})
        server.add_generic_rpc_handlers((handler,))

    served = serve_local([register], tmp_path / "review", report=lambda _: None, threads=1)
    local = LocalChannel(tmp_path / "review")
    call: Any = local.channel.unary_unary("/somebody/Serves")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff", timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    local.close()
    served.stop(0)
