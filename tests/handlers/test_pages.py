"""What docs/handlers.md and docs/procedures.md declare is what a server would load."""

from __future__ import annotations

from policies.handler import read as read_handler
from policies.handler_source import read as read_function
from policies.procedure import read as read_procedure
from tests.docs.fences import DOCS, blocks


def block(page: str, language: str, start: str) -> str:
    """The one block in that language that begins so."""
    [found] = [
        each.text
        for each in blocks(DOCS / page)
        if each.language == language and each.text.startswith(start)
    ]
    return found


def test_the_handlers_of_the_page_can_be_loaded() -> None:
    """They are what people copy first."""
    handler = read_handler(block("handlers.md", "text", "-- handler:"), "income_band.sql")
    assert (handler.name, len(handler.arguments)) == ("income_band", 2)
    function = read_function(block("handlers.md", "python", "from nodes.handlers"), "eligible.py")
    assert function.name == function.function == "eligible"


def test_the_procedure_of_the_page_can_be_loaded() -> None:
    """With every key that the page explains."""
    procedure = read_procedure(block("procedures.md", "yaml", "procedure:"), "open_restaurant.yaml")
    assert [step.name for step in procedure.steps] == ["registry", "fire", "tax"]
