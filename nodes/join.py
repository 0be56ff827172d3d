"""`landbridge node join`: makes keys, applies with a code, waits, and writes what was granted."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from landbridge.edge.state import log_signer, witness_key
from landbridge.evidence.keyfile import read_key, write_key
from landbridge.identity.certificates import server_name
from landbridge.membership.application import Application
from landbridge.membership.code import JoinCode
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import ManifestInvalid, MemberEntry, read_manifest
from landbridge.membership.pinned import Pinned, replace_durably
from landbridge.status import from_rpc_error
from landbridge.v1 import enrolment_pb2, enrolment_pb2_grpc
from nodes import policy as policies_of
from nodes.settings import Settings

_ADDRESS: Final = "gateway.address"
"""In the state folder: where this department reached its gateway, for its doctor alone."""

PAUSE = 1.0
"""Seconds between two questions whether the operator has decided."""


class JoinFailed(Exception):
    """The department is no member; one sentence for its operator."""


def join(
    code: JoinCode,
    settings: Settings,
    address: str,
    confirm: Callable[[str], bool],
    tell: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Returns when the department is a member and its files are in place; raises JoinFailed.

    `confirm` is shown the gateway's fingerprint before anything is sent; `address` is where the
    gateway will reach this node. The same code again continues what was interrupted.
    """
    if (settings.department, settings.federation) != (code.department, code.federation):
        raise JoinFailed(
            f"The code is for department {code.department} of federation {code.federation}; "
            "node.toml names another."
        )
    if settings.gateway != code.gateway:
        raise JoinFailed(f"The code's gateway is {code.gateway}; node.toml names another.")
    if not confirm(code.fingerprint):
        raise JoinFailed("Nothing was sent.")
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = _tls_key(settings.tls_key)
    application = _application(code, settings, address, key)
    tell(f"This department's fingerprint is {application.fingerprint}")
    tell("The gateway's operator compares it and approves; this command waits.")
    _finish(code, settings, key, _await(code, application, pause))


def _application(
    code: JoinCode, settings: Settings, address: str, key: ec.EllipticCurvePrivateKey
) -> Application:
    """What is sent: the same bytes for the same code, so that waiting can be interrupted."""
    path = settings.state / "application.json"
    mark = sha256(code.text().encode()).hexdigest()
    if path.exists():
        found = json.loads(path.read_bytes())
        if found["code"] == mark:
            return Application(*(b64decode(found[part]) for part in ("entry", "request", "proof")))
    served = policies_of.read(
        settings.department, settings.contracts, settings.handlers, settings.access
    )
    entry = MemberEntry(
        settings.department,
        settings.title or settings.department,
        address,
        server_name(settings.department),
        tuple(sorted(served.contracts)),
        tuple(sorted(served.handlers)),
        log_signer(settings.state, f"{settings.federation}/{settings.department}").vkey,
        MemberKeys.in_folder(settings.state).public,
        witness_key=witness_key(
            settings.state, f"{settings.federation}/{settings.department}"
        ).vkey,
    )
    made = Application.make(code, entry, key)
    kept = {"entry": made.entry, "request": made.request, "proof": made.proof}
    texts = {name: b64encode(part).decode() for name, part in kept.items()}
    replace_durably(path, json.dumps({"code": mark, **texts}).encode())
    return made


def _await(
    code: JoinCode, application: Application, pause: Callable[[float], None]
) -> enrolment_pb2.JoinResponse:
    trusted = x509.load_der_x509_certificate(code.authority)
    credentials = grpc.ssl_channel_credentials(trusted.public_bytes(serialization.Encoding.PEM))
    # The authority certifies members too; only the gateway's own certificate has this name.
    name = server_name(code.gateway)
    request = enrolment_pb2.JoinRequest(
        entry=application.entry,
        certificate_request=application.request,
        proof=application.proof,
    )
    with grpc.secure_channel(
        code.address, credentials, [("grpc.ssl_target_name_override", name)]
    ) as channel:
        stub = enrolment_pb2_grpc.EnrolmentStub(channel)
        while True:
            try:
                found = stub.Join(request, timeout=10)
            except grpc.RpcError as failure:
                said = from_rpc_error(failure)
                raise JoinFailed(f"{said.message} ({said.reason})") from None
            match found.state:
                case enrolment_pb2.JoinResponse.STATE_ADMITTED:
                    return found
                case enrolment_pb2.JoinResponse.STATE_WAITING:
                    pause(PAUSE)
                case _:
                    raise JoinFailed("The gateway's operator said no.")


def _finish(
    code: JoinCode,
    settings: Settings,
    key: ec.EllipticCurvePrivateKey,
    granted: enrolment_pb2.JoinResponse,
) -> None:
    """Writes certificate, authority and pin, after checking that they are what was asked for."""
    authority = x509.load_der_x509_certificate(code.authority)
    try:
        certificate = x509.load_pem_x509_certificate(granted.certificate)
        certificate.verify_directly_issued_by(authority)
        manifest = read_manifest(granted.manifest)
        own = manifest.member(settings.department)
        sound = (
            certificate.public_key() == key.public_key()
            and (manifest.federation, manifest.gateway) == (code.federation, code.gateway)
            and own is not None
            and own.raw_keys == MemberKeys.in_folder(settings.state).public.raw()
        )
    except (ValueError, TypeError, InvalidSignature, ManifestInvalid):
        sound = False
    if not sound:
        raise JoinFailed(
            "The gateway sent a certificate or manifest that is not this department's."
        )
    replace_durably(settings.tls_authority, authority.public_bytes(serialization.Encoding.PEM))
    replace_durably(settings.tls_certificate, granted.certificate)
    replace_durably(settings.state / _ADDRESS, code.address.encode())
    Pinned.first(settings.state, granted.manifest)


def gateway_address(state: Path) -> str:
    """Where the gateway was when the department joined, "host:port"; empty where nobody knows."""
    try:
        return (state / _ADDRESS).read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _tls_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_key(path, pem)
    key = serialization.load_pem_private_key(read_key(path), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise JoinFailed(f"{path} holds no key of the curve P-256.")
    return key
