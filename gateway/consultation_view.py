"""A consultation as its caller is shown it: the question as SQL, an offer with its accuracy."""

from __future__ import annotations

from typing import Final

from gateway.catalogue import Catalogue
from gateway.spelling import spelt
from landbridge.errors import LandbridgeError
from landbridge.v1 import consult_pb2
from policies.joined import joined

NINETY_FIVE: Final = 1.959964


def view_of(
    department: str, consultation: consult_pb2.Consultation, known: Catalogue
) -> consult_pb2.CallersConsultation:
    """What the caller is shown of it."""
    view = consult_pb2.CallersConsultation(department=department, consultation=consultation)
    matter = consultation.matter
    if matter.WhichOneof("kind") == "question":
        view.sql = _sql(department, matter, known)
    for measure in consultation.offering.measures:
        expected = view.accuracy.add(column=measure.words)
        if measure.standard_deviation > 0:
            expected.half_width = NINETY_FIVE * measure.standard_deviation
    return view


def _sql(department: str, matter: consult_pb2.Matter, known: Catalogue) -> str:
    """The typed question in SQL; empty where its tables are not described any more."""
    offer = known.offers.get(department)
    names = (matter.question.contract, *matter.question.joined)
    if offer is None or any(name not in offer.contracts for name in names):
        return ""
    try:
        contract = joined([offer.contracts[name] for name in names])
        return spelt(matter.question, contract, department)
    except LandbridgeError:
        return ""
