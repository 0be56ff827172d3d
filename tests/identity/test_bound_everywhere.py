"""Where only bound tokens are taken, no method of the gateway takes another: over real TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from landbridge.testing import federation
from tests.attacks.messages import GATEWAY, call_method, methods
from tests.attacks.worlds import World, lay, problem_of

pytestmark = pytest.mark.journey

ASKED = {name: services for name, services in GATEWAY.items() if name != "enrolment"}
"""Modules and services; who enrols has no token, and shows a code."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A running federation whose gateway wants bound tokens."""
    with federation(lay(tmp_path, "gone"), state=tmp_path / "state") as running:
        settings = running.state / "gateway" / "gateway.toml"
        text = settings.read_text()
        running.stop_gateway()
        text = text.replace("[identity]", "[identity]\nbound = true", 1)
        text = text.replace("[tls]", f"[tls]\ncallers = {json.dumps(str(running.ca))}", 1)
        settings.write_text('listen_mutual = "127.0.0.1:0"\n' + text)
        running.start_gateway()
        yield World("gone", running)


def test_no_method_takes_a_token_that_is_not_bound(world: World) -> None:
    """One that did would let a stolen token in where the operator was told that none comes in."""
    ends = {}
    with world.channel() as channel:
        for method in methods(ASKED):
            ends[method.full_name] = _end(channel, method, world.token("bystander"))
    assert {name: end for name, end in ends.items() if end != "TOKEN_UNBOUND"} == {}


def _end(channel: grpc.Channel, method: MethodDescriptor, token: str) -> str:
    """The reason of the refusal; OK for an answer."""
    request: Any = GetMessageClass(method.input_type)()
    fields = method.input_type.fields_by_name
    inner = request
    for name in ("query", "call", "opening"):
        if name in fields and fields[name].message_type:
            inner = getattr(request, name)
            inner.SetInParent()
    if "question_id" in inner.DESCRIPTOR.fields_by_name:
        inner.question_id = f"{1:032x}"
    try:
        call_method(channel, method, request.SerializeToString(), token, 10)
    except grpc.RpcError as failure:
        call = cast(grpc.Call, failure)
        return problem_of(call).reason or call.code().name
    return "OK"
