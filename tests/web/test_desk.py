"""What a desk's form says becomes one decision about the turn that was seen, or none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from landbridge.consultation.officers import Reviewer
from landbridge.consultation.view import Offering, View
from landbridge.desk.app import FOLDER
from landbridge.desk.site import Desk
from landbridge.errors import LandbridgeError
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.web.asking import Ask, Reply
from landbridge.web.front import Visit
from landbridge.web.pages import Pages
from landbridge.web.sessions import Session
from landbridge.web.words import Words

ID = "ab" * 16
DAY = "date_trunc('day', answered)"
WORDS = Words([FOLDER / "words"])
VIEW = View(
    ID, "", "open", 7, "<b>who</b> is late", "", "", {}, "dpv:ServiceProvision", "section 4",
    ("access",), "household", "officer", datetime(2026, 11, 27, tzinfo=UTC), None, 500_000,
    Offering("dp", 12, ("quarter", DAY), {"households": 3.5}, 0.5, 10, 20, 100),
    (), b"", "planner", "province-office", (), 1,
)  # fmt: skip


class Hands:
    """Writes down what an officer does; the node's decisions are tested with the node."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int, dict[str, Any]]] = []
        self.token = ""

    def list(self, *, closed: bool = False) -> tuple[View, ...]:
        del closed
        return (VIEW,)

    def show(self, identifier: str) -> View:
        assert identifier == ID
        return VIEW

    def approve(self, seen: View, **terms: Any) -> View:
        self.done.append(("approve", seen.turn, terms))
        return VIEW

    def narrow(self, seen: View, **terms: Any) -> View:
        self.done.append(("narrow", seen.turn, terms))
        return VIEW

    def ask(self, seen: View, text: str) -> View:
        self.done.append(("ask", seen.turn, {"text": text}))
        return VIEW

    def decline(self, seen: View, reason: str) -> View:
        self.done.append(("decline", seen.turn, {"text": reason}))
        return VIEW

    def close(self) -> None:
        """Nothing is open."""


def sent(hands: Hands, method: str = "GET", path: str = f"/{ID}", **form: Any) -> Reply:
    """What the desk answers to that."""

    def officer(token: str) -> Reviewer:
        hands.token = token
        return cast(Reviewer, hands)

    desk = Desk("harbour", officer, Pages([FOLDER]), WORDS.names, lambda _: None)
    caller = Caller("officer", "city", "desk", Level.RESTRICTED, frozenset(), "t", 1e12)
    fields = {
        name.replace("_", "-") if name.startswith("coarser") else name: [value]
        if isinstance(value, str)
        else value
        for name, value in form.items()
    }
    ask = Ask(method, path, {}, fields)
    session = Session("officer", "their own token", "secret", 0.0, 0.0)
    return desk.visit(Visit(ask, caller, session, WORDS.wanted("en", "")))


def test_an_officer_comes_with_their_own_token_and_sees_what_is_asked_as_text() -> None:
    """The desk has no right of its own; a question's words are a stranger's."""
    hands = Hands()
    for path in ("/", f"/{ID}"):
        reply = sent(hands, path=path)
        assert isinstance(reply.body, bytes)
        assert b"&lt;b&gt;who&lt;/b&gt;" in reply.body
        assert b"<b>who" not in reply.body
    assert hands.token == "their own token"


def test_a_decision_is_about_the_turn_that_was_seen() -> None:
    """Not about the one that the consultation has by now; the node refuses what has moved."""
    hands = Hands()
    sent(hands, "POST", decision="approve", turn="3", hours="24", reusable="yes")
    assert hands.done == [("approve", 3, {"reusable": True, "organisation": False, "hours": 24})]


def test_an_offer_leaves_out_and_coarsens_what_the_question_has_and_nothing_else() -> None:
    """Words that are none of the question's are not passed on."""
    hands = Hands()
    sent(
        hands, "POST", decision="narrow", turn="7", without=["quarter", "elsewhere"],
        coarser_1="month", coarser_0="year", epsilon="0.25", text="less",
    )  # fmt: skip
    ((kind, turn, terms),) = hands.done
    assert (kind, turn) == ("narrow", 7)
    assert terms["without"] == ["quarter"]
    assert terms["coarser"] == {DAY: "month"}
    assert (terms["epsilon"], terms["text"]) == (0.25, "less")


@pytest.mark.parametrize("decision", ["ask", "decline"])
def test_asking_back_and_declining_say_what_was_written(decision: str) -> None:
    """And nothing more."""
    hands = Hands()
    sent(hands, "POST", decision=decision, turn="7", text="Which report?")
    assert hands.done == [(decision, 7, {"text": "Which report?"})]


@pytest.mark.parametrize(
    "form",
    [
        {"decision": "approve"},
        {"decision": "approve", "turn": "0"},
        {"decision": "approve", "turn": "7", "hours": "721"},
        {"decision": "approve", "turn": "7", "hours": "\N{SUPERSCRIPT TWO}"},
        {"decision": "narrow", "turn": "7", "epsilon": "nan"},
        {"decision": "narrow", "turn": "7", "epsilon": "-1"},
        {"decision": "everything", "turn": "7"},
        {"turn": "7"},
    ],
)
def test_a_form_that_says_no_decision_does_nothing(form: dict[str, str]) -> None:
    """Unknown means no."""
    hands = Hands()
    with pytest.raises(LandbridgeError) as refusal:
        sent(hands, "POST", **form)
    assert refusal.value.reason == "INVALID_ARGUMENT"
    assert hands.done == []


def test_only_a_consultation_has_an_address() -> None:
    """A path is nothing that a node is asked for."""
    with pytest.raises(LandbridgeError):
        sent(Hands(), path="/../../etc")
