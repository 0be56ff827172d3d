"""An application form, sealed by the applicant's client to each department that needs a part of it.

The gateway carries what it cannot read. Forms of one case are signed with a key that is made for
it and thrown away: whoever carries them can neither change a part nor add one. Whose sealing keys
are used is the manifest's word; a client that was given one of its own holds the gateway to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.answers import Value
from landbridge.errors import error
from landbridge.membership.manifest import Manifest, ManifestInvalid, read_manifest
from landbridge.protocols.envelope import seal
from landbridge.protocols.sealing import SealingKey
from landbridge.protocols.step_info import form_info
from landbridge.v1 import case_pb2, question_pb2, step_pb2
from landbridge.wire import write_literal


def sealed_application(
    described: case_pb2.DescribeProcedureResponse,
    form: Mapping[str, Value],
    *,
    purpose: str,
    consent: str,
    case_id: str,
    pinned: bytes | None,
) -> case_pb2.OpenRequest:
    """The request that opens the case; raises INVALID_ARGUMENT for a form that does not fit.

    `pinned` is a manifest that the caller has from elsewhere.
    """
    values = _checked(described, form)
    keys = _keys(described, pinned)
    signer = Ed25519PrivateKey.generate()
    request = case_pb2.OpenRequest(
        case_id=case_id,
        procedure=described.procedure,
        digest=described.digest,
        purpose=purpose,
        form_key=signer.public_key().public_bytes_raw(),
    )
    for step in described.steps:
        if step.consent and not consent:
            raise error(
                "CONSENT_MISSING",
                f"Step {step.step} needs the subject's consent.",
                hint="Give its reference as consent.",
            )
        content = step_pb2.Form(
            arguments={argument: values[field] for argument, field in step.fields.items()},
            consent=consent if step.consent else "",
        )
        envelope = seal(
            content.SerializeToString(deterministic=True),
            form_info(described.procedure, case_id, step.step),
            keys[step.department],
            signer,
        )
        request.forms.append(
            case_pb2.SealedForm(
                step=step.step,
                form=step_pb2.Sealed(sealed=envelope.sealed, signature=envelope.signature),
            )
        )
    return request


def _checked(
    described: case_pb2.DescribeProcedureResponse, form: Mapping[str, Value]
) -> dict[str, question_pb2.Literal]:
    declared = {field.name: field.type for field in described.fields}
    for name in form:
        if name not in declared:
            raise error(
                "INVALID_ARGUMENT",
                f"The form of {described.procedure} has no field {name[:40]!r}.",
                hint=f"It has {', '.join(declared)}.",
            )
    for name, kind in declared.items():
        value = form.get(name)
        fits = type(value) is int if kind == "integer" else isinstance(value, str)
        if not fits:
            wanted = "a whole number" if kind == "integer" else "text"
            raise error("INVALID_ARGUMENT", f"The field {name} of the form is {wanted}.")
    return {name: write_literal(value, f"The field {name}") for name, value in form.items()}


def _keys(
    described: case_pb2.DescribeProcedureResponse, pinned: bytes | None
) -> dict[str, SealingKey]:
    try:
        offered = read_manifest(described.manifest)
        known = read_manifest(pinned) if pinned is not None else None
    except ManifestInvalid as invalid:
        raise error("ANSWER_REJECTED", str(invalid)) from None
    departments = {step.department for step in described.steps}
    keys = {name: _key(offered, name) for name in departments}
    if known is not None:
        for name, key in keys.items():
            if _key(known, name).to_bytes() != key.to_bytes():
                raise error(
                    "ANSWER_REJECTED",
                    f"The gateway shows another key of department {name} than your manifest.",
                    hint="Nothing was sent. Ask the department which key is its own.",
                )
    return keys


def _key(manifest: Manifest, department: str) -> SealingKey:
    member = manifest.member(department)
    if member is None:
        raise error(
            "ANSWER_REJECTED", f"Department {department} of the procedure is in no manifest."
        )
    return member.keys.sealing
