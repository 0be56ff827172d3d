"""The front of a console: limits, who is signed in, forms that are ours, signing in and out.

What a site shows behind it is its own matter: it is called with a session and a verified caller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from landbridge.errors import LandbridgeError, error
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.web import sessions, signin
from landbridge.web.asking import Ask, Reply, own_place, see
from landbridge.web.headers import POLICY
from landbridge.web.limits import Limits
from landbridge.web.pages import Pages
from landbridge.web.provider import origin_of
from landbridge.web.sessions import Session, Sessions
from landbridge.web.signin import SignedIn, SignIn
from landbridge.web.words import COOKIE as LANGUAGE
from landbridge.web.words import Language, Words

PUBLIC: Final = "/static/"
SIGN_IN, BACK, SIGN_OUT, WORDS = "/sign-in", "/sign-in/back", "/sign-out", "/language"
REQUEST_BURST, REQUEST_RATE = 60, 6.0
"""Of one session: a person who looks around, and not a program that reads everything."""
STRANGER_BURST, STRANGER_RATE = 120, 4.0
"""Of one address that nobody signed in from, or that goes to and from the provider."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is signed in."""

    ask: Ask
    caller: Caller
    session: Session
    language: Language


class Behind(Protocol):
    """The site behind the front."""

    title: str

    def visit(self, visit: Visit) -> Reply:
        """The page; a refusal is raised after it was logged."""
        ...

    def signed_in(self, signed: SignedIn) -> None:
        """Logs that somebody came; raises where that cannot be."""
        ...

    def signed_out(self, caller: Caller) -> None:
        """Logs that somebody went."""
        ...

    def not_signed_in(self, failure: LandbridgeError) -> None:
        """Logs that somebody could not sign in."""
        ...


class Front:
    """Answers every request of one console. Safe for many threads."""

    def __init__(
        self,
        behind: Behind,
        sign_in: SignIn,
        live: Sessions,
        verifier: Verifier,
        pages: Pages,
        words: Words,
        clock: Callable[[], float],
    ) -> None:
        self._behind = behind
        self._sign_in = sign_in
        self._sessions = live
        self._verifier = verifier
        self._pages = pages
        self._words = words
        self._known = Limits(REQUEST_BURST, REQUEST_RATE, clock)
        self._strangers = Limits(STRANGER_BURST, STRANGER_RATE, clock)

    def answer(self, ask: Ask) -> Reply:
        """What is answered; never raises what a person can do something about."""
        language = self._words.wanted(
            ask.cookies.get(LANGUAGE, ""), ask.headers.get("accept-language", "")
        )
        try:
            return self._answered(ask, language)
        except LandbridgeError as refusal:
            return self._refused(refusal, language, ask)

    def _answered(self, ask: Ask, language: Language) -> Reply:
        if ask.path.startswith(PUBLIC):
            found = self._pages.static(ask.path.removeprefix(PUBLIC))
            return found or self._sentence(404, language("There is no such page."), language)
        name = ask.cookies.get(sessions.COOKIE, "")
        session = self._sessions.find(name)
        admitted = (
            self._strangers.admit(ask.peer)
            if session is None or ask.path in (SIGN_IN, BACK)
            else self._known.admit(session.form)
        )
        if not admitted:
            told = self._sentence(429, language("Too many requests; wait a moment."), language)
            return Reply(429, told.body, told.kind, (("retry-after", "5"),))
        if ask.path == WORDS:
            return self._chosen(ask)
        if ask.path == SIGN_IN:
            return self._sent_to_provider(ask)
        if ask.path == BACK:
            return self._came_back(ask, name)
        if session is None:
            return self._welcome(ask, language)
        if ask.method == "POST" and not _ours(ask, session):
            raise error("FORM_INVALID")
        try:
            # Every time: a token that ended or was revoked ends the session with it.
            caller = self._verifier.verify(session.token)
        except LandbridgeError:
            self._sessions.end(name)
            return self._welcome(ask, language).setting(sessions.no_cookie())
        if ask.path == SIGN_OUT and ask.method == "POST":
            return self._went(ask, name, caller)
        return self._behind.visit(Visit(ask, caller, session, language))

    def _chosen(self, ask: Ask) -> Reply:
        tag = ask.one("tag")
        reply = see(own_place(ask.one("next")))
        if self._words.named(tag) is None:
            return reply
        line = f"{LANGUAGE}={tag}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=31536000"
        return reply.setting(line)

    def _sent_to_provider(self, ask: Ask) -> Reply:
        if ask.method != "POST" or ask.headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            return see("/")
        where, line = self._sign_in.begin(ask.field("next"))
        return see(where).setting(line)

    def _came_back(self, ask: Ask, name: str) -> Reply:
        try:
            signed = self._sign_in.complete(ask)
        except LandbridgeError as failure:
            self._behind.not_signed_in(failure)
            raise
        self._behind.signed_in(signed)
        self._sessions.end(name)  # a new name for whoever signs in (session fixation)
        fresh, _ = self._sessions.begin(signed.caller.subject, signed.token)
        return see(signed.place).setting(sessions.cookie(fresh), signin.no_cookie())

    def _went(self, ask: Ask, name: str, caller: Caller) -> Reply:
        self._behind.signed_out(caller)
        if ask.field("everywhere"):
            self._sessions.end_all(caller.subject)
        self._sessions.end(name)
        return see("/").setting(sessions.no_cookie())

    def _welcome(self, ask: Ask, language: Language) -> Reply:
        if ask.method != "GET" or "text/html" not in ask.headers.get("accept", "text/html"):
            return self._sentence(401, language("You are not signed in."), language)
        place = own_place(ask.path + _asked(ask))
        content = self._pages.render(
            "welcome.html",
            _=language,
            languages=self._words.names,
            here=place,
            title=self._behind.title,
        )
        try:
            form = f"form-action 'self' {origin_of(self._sign_in.where())}"
        except LandbridgeError:
            form = "form-action 'self'"
        return Reply(200, content, headers=(widened(form),))

    def _refused(self, refusal: LandbridgeError, language: Language, ask: Ask) -> Reply:
        status = STATUS.get(refusal.status, 500)
        content = self._pages.render(
            "refused.html",
            _=language,
            languages=self._words.names,
            refusal=refusal,
            sentence=language.text(refusal.message),
            title=self._behind.title,
            here=own_place(ask.path),
        )
        return Reply(status, content)

    def _sentence(self, status: int, sentence: str, language: Language) -> Reply:
        content = self._pages.render(
            "sentence.html",
            _=language,
            languages=self._words.names,
            sentence=sentence,
            title=self._behind.title,
            here="/",
        )
        return Reply(status, content)


STATUS: Final = {
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""gRPC status of a refusal to that of HTTP."""


def widened(form: str) -> tuple[str, str]:
    """The policy header with another `form-action`: browsers hold redirects of forms against it."""
    return ("content-security-policy", POLICY.replace("form-action 'self'", form))


def _ours(ask: Ask, session: Session) -> bool:
    """The form carries the session's secret, and the browser does not say it came from elsewhere.

    Fetch metadata (Sec-Fetch-Site) say so in every browser of today; the secret holds alone.
    """
    from_here = ask.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    return from_here and session.owns(ask.field("form"))


def _asked(ask: Ask) -> str:
    parts = [
        f"{quote(name, '')}={quote(value, '')}"
        for name, values in ask.query.items()
        for value in values
    ]
    return f"?{'&'.join(parts)}" if parts else ""
