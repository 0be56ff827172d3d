"""The two ways to ask, and gateways that say what a test chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message import Message

import landbridge
from landbridge import LandbridgeError
from landbridge.v1 import gateway_pb2
from tests.sdk.loopback import Act, Gateway

TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln"

Ask = Callable[..., Any]
"""Connects to a gateway, awaits one method and gives back its result, in one of the two ways."""


def ask_with_threads(
    served: Gateway, method: str, *arguments: object, connection: Any = None, **named: object
) -> Any:
    """One call by `Client`."""
    options = {"token": TOKEN, "ca": served.ca} | (connection or {})
    with landbridge.connect(served.address, **options) as client:
        return getattr(client, method)(*arguments, **named)


def ask_with_asyncio(
    served: Gateway, method: str, *arguments: object, connection: Any = None, **named: object
) -> Any:
    """One call by `AsyncClient`."""
    options = {"token": TOKEN, "ca": served.ca} | (connection or {})

    async def ask() -> object:
        async with landbridge.aconnect(served.address, **options) as client:
            return await getattr(client, method)(*arguments, **named)

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [ask_with_threads, ask_with_asyncio])


def says(reply: Message) -> Act:
    """A gateway that always says this."""
    return lambda _request, _context: reply


def raising(*failures: LandbridgeError, then: Message) -> Act:
    """A gateway that fails so many times first."""
    left = list(failures)

    def act(_request: Message, _context: grpc.ServicerContext) -> Message:
        if left:
            raise left.pop(0)
        return then

    return act


def requests(served: Gateway) -> list[gateway_pb2.QueryRequest]:
    """What arrived."""
    return cast(list[gateway_pb2.QueryRequest], served.servicer.requests)
