"""A connection of PEP 249: a client, and what every question of it states."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from landbridge.annotation import Terms
from landbridge.client import Client
from landbridge.client import connect as connect_client
from landbridge.dbapi import failures
from landbridge.dbapi.cursor import Cursor, Stated
from landbridge.directory import Directory
from landbridge.drivers import TIMEOUT
from landbridge.exchange import micro_epsilon
from landbridge.transport import Pem, TokenSource


def connect(
    address: str = "",
    *,
    token: TokenSource | None = None,
    ca: Pem | None = None,
    certificate: tuple[Pem, Pem] | None = None,
    purpose: str = "",
    epsilon: float | None = None,
    partial: bool = False,
    half_widths: bool = False,
    mixed_dates: bool = False,
    timeout: float = TIMEOUT,
    client: Client | None = None,
) -> Connection:
    """A connection to the gateway at "host:port", as `landbridge.connect`; or over a `client`.

    `purpose`, `epsilon`, `partial` and `mixed_dates` hold for every question; with `half_widths`
    each released column is followed by `<name>_half_width`, that of its 95 % interval. Raises
    ProgrammingError for arguments that can never work.
    """
    with failures.raised_as_pep_249():
        terms = Terms(purpose, micro_epsilon(epsilon))
        made = client or connect_client(
            address, token=token, ca=ca, certificate=certificate, timeout=timeout
        )
    return Connection(made, Stated(terms, partial, half_widths, mixed_dates), owned=client is None)


class Connection:
    """Asks with one client; closed with `close`, and in a `with`."""

    Warning = failures.Warning
    Error = failures.Error
    InterfaceError = failures.InterfaceError
    DatabaseError = failures.DatabaseError
    DataError = failures.DataError
    OperationalError = failures.OperationalError
    IntegrityError = failures.IntegrityError
    InternalError = failures.InternalError
    ProgrammingError = failures.ProgrammingError
    NotSupportedError = failures.NotSupportedError

    def __init__(self, client: Client, stated: Stated, *, owned: bool) -> None:
        self._client = client
        self._stated = stated
        self._owned = owned
        self._open = True

    def cursor(self) -> Cursor:
        """A new cursor; raises InterfaceError on a closed connection."""
        return Cursor(self._require(), self._stated, self._require)

    def directory(self) -> Directory:
        """Who there is to ask, and what: tables and columns as far as this caller may use them."""
        client = self._require()
        with failures.raised_as_pep_249():
            return client.directory()

    def commit(self) -> None:
        """Does nothing: nothing was written."""
        self._require()

    def rollback(self) -> None:
        """Does nothing: an answer cannot be taken back, nor its charge."""
        self._require()

    def close(self) -> None:
        """Ends the connection; raises InterfaceError the second time, as PEP 249 suggests."""
        client = self._require()
        self._open = False
        if self._owned:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            self.close()

    def _require(self) -> Client:
        if not self._open:
            raise failures.InterfaceError("This connection is closed; connect again.")
        return self._client
