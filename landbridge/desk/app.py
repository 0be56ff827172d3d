"""The desk's composition root: reads the settings, makes every part, and serves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.consultation.officers import Reviewer
from landbridge.desk.settings import Settings
from landbridge.desk.site import Desk
from landbridge.edge.trust import Trusted, trusted
from landbridge.evidence.keyfile import read_key, read_secret
from landbridge.web.door import Door, listen
from landbridge.web.front import Front
from landbridge.web.pages import Pages
from landbridge.web.provider import Client, HttpsProvider
from landbridge.web.sessions import Sessions
from landbridge.web.signin import SignIn
from landbridge.web.words import Words

FOLDER: Final = Path(__file__).parent


@dataclass(slots=True)
class Running:
    """A desk that serves."""

    door: Door
    trust: Trusted
    log_key: str = ""
    witness_key: str = ""
    metrics_port: int = 0

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.door.port

    def hurry(self) -> None:
        """Shows the certificate that is on disk now."""
        self.door.renew()

    def stop(self, grace: float | None = None) -> None:
        """Takes no more requests."""
        del grace
        self.door.close()
        self.trust.close()


def start(
    settings: Settings, report: Callable[[BaseException], None], tell: Callable[[str], None]
) -> Running:
    """A desk that listens when this returns; raises ValueError or SourceError, one sentence.

    EvidenceError where its key or its secret is one that others may read.
    """
    read_key(settings.key)  # by path it goes to OpenSSL, which asks for no mode
    secret = read_secret(settings.client_secret) if settings.client_secret else ""
    trust = trusted(settings.trust)
    try:
        listening = listen(settings.listen)
    except ValueError:
        trust.close()
        raise
    host = settings.listen.rpartition(":")[0] or "localhost"
    address = settings.address or f"https://{host}:{listening.getsockname()[1]}"
    issuer = settings.trust.issuers[0].name
    client = Client(
        issuer, settings.provider or issuer, settings.provider_ca, settings.client, secret
    )
    sign_in = SignIn(
        HttpsProvider(client, time.time, time.monotonic),
        trust.verifier,
        settings.client,
        issuer,
        lambda: f"{address}/sign-in/back",
        settings.scope,
        time.monotonic,
    )
    pages, words = Pages([FOLDER]), Words([FOLDER / "words"])
    site = Desk(
        settings.department,
        lambda token: Reviewer(settings.review, token),
        pages,
        words.names,
        tell,
    )
    live = Sessions(settings.idle_minutes * 60.0, settings.longest_hours * 3_600.0, time.monotonic)
    front = Front(site, sign_in, live, trust.verifier, pages, words, time.monotonic)
    door = Door(front.answer, listening, settings.key, settings.certificate, report)
    return Running(door, trust)
