"""A server certificate that changes on disk, given to gRPC without a crash.

gRPC asks for the certificate at every new connection. When it is told "changed", it lets go of the
earlier one while the handshake of the same instant, on another thread, may be about to use it: the
process then ends by SIGSEGV or SIGABRT (https://github.com/grpc/grpc/issues/36693, open). Hence two
rules. It is told so only when the certificate is another one, not at every connection. And it is
told so after a pause: gRPC asks under a lock, so no handshake begins in the meantime, and one that
had its answer before needs microseconds to take hold of the earlier certificate.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

PAUSE_SECONDS: Final = 0.25
"""How long new connections wait, once for each renewal."""


class Followed:
    """The certificate chain (PEM) that a server shows; asked at every new connection."""

    def __init__(
        self,
        key: bytes,
        shown: bytes,
        renewed: Callable[[], bytes],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._key = key
        self._shown = shown
        self._renewed = renewed
        self._pause = pause
        self._refused = b""
        # gRPC has a lock of its own for each port; a certificate may be shown at two.
        self._lock = threading.Lock()

    def changed(self) -> bytes | None:
        """The chain that is to be shown from now on; None where that is the one shown already.

        One that cannot be read, or is not of this key, changes nothing.
        """
        with self._lock:
            try:
                found = self._renewed()
            except OSError:
                return None
            if found in (self._shown, self._refused):
                return None
            if not self._is_ours(found):
                self._refused = found
                return None
            self._pause(PAUSE_SECONDS)
            self._shown = found
            return found

    def _is_ours(self, chain: bytes) -> bool:
        try:
            certified = x509.load_pem_x509_certificate(chain).public_key()
            own = serialization.load_pem_private_key(self._key, None).public_key()
        except ValueError:
            return False
        return certified == own
