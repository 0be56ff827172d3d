"""The ground that a federation stands on: keys, certificates, tokens and settings of each process.

All of it is made for development and lies in one state folder, which `Ground.lay` prepares once
and finds again later.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from landbridge.edge.state import log_signer, witness_key
from landbridge.federation.folder import FederationFolder, FederationInvalid, MemberFolder
from landbridge.federation.members import pin, write_manifest
from landbridge.identity.certificates import server_name
from landbridge.identity.development import (
    DevelopmentAuthority,
    DevelopmentIssuer,
    write_private,
)
from landbridge.membership.renewal import Life

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Console:
    """What the gateway's console is told: the provider's address, and departments' desks."""

    provider: str
    desks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ground:
    """The state folder of a federation that is about to run."""

    federation: FederationFolder
    state: Path
    issuer: DevelopmentIssuer
    authority: DevelopmentAuthority

    @classmethod
    def lay(cls, federation: FederationFolder, state: Path) -> Ground:
        """Makes what is missing in `state`; raises OSError where it cannot be written."""
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        issuing, certifying = state / "issuer", state / "authority"
        issuer = (
            DevelopmentIssuer.load(issuing)
            if issuing.exists()
            else DevelopmentIssuer.create(issuing, federation.issuer, federation.audience)
        )
        authority = (
            DevelopmentAuthority.load(certifying)
            if certifying.exists()
            else DevelopmentAuthority.create(certifying, federation.name)
        )
        ground = cls(federation, state, issuer, authority)
        for name in ("gateway", *(member.department for member in federation.members)):
            ground._certify(name)
        return ground

    def token(self, caller: str, **changes: object) -> str:
        """A development token for a caller of `gateway/callers.toml`, for an hour.

        `changes` replace what stands there; with `subject` it is of another person like them.
        """
        known = self.federation.callers.get(caller)
        if known is None:
            names = ", ".join(self.federation.callers) or "nobody"
            raise FederationInvalid(f"There is no development caller {caller!r}; there is {names}.")
        terms: dict[str, object] = {
            "organisation": known.organisation,
            "clearance": known.clearance,
            "purposes": known.purposes,
            "client": "landbridge-development",
            **changes,
        }
        subject = str(terms.pop("subject", known.name))
        return self.issuer.issue(subject, **terms)  # type: ignore[arg-type]

    @property
    def ca(self) -> Path:
        """The certificate authority that callers trust."""
        return self.state / "authority" / "development-ca.pem"

    def folder(self, name: str) -> Path:
        """Where a member, or "gateway", keeps its state."""
        return self.state / name

    def node_settings(self, member: MemberFolder, port: int) -> Path:
        """Writes the member's `node.toml`."""
        values: dict[str, str | bool] = {
            "department": member.department,
            "title": member.title,
            "federation": self.federation.name,
            "listen": f"{HOST}:{port}",
            "state": str(self.folder(member.department)),
            "contracts": str(member.folder / "contracts"),
            "handlers": str(member.folder / "handlers"),
            "access": str(member.folder / "access.cedar"),
            "groups": str(member.folder / "groups"),
            "publish_access": member.publish_access,
        }
        gateway, name = self.folder("gateway"), self._log_name("gateway")
        watching = {
            "gateway_log": log_signer(gateway, name).vkey,
            "gateway_witness": witness_key(gateway, name).vkey,
        }
        engine = [f"{key} = {json.dumps(value)}" for key, value in member.engine.items()]
        more = ["[engine]", *engine] if engine else []
        return self._settings(member.department, "node.toml", values, watching, more)

    def enrol(self, granted: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Gives every member its keys and the manifest, before any of them runs.

        `granted` are each one's contracts and handlers.
        """
        pin(self.federation, self.state, self._manifest({}, granted))

    def gateway_settings(
        self,
        addresses: Mapping[str, str],
        granted: Mapping[str, Mapping[str, Sequence[str]]],
        console: Console | None = None,
    ) -> Path:
        """Writes `gateway.toml` and the manifest of members beside it."""
        folder = self.folder("gateway")
        self._manifest(addresses, granted)
        values = {
            "federation": self.federation.name,
            "listen": f"{HOST}:{self.federation.gateway_port}",
            "state": str(folder),
            "access": str(self.federation.path / "gateway" / "access.cedar"),
            "manifest": str(folder / "manifest.json"),
            "procedures": str(self.federation.path / "gateway" / "procedures"),
        }
        if self.federation.flight_port is not None:
            values["listen_flight"] = f"{HOST}:{self.federation.flight_port}"
        lines = [] if console is None else self._console(console)
        return self._settings("gateway", "gateway.toml", values, more=lines)

    def _console(self, console: Console) -> list[str]:
        lines = [
            "[console]",
            f"listen = {json.dumps(f'{HOST}:{self.federation.console_port}')}",
            f"provider = {json.dumps(console.provider)}",
            f"provider_ca = {json.dumps(str(self.ca))}",
        ]
        for department, address in console.desks.items():
            lines += [
                "[[console.desk]]",
                f"department = {json.dumps(department)}",
                f"address = {json.dumps(address)}",
            ]
        return lines

    def desk_settings(self, department: str, provider: str) -> Path:
        """Writes the `desk.toml` of a department's officers."""
        folder = self.folder(department)
        lines = [
            f"department = {json.dumps(department)}",
            f"review = {json.dumps(str(folder / 'review'))}",
            *self._identity(),
            "[tls]",
            f"key = {json.dumps(str(folder / 'tls.key'))}",
            f"certificate = {json.dumps(str(folder / 'tls.pem'))}",
            "[sign_in]",
            f"provider = {json.dumps(provider)}",
            f"provider_ca = {json.dumps(str(self.ca))}",
        ]
        path = folder / "desk.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def _identity(self) -> list[str]:
        return [
            "[identity]",
            f"issuer = {json.dumps(self.issuer.issuer)}",
            f"audience = {json.dumps(self.issuer.audience)}",
            f"jwks = {json.dumps(str(self.state / 'issuer' / 'jwks.json'))}",
        ]

    def _manifest(
        self,
        addresses: Mapping[str, str],
        granted: Mapping[str, Mapping[str, Sequence[str]]],
    ) -> Path:
        names = {each.department: server_name(each.department) for each in self.federation.members}
        return write_manifest(self.federation, self.state, names, addresses, granted)

    def _certify(self, name: str) -> None:
        folder = self.folder(name)
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / "tls.pem"
        # Kept between runs, it may have come to its end meanwhile.
        if not path.exists() or Life.of(path.read_bytes()).renews <= time.time():
            key, certificate = self.authority.certificate(
                name, ["localhost", HOST, server_name(name)]
            )
            (folder / "tls.key").unlink(missing_ok=True)  # left by a run that died in between
            write_private(folder / "tls.key", key)
            path.write_bytes(certificate)

    def _log_name(self, name: str) -> str:
        return f"{self.federation.name}/{name}"

    def _settings(
        self,
        name: str,
        file: str,
        values: Mapping[str, str | bool],
        watching: Mapping[str, str] = MappingProxyType({}),
        more: Sequence[str] = (),
    ) -> Path:
        folder = self.folder(name)
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        lines += [
            *self._identity(),
            "[tls]",
            f"key = {json.dumps(str(folder / 'tls.key'))}",
            f"certificate = {json.dumps(str(folder / 'tls.pem'))}",
            f"authority = {json.dumps(str(self.ca))}",
            "[log]",
            *(f"{key} = {json.dumps(value)}" for key, value in watching.items()),
            *more,
        ]
        path = folder / file
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
