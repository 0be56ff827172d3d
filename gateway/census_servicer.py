"""The gateway's face for measurements by two servers: convert, one use case, convert."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import grpc

from gateway.census import Census
from gateway.request import Request
from landbridge.v1 import census_pb2, census_pb2_grpc

Open = Callable[[str, str, str, grpc.ServicerContext], AbstractContextManager[Request]]
"""A call (step, purpose, question id) as the use cases take it."""


class CensusServicer(census_pb2_grpc.CensusServicer):
    """What contributors and collectors speak to."""

    def __init__(self, census: Census, request: Open) -> None:
        self._census = census
        self._request = request

    def Describe(
        self, request: census_pb2.CensusDescribeRequest, context: grpc.ServicerContext
    ) -> census_pb2.CensusDescribeResponse:
        """The terms."""
        with self._request("describe", request.purpose, request.question_id, context) as asked:
            return self._census.describe(asked, request.contract, request.column)

    def Contribute(
        self, request: census_pb2.CensusContributeRequest, context: grpc.ServicerContext
    ) -> census_pb2.CensusContributeResponse:
        """Reports."""
        with self._request("contribute", request.purpose, request.question_id, context) as asked:
            return self._census.contribute(asked, request.contract, request.column, request.reports)

    def Collect(
        self, request: census_pb2.CensusCollectRequest, context: grpc.ServicerContext
    ) -> census_pb2.CensusCollectResponse:
        """A total."""
        with self._request("collect", request.purpose, request.question_id, context) as asked:
            return self._census.collect(
                asked, request.contract, request.column, request.micro_epsilon
            )
