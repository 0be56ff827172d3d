"""A handler as its department describes it to the gateway: terms, not how it computes."""

from __future__ import annotations

from landbridge.literals import to_literal
from landbridge.v1 import node_pb2
from policies.handler import Handler
from policies.reply import Bands, Codes, Numbers, Verdicts, reasons_of

_KINDS = {Codes: "code", Verdicts: "verdict", Bands: "band", Numbers: "number"}


def handler_to(handler: Handler) -> node_pb2.HandlerDescription:
    """The wire form."""
    returns = handler.returns
    bounds = (returns.minimum, returns.maximum) if isinstance(returns, Numbers) else (0.0, 0.0)
    return node_pb2.HandlerDescription(
        name=handler.name,
        version=handler.version,
        description=handler.description,
        contract=handler.contract,
        arguments=[
            node_pb2.HandlerArgument(
                name=name,
                type=_type(kind),
                choices=[to_literal(value) for value in handler.choices.get(name, ())],
                sources=sorted(handler.sources.get(name, ())),
            )
            for name, kind in handler.arguments
        ],
        codes=handler.codes,
        level=handler.level.label,
        purposes=sorted(handler.purposes),
        returns=_KINDS[type(returns)],
        reasons=reasons_of(returns),
        consent=handler.consent,
        subject=handler.subject,
        passes=[
            node_pb2.PassedValue(name=each.name, type=_type(each.type), departments=sorted(each.to))
            for each in handler.passes
        ],
        procedures=sorted(handler.procedures),
        minimum=bounds[0],
        maximum=bounds[1],
    )


def _type(kind: str) -> str:
    return "text" if kind == "string" else "integer"
