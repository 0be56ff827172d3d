"""Who was invited, who applies, who was let in: one durable file for server and commands."""

from __future__ import annotations

import fcntl
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from landbridge.membership.application import Application, ApplicationInvalid
from landbridge.membership.code import LIFETIME, JoinCode
from landbridge.membership.pinned import replace_durably

_FILE: Final = "enrolment.json"
WAITING: Final = "waiting"
ADMITTED: Final = "admitted"
REJECTED: Final = "rejected"


class RegisterRefuses(Exception):
    """What was asked for cannot be; one sentence for an operator, the same for every stranger."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """An application and what became of it; `certificate` is PEM, empty until admitted."""

    application: Application
    state: str
    certificate: bytes = b""


class Register:
    """The register in a gateway's state folder. `clock` gives seconds since 1970."""

    def __init__(self, state: Path, federation: str, clock: Callable[[], float]) -> None:
        self._path = state / _FILE
        self._lock = state / f"{_FILE}.lock"
        self._federation = federation
        self._clock = clock

    def invite(self, code: JoinCode) -> None:
        """Makes the code good, once; an earlier one for the department is void."""
        if not 0 < code.expires - self._clock() <= LIFETIME:
            raise RegisterRefuses("A join code is good for fifteen minutes at most.")
        with self._changing() as content:
            content["invited"][code.department] = {
                "key": _text(code.key.public_key().public_bytes_raw()),
                "expires": code.expires,
            }

    def apply(self, application: Application, authority: str) -> Applicant:
        """The applicant; the code is used up when this returns.

        The same bytes again find the same applicant. Raises RegisterRefuses, always with the same
        sentence, for a code that is unknown, wrong, expired or used up.
        """
        try:
            entry, _ = application.read()
        except ApplicationInvalid:
            raise _refusal() from None
        with self._changing() as content:
            known = content["applied"].get(entry.department)
            if known is not None and _applicant(known).application == application:
                return _applicant(known)
            invited = content["invited"].get(entry.department)
            if invited is None or self._clock() >= invited["expires"]:
                raise _refusal()
            key = Ed25519PublicKey.from_public_bytes(b64decode(invited["key"]))
            named = entry.owns_log_key(self._federation) and entry.owns_witness_key(
                self._federation
            )
            if not named or not application.proved(key, self._federation, authority):
                raise _refusal()
            del content["invited"][entry.department]
            applicant = Applicant(application, WAITING)
            content["applied"][entry.department] = _body(applicant)
            return applicant

    def applicants(self) -> dict[str, Applicant]:
        """Everybody who applied, by department."""
        return {name: _applicant(body) for name, body in self._read()["applied"].items()}

    def forget(self, department: str) -> None:
        """Whatever the department was promised is void: its invitation and its application."""
        with self._changing() as content:
            content["invited"].pop(department, None)
            content["applied"].pop(department, None)

    def decide(
        self, department: str, fingerprint: str, certify: Callable[[Application], bytes] | None
    ) -> Applicant:
        """Admits with the certificate that `certify` makes, or rejects with None.

        Raises RegisterRefuses where nobody with that fingerprint waits.
        """
        with self._changing() as content:
            known = content["applied"].get(department)
            if known is None or _applicant(known).state != WAITING:
                raise RegisterRefuses(f"Department {department} does not wait for an answer.")
            application = _applicant(known).application
            if certify is not None and application.fingerprint != fingerprint.strip().lower():
                raise RegisterRefuses(
                    f"Department {department} applied with another fingerprint; compare it with "
                    "what `landbridge node join` shows."
                )
            decided = (
                Applicant(application, REJECTED)
                if certify is None
                else Applicant(application, ADMITTED, certify(application))
            )
            content["applied"][department] = _body(decided)
            return decided

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The content, alone; written when the block ends, and not when it raises."""
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._read()
            before = json.dumps(content)
            yield content
            if json.dumps(content) != before:
                replace_durably(self._path, json.dumps(content).encode())

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {"invited": {}, "applied": {}}
        found: dict[str, Any] = json.loads(self._path.read_bytes())
        return found


def _refusal() -> RegisterRefuses:
    return RegisterRefuses("The join code is not valid, or not any more.")


def _body(applicant: Applicant) -> dict[str, str]:
    application = applicant.application
    return {
        "entry": _text(application.entry),
        "request": _text(application.request),
        "proof": _text(application.proof),
        "state": applicant.state,
        "certificate": _text(applicant.certificate),
    }


def _applicant(body: dict[str, str]) -> Applicant:
    entry, request, proof, certificate = (
        b64decode(body[name]) for name in ("entry", "request", "proof", "certificate")
    )
    return Applicant(Application(entry, request, proof), body["state"], certificate)


def _text(content: bytes) -> str:
    return b64encode(content).decode()
