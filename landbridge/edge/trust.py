"""Whom a server believes: the `[identity]` and `[[issuer]]` tables, and the verifier they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from landbridge.edge.settings import Section
from landbridge.identity.address import LAST_GOOD, KeyAddress
from landbridge.identity.bound import BoundOnly
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import Peer
from landbridge.identity.fetch import Fetcher
from landbridge.identity.issuers import Issuers, Verifier
from landbridge.identity.keys import KeySet
from landbridge.identity.revocation import Revocations
from landbridge.identity.signature import ALGORITHMS
from landbridge.identity.tokens import TokenVerifier


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer: exactly one of `jwks` and `jwks_url`; None for `organisations` means all."""

    name: str
    audience: str
    jwks: Path | None
    jwks_url: str
    jwks_ca: Path | None
    organisations: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Trust:
    """What an operator decides about callers' tokens; with `bound` no others are taken."""

    issuers: tuple[Issuer, ...]
    algorithms: frozenset[str]
    revoked: Path | None
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Trusted:
    """The verifier of a server that runs, and how to end what it has started."""

    verifier: Verifier
    close: Callable[[], None]
    revocations: Revocations | None = None
    bound: bool = False

    def callers(self, *, officers: bool = False) -> Verifier:
        """For tokens that come over gRPC: with `officers` those on this machine's own socket need
        not be bound, where others have to be.
        """
        return BoundOnly(self.verifier, officers=officers) if self.bound else self.verifier

    def revoked(self, member: Peer, now: float) -> bool:
        """Whether that member's certificate is on the list at `now`."""
        return self.revocations is not None and self.revocations.hold_certificate(
            member.fingerprint, member.serial, now
        )

    def revoked_caller(self, caller: Caller, now: float) -> bool:
        """Whether the token that this caller once showed is on the list at `now`.

        The key that signed it is not known any more; everything else of it is looked at.
        """
        return self.revocations is not None and self.revocations.hold(caller, "", now)


def read_trust(top: Section, problems: list[str]) -> Trust:
    """The trust that the file's `[identity]` and `[[issuer]]` tables describe.

    A file has either one issuer in `[identity]` or several in `[[issuer]]`. Several issuers must
    each name the organisations that they speak for, none of them twice: otherwise the provider of
    one organisation could make callers of another, who spend its budget.
    """
    identity, listed = top.section("identity"), top.tables("issuer")
    algorithms = frozenset(identity.texts("algorithms", ALGORITHMS))
    problems += [
        f"identity.algorithms holds {algorithm!a}; known are {', '.join(ALGORITHMS)}"
        for algorithm in sorted(algorithms - set(ALGORITHMS))
    ]
    if not algorithms:
        problems.append("identity.algorithms must hold at least one algorithm")
    revoked = identity.optional_path("revoked")
    bound = identity.boolean("bound", default=False)
    issuers = [_issuer(section, "issuer", problems) for section in listed or [identity]]
    identity.done()
    for section in listed:
        section.done()
    if len({issuer.name for issuer in issuers}) < len(issuers):
        problems.append("two [[issuer]] tables have the same issuer")
    if len(issuers) > 1:
        named = [name for issuer in issuers for name in issuer.organisations or ()]
        if any(not issuer.organisations for issuer in issuers) or len(set(named)) < len(named):
            problems.append(
                "several [[issuer]] tables must each name their organisations, each of them once"
            )
    return Trust(tuple(issuers), algorithms, revoked, bound)


def _issuer(section: Section, key: str, problems: list[str]) -> Issuer:
    jwks, url = section.optional_path("jwks"), section.text("jwks_url", "")
    ca = section.optional_path("jwks_ca")
    if (jwks is None) == (not url):
        problems.append(
            f"{section.name}jwks (a file) or {section.name}jwks_url is needed, not both"
        )
    if ca is not None and not url:
        problems.append(f"{section.name}jwks_ca is for {section.name}jwks_url")
    organisations = section.texts("organisations", ())
    return Issuer(
        section.text(key),
        section.text("audience"),
        jwks,
        url,
        ca,
        frozenset(organisations) if organisations else None,
    )


def trusted(trust: Trust) -> Trusted:
    """The verifier, with every key and the revocation list read once; starts what follows them.

    Raises SourceError, one sentence for the operator.
    """
    revocations = None if trust.revoked is None else Revocations.load(trust.revoked)
    addresses: list[tuple[KeyAddress, KeySet]] = []
    verifiers: dict[str, Verifier] = {}
    for issuer in trust.issuers:
        if issuer.jwks is not None:
            keys = KeySet.load(issuer.jwks)
        else:
            address = KeyAddress(issuer.jwks_url, Fetcher(issuer.jwks_url, issuer.jwks_ca))
            keys = KeySet(address, grace=LAST_GOOD)
            addresses.append((address, keys))
        verifiers[issuer.name] = TokenVerifier(
            issuer.name,
            issuer.audience,
            keys,
            algorithms=trust.algorithms,
            organisations=issuer.organisations,
            revocations=revocations,
        )
    for address, keys in addresses:
        address.start(keys.renew)

    def close() -> None:
        for address, _ in addresses:
            address.close()

    # One issuer needs no look at an unverified claim.
    only = next(iter(verifiers.values()))
    verifier = only if len(verifiers) == 1 else Issuers(verifiers)
    return Trusted(verifier, close, revocations, trust.bound)
