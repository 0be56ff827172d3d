"""What the console keeps of the policies in force: texts, since when, and what is known of who.

A thread looks every few seconds. Nobody who opens a page waits for it, or for git.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from gateway.catalogue import Catalogue
from gateway.console.authorship import author_of, owner_of
from gateway.console.browse import instant
from gateway.console.versions import Version, Versions
from policies.access import AccessPolicy


class Keeping:
    """Looks at the gateway's policy, whose file is `source`, and at what departments publish.

    `environment` is what git finds its own configuration by.
    """

    def __init__(
        self,
        versions: Versions,
        source: Path,
        access: Callable[[], AccessPolicy],
        catalogue: Callable[[], Catalogue],
        environment: Mapping[str, str],
    ) -> None:
        self._versions = versions
        self._source = source
        self._access = access
        self._catalogue = catalogue
        self._environment = environment
        self._seen: Catalogue | None = None

    def look(self, now: float) -> None:
        """Keeps what is in force and not kept yet; `now` is in seconds since 1970."""
        since = instant(now)
        self._own(since)
        known = self._catalogue()
        if known is not self._seen:
            self._published(known, since)
            self._seen = known

    def _own(self, since: str) -> None:
        digest = self._access().digest
        if self._versions.has("", digest):
            return
        try:
            text = self._source.read_bytes()
            if sha256(text).hexdigest() != digest:
                return  # the file is another by now; the next look may find it
            owner = owner_of(self._source)
        except OSError:
            return
        author = author_of(self._source, text, self._environment)
        self._versions.keep(Version(digest, since, owner, author=author), text)

    def _published(self, known: Catalogue, since: str) -> None:
        for department, offer in known.offers.items():
            texts = {name: offer.documents[name] for name in offer.contracts}
            if offer.access:
                texts[""] = offer.access
            for what, text in texts.items():
                digest = sha256(text).hexdigest()
                if not self._versions.has(department, digest):
                    self._versions.keep(
                        Version(digest, since, offer.log_key, department, what), text
                    )
