"""Who is signed in: kept here, under a random name that only their browser knows.

Nothing about a person stands in a cookie, so that a session that is ended here is ended. What is
kept under is the SHA-256 of the name: who reads this memory cannot send a cookie.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

COOKIE: Final = "__Host-landbridge"
"""The prefix binds it to this host, to TLS and to the whole site (RFC 6265bis, 4.1.3.2)."""
MOST: Final = 10_000


@dataclass(slots=True)
class Session:
    """Somebody who signed in: `token` is theirs, and never leaves this process but to be verified.

    `form` is what their forms carry back (CSRF); times are in seconds of the store's clock.
    """

    subject: str
    token: str = field(repr=False)
    form: str = field(repr=False)
    began: float
    used: float

    def owns(self, form: str) -> bool:
        """Whether a form that carries this was made for this session."""
        return hmac.compare_digest(self.form.encode(), form.encode())


class Sessions:
    """All sessions of one process; a restart ends them. Safe for many threads.

    `idle` and `longest` are in seconds, `clock` is monotonic.
    """

    def __init__(self, idle: float, longest: float, clock: Callable[[], float]) -> None:
        self._idle = idle
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[bytes, Session] = {}

    def begin(self, subject: str, token: str) -> tuple[str, Session]:
        """A new session and the name of it, for the cookie."""
        name, now = secrets.token_urlsafe(32), self._clock()
        session = Session(subject, token, secrets.token_urlsafe(32), now, now)
        with self._lock:
            self._forget_ended(now)
            if len(self._kept) >= MOST:
                del self._kept[min(self._kept, key=lambda each: self._kept[each].used)]
            self._kept[_key(name)] = session
        return name, session

    def find(self, name: str) -> Session | None:
        """The session of that name, used now; None where it is unknown or has ended."""
        if not name:
            return None
        key, now = _key(name), self._clock()
        with self._lock:
            session = self._kept.get(key)
            if session is None:
                return None
            if self._ended(session, now):
                del self._kept[key]
                return None
            session.used = now
            return session

    def end(self, name: str) -> None:
        """It is over, whoever still has the cookie."""
        with self._lock:
            self._kept.pop(_key(name), None)

    def end_all(self, subject: str) -> None:
        """Every session of that person is over."""
        with self._lock:
            self._kept = {key: each for key, each in self._kept.items() if each.subject != subject}

    def _ended(self, session: Session, now: float) -> bool:
        return now - session.used >= self._idle or now - session.began >= self._longest

    def _forget_ended(self, now: float) -> None:
        self._kept = {key: each for key, each in self._kept.items() if not self._ended(each, now)}


def cookie(name: str) -> str:
    """The Set-Cookie line of a session; it ends with the browser, and with the session."""
    return f"{COOKIE}={name}; Path=/; Secure; HttpOnly; SameSite=Lax"


def no_cookie() -> str:
    """The line that takes it away."""
    return f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


def _key(name: str) -> bytes:
    return sha256(name.encode("utf-8", "surrogateescape")).digest()
