"""The manifest: who the members are, with their keys, under the gateway's signature.

One JSON document in the canonical form of RFC 8785, which for what stands in it (objects, lists,
texts, small whole numbers; ASCII names) the standard library writes; docs/members.md has every
field. A version is never reused and never goes back.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from landbridge.identity.json_object import json_object
from landbridge.membership.canonical import parts
from landbridge.membership.keys import PublicKeys

_LABEL: Final = b"landbridge manifest v1"
_FORM: Final = 1
LONGEST: Final = 3 * 1024 * 1024
"""Bytes of a document: about a thousand members, and below the limit of a message."""


class ManifestInvalid(Exception):
    """The document is no manifest, or not its gateway's; one sentence without its content."""


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A member. `name` is in its server certificate, `log_key` the verifier key of its log,
    `witness_key` the one of its cosignatures under the gateway's log (empty: it is no witness).

    `rotation` is the earlier signing key's signature for these keys (`PublicKeys.rotation`).
    """

    department: str
    title: str
    address: str
    name: str
    contracts: tuple[str, ...]
    handlers: tuple[str, ...]
    log_key: str
    keys: PublicKeys
    rotation: bytes = b""
    witness_key: str = ""

    @property
    def raw_keys(self) -> tuple[bytes, bytes, bytes]:
        """Signing, sealing and masking key in bytes, which can be compared."""
        return self.keys.raw()

    def owns_log_key(self, federation: str) -> bool:
        """Whether the log's key carries this member's own name, and nobody else's."""
        return self.log_key.startswith(f"{federation}/{self.department}+")

    def owns_witness_key(self, federation: str) -> bool:
        """Whether the key of its cosignatures does, where it has one."""
        own = f"{federation}/{self.department}/witness+"
        return not self.witness_key or self.witness_key.startswith(own)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Version `version` of a federation's list. `gateway_key` signs it and every question.

    `gateway_log` is the verifier key of the gateway's log, `gateway_witness` the one of its
    cosignatures under the members' logs.
    """

    federation: str
    version: int
    gateway: str
    gateway_key: Ed25519PublicKey
    members: tuple[MemberEntry, ...] = ()
    gateway_log: str = ""
    gateway_witness: str = ""

    def member(self, department: str) -> MemberEntry | None:
        """The entry of that department."""
        return next((each for each in self.members if each.department == department), None)

    def following(self, members: Iterable[MemberEntry]) -> Manifest:
        """The next version, with these members in this order, which the catalogue keeps."""
        return replace(self, version=self.version + 1, members=tuple(members))

    def signed(self, key: Ed25519PrivateKey) -> bytes:
        """The document, by its gateway's own key; raises ValueError for another."""
        if key.public_key().public_bytes_raw() != self.gateway_key.public_bytes_raw():
            raise ValueError("A manifest is signed with the key that stands in it.")
        body = _body(self)
        signature = b64encode(key.sign(parts((_LABEL, canonical_json(body))))).decode()
        return canonical_json({"manifest": body, "signature": signature})


def read_manifest(document: bytes, trusted: Ed25519PublicKey | None = None) -> Manifest:
    """The manifest in a signed document; raises ManifestInvalid.

    `trusted` is the gateway's key that the reader knows; without it the document must only agree
    with itself, which is for a reader who then compares the key with a person's eyes.
    """
    if len(document) > LONGEST:
        raise ManifestInvalid("The manifest is too long.")
    try:
        outer = json_object(document)
        manifest = _manifest(_part(outer, "manifest", dict))
        signature = b64decode(_part(outer, "signature", str), validate=True)
        sound = canonical_json(outer) == document and len(outer) == 2
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise ManifestInvalid("The document is no manifest in canonical form.")
    key = trusted or manifest.gateway_key
    if key.public_bytes_raw() != manifest.gateway_key.public_bytes_raw():
        raise ManifestInvalid("The manifest is that of another gateway key than the trusted one.")
    try:
        key.verify(signature, parts((_LABEL, canonical_json(_body(manifest)))))
    except InvalidSignature:
        raise ManifestInvalid("The manifest is not signed by its gateway.") from None
    return manifest


def canonical_json(value: object) -> bytes:
    """RFC 8785 for objects with ASCII names, lists, texts and whole numbers below 2^53."""
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


def _body(manifest: Manifest) -> dict[str, object]:
    return {
        "v": _FORM,
        "federation": manifest.federation,
        "version": manifest.version,
        "gateway": manifest.gateway,
        "gateway_key": b64encode(manifest.gateway_key.public_bytes_raw()).decode(),
        "gateway_log": manifest.gateway_log,
        "gateway_witness": manifest.gateway_witness,
        "members": [_entry_body(each) for each in manifest.members],
    }


def _entry_body(entry: MemberEntry) -> dict[str, object]:
    signing, sealing, masking = entry.keys.texts()
    return {
        "department": entry.department,
        "title": entry.title,
        "address": entry.address,
        "name": entry.name,
        "contracts": list(entry.contracts),
        "handlers": list(entry.handlers),
        "log_key": entry.log_key,
        "signing_key": signing,
        "sealing_key": sealing,
        "masking_key": masking,
        "rotation": b64encode(entry.rotation).decode(),
        "witness_key": entry.witness_key,
    }


def _manifest(body: Mapping[str, Any]) -> Manifest:
    if type(body["v"]) is not int or body["v"] != _FORM or type(body["version"]) is not int:
        raise ValueError
    if not 0 < body["version"] < 1 << 53:
        raise ValueError
    manifest = Manifest(
        _text(body["federation"]),
        body["version"],
        _text(body["gateway"]),
        Ed25519PublicKey.from_public_bytes(b64decode(body["gateway_key"], validate=True)),
        tuple(entry_from(each) for each in body["members"]),
        _text(body["gateway_log"]),
        _text(body["gateway_witness"]),
    )
    names = [each.department for each in manifest.members]
    if len(set(names)) != len(names) or _body(manifest) != dict(body):
        raise ValueError  # somebody stands twice, or something that nobody knows stands there
    return manifest


def entry_from(body: Mapping[str, Any]) -> MemberEntry:
    """The entry that `entry_to` wrote; raises ValueError, KeyError or TypeError."""
    return MemberEntry(
        _text(body["department"]),
        _text(body["title"]),
        _text(body["address"]),
        _text(body["name"]),
        tuple(map(_text, body["contracts"])),
        tuple(map(_text, body["handlers"])),
        _text(body["log_key"]),
        PublicKeys.from_texts(body["signing_key"], body["sealing_key"], body["masking_key"]),
        b64decode(body["rotation"], validate=True),
        _text(body["witness_key"]),
    )


def entry_to(entry: MemberEntry) -> dict[str, object]:
    """The entry as it stands in the document."""
    return _entry_body(entry)


_Kind = TypeVar("_Kind")


def _part(outer: Mapping[str, object], name: str, kind: type[_Kind]) -> _Kind:
    value = outer[name]
    if not isinstance(value, kind):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
