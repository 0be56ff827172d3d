"""Values on their way from one department to another: section 3 of the protocols.

A seals and signs what its handler passes on, to the pinned key of the department that gets it. The
gateway carries envelopes that it cannot read. `info` names procedure, case and the step that the
envelope is for: B opens it for that step of that case and for no other. Forms are sealed by the
applicant's client in the same way, under a key that is made for the case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError, Message

from landbridge.errors import LandbridgeError, error
from landbridge.literals import from_literal, to_literal
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.protocols.envelope import Envelope, open_, seal
from landbridge.protocols.step_info import form_info, step_info
from landbridge.v1 import question_pb2, step_pb2
from nodes.convert import refuse_unknown_fields
from policies.handler import Handler

Value = int | str
_Kind = TypeVar("_Kind", bound=Message)


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a case of a procedure, at this department."""

    procedure: str
    case: str
    step: str


@dataclass(frozen=True, slots=True)
class Form:
    """What the applicant sealed for this step: arguments, and a reference of the consent."""

    arguments: Mapping[str, object]
    consent: str


class HandOver:
    """One department's envelopes. `manifest` gives the one that is pinned now."""

    def __init__(self, department: str, keys: MemberKeys, manifest: Callable[[], Manifest]) -> None:
        self._department = department
        self._keys = keys
        self._manifest = manifest

    def form(self, place: Place, sealed: step_pb2.Sealed, key: bytes) -> Form:
        """The applicant's form; raises ANSWER_REJECTED for one that is not for this step."""
        try:
            sender = Ed25519PublicKey.from_public_bytes(key)
        except (ValueError, UnsupportedAlgorithm):
            raise _rejected() from None
        info = form_info(place.procedure, place.case, place.step)
        content = _parsed(step_pb2.Form(), self._opened(sealed, info, sender))
        return Form(_values(content.arguments), content.consent)

    def inputs(
        self, place: Place, handler: Handler, inputs: Sequence[step_pb2.HandedInput]
    ) -> dict[str, object]:
        """The handler's arguments that other departments handed over, by name.

        Raises ANSWER_REJECTED for an envelope that is not its sender's, or not for this step, and
        ACCESS_DENIED for a value that the handler's owner does not take from there.
        """
        found: dict[str, object] = {}
        info = step_info(place.procedure, place.case, place.step)
        for each in inputs:
            sender = self._member(each.department).keys.signing
            content = _parsed(step_pb2.HandOver(), self._opened(each.envelope, info, sender))
            said = (content.department, content.handler, content.step)
            if said != (each.department, each.handler, each.step):
                raise _rejected()
            values = _values(content.values)
            for argument, value in each.arguments.items():
                source = f"{content.department}.{content.handler}.{value}"
                if source not in handler.sources.get(argument, ()):
                    raise error(
                        "ACCESS_DENIED",
                        f"Handler {handler.name} does not take {argument[:40]} from there.",
                        rule="handler.sources",
                        hint="Its owner lists what each argument may come from.",
                    )
                if value not in values or argument in found:
                    raise _rejected()
                found[argument] = values[value]
        return found

    def require_recipients(
        self, handler: Handler, recipients: Sequence[step_pb2.Recipient]
    ) -> None:
        """Raises ACCESS_DENIED for a value that the owner does not let flow to that department."""
        passes = {each.name: each.to for each in handler.passes}
        for recipient in recipients:
            self._member(recipient.department)
            for value in recipient.values:
                if recipient.department not in passes.get(value, ()):
                    raise error(
                        "ACCESS_DENIED",
                        f"Handler {handler.name} does not hand {value[:40]} over to "
                        f"{recipient.department[:40]}.",
                        rule="handler.passes",
                        hint="Its owner lists which departments each value goes to.",
                    )

    def seal(
        self,
        place: Place,
        handler: Handler,
        handed: Mapping[str, Value],
        recipients: Sequence[step_pb2.Recipient],
    ) -> list[step_pb2.HandedOutput]:
        """An envelope for each recipient, with its values alone; none about an unknown subject."""
        if handler.passes and not handed:
            return []
        self.require_recipients(handler, recipients)
        outputs = []
        for recipient in recipients:
            content = step_pb2.HandOver(
                department=self._department,
                handler=handler.name,
                step=place.step,
                values={name: to_literal(handed[name]) for name in recipient.values},
            )
            envelope = seal(
                content.SerializeToString(deterministic=True),
                step_info(place.procedure, place.case, recipient.step),
                self._member(recipient.department).keys.sealing,
                self._keys.signing,
            )
            outputs.append(
                step_pb2.HandedOutput(
                    step=recipient.step,
                    envelope=step_pb2.Sealed(sealed=envelope.sealed, signature=envelope.signature),
                )
            )
        return outputs

    def _opened(self, sealed: step_pb2.Sealed, info: bytes, sender: Ed25519PublicKey) -> bytes:
        return open_(Envelope(sealed.sealed, sealed.signature), info, self._keys.opening, sender)

    def _member(self, department: str) -> MemberEntry:
        member = self._manifest().member(department)
        if member is None:
            raise error(
                "ACCESS_DENIED",
                "A department of this case is not in the manifest that is accepted here.",
                rule="manifest",
            )
        return member


def _parsed(message: _Kind, content: bytes) -> _Kind:
    try:
        message.MergeFromString(content)
    except DecodeError:
        raise _rejected() from None
    refuse_unknown_fields(message)
    return message


def _values(literals: Mapping[str, question_pb2.Literal]) -> dict[str, object]:
    return {name: from_literal(literal) for name, literal in literals.items()}


def _rejected() -> LandbridgeError:
    return error(
        "ANSWER_REJECTED", "A sealed message is not from its sender, or not for this step."
    )
