"""The methods of arrow.flight.protocol.FlightService: convert, one use case, convert."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

import grpc

from gateway.asking import Asking
from gateway.departments import Departments
from gateway.directory import directory_response
from gateway.flight.arrow import messages, parameters, schema_bytes, table_of, untyped
from gateway.flight.commands import (
    Command,
    Statement,
    Text,
    packed,
    parsed,
    query_of,
    read_command,
    statement,
    unpacked,
    unsupported,
)
from gateway.flight.properties import Properties, properties
from gateway.flight.tables import listing, shape
from gateway.request import Request
from landbridge.arrow import schema as answer_schema
from landbridge.directory import Directory
from landbridge.edge.telemetry import Telemetry
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import Presented, presented
from landbridge.v1 import flight_pb2, gateway_pb2
from landbridge.wire import read_answer, read_columns, read_directory

SERVICE: Final = "arrow.flight.protocol.FlightService"
PUT_SECONDS: Final = 10.0
"""How long a client may take to send its parameters."""

_NOBODY_ASKED: Final = "0" * 32
"""The question id of what asks no department: there is no answer that could be asked for again."""

_ACTIONS: Final = {
    "CreatePreparedStatement": "Prepares a question with places (?) for values.",
    "ClosePreparedStatement": "Does nothing: the gateway keeps no prepared statements.",
}


class FlightServicer:
    """What ADBC and JDBC drivers speak to.

    Nothing is kept between calls: a prepared statement's handle and a ticket hold what was asked.
    A ticket also holds the question id, so that whoever redeems it again gets the same answer,
    charged once; and redeeming needs a token like everything else.
    """

    def __init__(self, asking: Asking, departments: Departments, telemetry: Telemetry) -> None:
        self._asking = asking
        self._departments = departments
        self._telemetry = telemetry

    def register(self, server: grpc.Server) -> None:
        """Adds the methods to a server behind a `StreamBoundary`."""
        one, many, both = (
            grpc.unary_unary_rpc_method_handler,
            grpc.unary_stream_rpc_method_handler,
            grpc.stream_stream_rpc_method_handler,
        )
        kinds: list[tuple[Any, Callable[..., Any], Any]] = [
            (one, self.GetFlightInfo, flight_pb2.FlightDescriptor),
            (one, self.GetSchema, flight_pb2.FlightDescriptor),
            (many, self.DoGet, flight_pb2.FlightTicket),
            (many, self.DoAction, flight_pb2.FlightAction),
            (many, self.ListActions, flight_pb2.FlightNothing),
            (both, self.DoPut, flight_pb2.FlightData),
        ]
        methods = {
            method.__name__: kind(
                method,
                request_deserializer=request.FromString,
                response_serializer=lambda reply: reply.SerializeToString(),
            )
            for kind, method, request in kinds
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

    def GetFlightInfo(
        self, request: flight_pb2.FlightDescriptor, context: grpc.ServicerContext
    ) -> flight_pb2.FlightInfo:
        """Where the answer will be: one ticket, redeemed here. Asks no department yet."""
        with self._reading(context) as stated:
            command = _command(request)
        if isinstance(command, Text | Statement):
            asked = _question(command, stated)
            asked.request.question_id = secrets.token_hex(16)
            schema = self._schema(asked, context)
            ticket = packed(
                "TicketStatementQuery",
                flight_pb2.FlightSqlHandle(handle=asked.SerializeToString()),
            )
        else:
            schema, ticket = shape(command), request.cmd
        return flight_pb2.FlightInfo(
            schema=schema_bytes(schema),
            flight_descriptor=request,
            endpoint=[flight_pb2.FlightEndpoint(ticket=flight_pb2.FlightTicket(ticket=ticket))],
            total_records=-1,
            total_bytes=-1,
        )

    def GetSchema(
        self, request: flight_pb2.FlightDescriptor, context: grpc.ServicerContext
    ) -> flight_pb2.FlightSchema:
        """The columns of what the descriptor asks; asks no department."""
        with self._reading(context) as stated:
            command = _command(request)
        if isinstance(command, Text | Statement):
            asked = _question(command, stated)
            asked.request.question_id = _NOBODY_ASKED
            schema = self._schema(asked, context)
        else:
            schema = shape(command)
        return flight_pb2.FlightSchema(schema=schema_bytes(schema))

    def DoGet(
        self, request: flight_pb2.FlightTicket, context: grpc.ServicerContext
    ) -> Iterator[flight_pb2.FlightData]:
        """The answer of a ticket, or a metadata listing."""
        with self._reading(context):
            command = read_command(request.ticket)
            if isinstance(command, Text):
                raise error("INVALID_ARGUMENT", "This is no ticket that the gateway gave out.")
        match command:
            case Statement(content):
                return messages(self._answer(content, context))
            case _:
                return messages(listing(command, self._directory(context)))

    def DoAction(
        self, request: flight_pb2.FlightAction, context: grpc.ServicerContext
    ) -> Iterator[flight_pb2.FlightActionResult]:
        """Prepares a statement, or lets go of one."""
        if request.type != "CreatePreparedStatement":
            # Drivers close sessions that they never opened; that is no question for the log.
            self._caller(context)
            if request.type not in _ACTIONS:
                raise unsupported()
            return
        with self._reading(context) as stated:
            name, value = unpacked(request.body)
            if name != "ActionCreatePreparedStatementRequest":
                raise unsupported()
            text = query_of(parsed(flight_pb2.FlightSqlText, value))
        prepared = flight_pb2.FlightStatement(request=gateway_pb2.QueryRequest(sql=text))
        question = _question(Text(text), stated)
        question.request.question_id = _NOBODY_ASKED
        with self._request("flight_prepare", question, context) as asked:
            places, columns = self._asking.columns(
                asked, text, stated.terms.micro_epsilon, parameters=None
            )
        schema = answer_schema(read_columns(columns), accuracy=stated.half_widths)
        result = flight_pb2.FlightSqlPrepared(
            handle=prepared.SerializeToString(),
            dataset_schema=schema_bytes(schema) if columns else b"",
            parameter_schema=schema_bytes(untyped(places)) if places else b"",
        )
        yield flight_pb2.FlightActionResult(
            body=packed("ActionCreatePreparedStatementResult", result)
        )

    def ListActions(
        self, request: flight_pb2.FlightNothing, context: grpc.ServicerContext
    ) -> Iterator[flight_pb2.FlightActionType]:
        """What `DoAction` takes."""
        del request
        self._caller(context)
        for name, description in _ACTIONS.items():
            yield flight_pb2.FlightActionType(type=name, description=description)

    def DoPut(
        self, request: Iterator[flight_pb2.FlightData], context: grpc.ServicerContext
    ) -> Iterator[flight_pb2.FlightPutResult]:
        """Binds one row of values to a prepared statement: its new handle holds them."""
        with self._reading(context), _in_time(context):
            first = next(request, flight_pb2.FlightData())
            name, value = unpacked(first.flight_descriptor.cmd)
            if name != "CommandPreparedStatementQuery":
                raise unsupported()
            bound = statement(parsed(flight_pb2.FlightSqlHandle, value).handle)
            values = parameters(_chained(first, request))
        del bound.request.parameters[:]
        bound.request.parameters.extend(values)
        handle = flight_pb2.FlightSqlHandle(handle=bound.SerializeToString())
        yield flight_pb2.FlightPutResult(app_metadata=handle.SerializeToString())

    def _schema(self, question: flight_pb2.FlightStatement, context: grpc.ServicerContext) -> Any:
        with self._request("flight_info", question, context) as asked:
            _, columns = self._asking.columns(
                asked,
                question.request.sql,
                question.request.micro_epsilon,
                parameters=question.request.parameters,
            )
        return answer_schema(read_columns(columns), accuracy=question.half_widths)

    def _answer(self, content: flight_pb2.FlightStatement, context: grpc.ServicerContext) -> Any:
        question = content.request
        with self._request("flight_get", content, context) as asked:
            response = self._asking.query(
                asked,
                question.sql,
                question.micro_epsilon,
                partial=question.partial,
                mixed_dates=question.mixed_dates,
                parameters=question.parameters,
            )
        return table_of(read_answer(response), half_widths=content.half_widths)

    @contextmanager
    def _reading(self, context: grpc.ServicerContext) -> Iterator[Properties]:
        """What the connection states, while what is asked is read: by somebody who is known."""
        metadata = context.invocation_metadata()
        with self._asking.reading(metadata, _certificate(context)):
            yield properties(metadata)

    def _caller(self, context: grpc.ServicerContext) -> Caller:
        return self._asking.identify(context.invocation_metadata(), _certificate(context))

    def _directory(self, context: grpc.ServicerContext) -> Directory:
        offered = self._asking.offered(self._caller(context))
        return read_directory(directory_response(offered, self._departments.silent))

    @contextmanager
    def _request(
        self, step: str, question: flight_pb2.FlightStatement, context: grpc.ServicerContext
    ) -> Iterator[Request]:
        metadata = context.invocation_metadata()
        with self._telemetry.request(f"gateway.{step}", metadata) as trace:
            yield Request(
                metadata,
                question.request.purpose,
                question.request.question_id,
                context.time_remaining,
                trace,
                _certificate(context),
            )


def _command(request: flight_pb2.FlightDescriptor) -> Command:
    if request.type != flight_pb2.FlightDescriptor.DESCRIPTOR_TYPE_CMD:
        raise unsupported()
    return read_command(request.cmd)


def _question(command: Text | Statement, stated: Properties) -> flight_pb2.FlightStatement:
    """What a text, or a prepared statement, asks over a connection that states this."""
    question = flight_pb2.FlightStatement(half_widths=stated.half_widths)
    if isinstance(command, Statement):
        question.request.CopyFrom(command.content.request)
    else:
        question.request.sql = command.sql
    question.request.purpose = stated.terms.purpose
    question.request.micro_epsilon = stated.terms.micro_epsilon
    question.request.partial = stated.partial
    question.request.mixed_dates = stated.mixed_dates
    return question


def _chained(
    first: flight_pb2.FlightData, rest: Iterable[flight_pb2.FlightData]
) -> Iterator[flight_pb2.FlightData]:
    yield first
    yield from rest


@contextmanager
def _in_time(context: grpc.ServicerContext) -> Iterator[None]:
    """Ends the call where its client sends too slowly; gRPC alone would wait for ever."""
    timer = threading.Timer(PUT_SECONDS, context.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _certificate(context: grpc.ServicerContext) -> Presented:
    return presented(cast(Mapping[str, Iterable[bytes]], context.auth_context()))
