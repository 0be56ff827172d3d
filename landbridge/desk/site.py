"""The desk's pages: the queue, one consultation, and the four things that an officer can do.

The node behind the socket decides who sees and does what, and logs each look and each decision. The
desk passes the officer's own token on, and has no right of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

from landbridge.consultation.officers import Reviewer
from landbridge.consultation.view import View
from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from landbridge.web.asking import Ask, Reply, see
from landbridge.web.front import Visit
from landbridge.web.pages import Pages
from landbridge.web.signin import SignedIn

_ID: Final = re.compile(r"/([0-9a-f]{8,64})", re.ASCII)
LONGEST: Final = 2_000
SPANS: Final = ("week", "month", "quarter", "year")


class Desk:
    """The site behind the desk's front. `officer` gives the hands of whoever has that token."""

    def __init__(
        self,
        department: str,
        officer: Callable[[str], Reviewer],
        pages: Pages,
        languages: Any,
        tell: Callable[[str], None],
    ) -> None:
        self.title = f"Landbridge {department}"
        self._officer = officer
        self._pages = pages
        self._languages = languages
        self._tell = tell

    def visit(self, visit: Visit) -> Reply:
        """The page; what the node refuses is raised."""
        ask = visit.ask
        with closing(self._officer(visit.session.token)) as officer:
            if ask.path == "/" and ask.method == "GET":
                closed = ask.one("closed") == "yes"
                found = officer.list(closed=closed)
                return self._page(visit, "queue.html", queue=found, closed=closed)
            named = _ID.fullmatch(ask.path)
            if named is None:
                raise error("INVALID_ARGUMENT", "There is no such page.")
            if ask.method == "GET":
                return self._page(
                    visit, "consultation.html", view=officer.show(named[1]), spans=SPANS
                )
            seen = replace(officer.show(named[1]), turn=_number(ask, "turn", 1, 1 << 31))
            _decide(officer, seen, ask)
            return see(ask.path)

    def signed_in(self, signed: SignedIn) -> None:
        """Nothing is shown by that yet; the node logs what an officer looks at."""
        del signed

    def signed_out(self, caller: Caller) -> None:
        """Nothing happened at the node."""
        del caller

    def not_signed_in(self, failure: LandbridgeError) -> None:
        """Somebody could not sign in: told to the operator, without their name."""
        self._tell(f"A sign-in was refused: {failure.reason}")

    def _page(self, visit: Visit, template: str, **values: Any) -> Reply:
        content = self._pages.render(
            template,
            _=visit.language,
            languages=self._languages,
            title=self.title,
            here=visit.ask.path,
            caller=visit.caller,
            form=visit.session.form,
            tabs=[{"address": "/", "title": "Consultations"}],
            **values,
        )
        return Reply(200, content)


def _decide(officer: Reviewer, seen: View, ask: Ask) -> None:
    """What the form says, about the turn that was looked at."""
    text = ask.field("text")[:LONGEST]
    terms: dict[str, Any] = {
        "reusable": ask.field("reusable") == "yes",
        "organisation": ask.field("organisation") == "yes",
        "hours": _number(ask, "hours", 1, 720, 72),
    }
    match ask.field("decision"):
        case "approve":
            officer.approve(seen, **terms)
        case "narrow":
            offering = seen.offering
            keys = () if offering is None else (*offering.keys, *offering.accuracy)
            without = [each for each in ask.form.get("without", ()) if each in keys]
            coarser = {
                key: to
                for place, key in enumerate(keys)
                if (to := ask.field(f"coarser-{place}")[:20]) and key not in without
            }
            officer.narrow(
                seen,
                without=without,
                coarser=coarser,
                epsilon=_epsilon(ask.field("epsilon")),
                text=text,
                **terms,
            )
        case "ask":
            officer.ask(seen, text)
        case "decline":
            officer.decline(seen, text)
        case _:
            raise error("INVALID_ARGUMENT", "That is no decision.")


def _number(ask: Ask, name: str, least: int, most: int, default: int = 0) -> int:
    text = ask.field(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
        raise error("INVALID_ARGUMENT", f"{name} is a number from {least} to {most}.")
    return int(text)


def _epsilon(text: str) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1_000:
        raise error("INVALID_ARGUMENT", "Epsilon is a number above 0.")
    return found
