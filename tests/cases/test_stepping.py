"""A department takes a step once, for a caller who showed a token, and only with what is meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.evidence.log import Log
from landbridge.evidence.lookup import Lookup
from landbridge.evidence.receipt import verify_receipt
from landbridge.evidence.signer import Signer
from landbridge.identity.caller import Caller
from landbridge.identity.certificates import NONE_PRESENTED, Presented
from landbridge.levels import Level
from landbridge.literals import from_literal, to_literal
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.protocols.envelope import Envelope, open_, seal
from landbridge.protocols.step_info import form_info, step_info, step_question
from landbridge.v1 import step_pb2
from nodes.computing import Computed, Computing
from nodes.guard import Asking, Guard
from nodes.hand_over import HandOver
from nodes.quotas import Quotas
from nodes.step_memory import StepMemory
from nodes.stepping import Stepping
from policies import handler as sql_source
from policies import odcs
from policies.access import AccessPolicy
from policies.handler import Handler
from policies.reply import Reply

EXAMPLE = Path(__file__).parents[2] / "examples" / "justice_handover"
PURPOSE = "dpv:LegalCompliance"
CASE = "c" * 32
GOOD = "good"
CALLER = Caller(
    "officer", "police-station", "client", Level.RESTRICTED, frozenset({PURPOSE}), "t", 9e9
)


class Counting(Computing):
    """Computes what it was told, and counts how often."""

    def __init__(self, handed: dict[str, int | str]) -> None:
        self.times = 0
        self.handed = handed

    def compute(self, handler: Handler, values: Any, time_left: Any) -> Computed:
        """As the real one, without an engine."""
        del handler, values, time_left
        self.times += 1
        return Computed(Reply("PASS"), self.handed, "v1")


class Verifier:
    """Knows one token."""

    def verify_passed_on(self, token: str) -> Caller:
        """The officer's."""
        if token != GOOD:
            raise error("TOKEN_INVALID")
        return CALLER

    def verify(self, token: str, certificate: Presented = NONE_PRESENTED) -> Caller:
        """The same."""
        del certificate
        return self.verify_passed_on(token)


class Office:
    """One department of the example, in this process; `restart` is a crash."""

    keys = {name: MemberKeys.create() for name in ("police", "prosecution", "court")}  # noqa: RUF012
    form_signer = Ed25519PrivateKey.generate()

    def __init__(self, folder: Path, name: str, handed: dict[str, int | str]) -> None:
        self.folder, self.name, self.handed = folder, name, handed
        self.signer = Signer.create(f"test/{name}")
        self.access = (EXAMPLE / name / "access.cedar").read_text()
        (path,) = (EXAMPLE / name / "handlers").glob("*.sql")
        self.handler = sql_source.read(path.read_text(), path.name)
        self.kill = ""
        self.start()

    def start(self) -> None:
        """As `nodes.app` does."""
        place = self.folder / self.name
        place.mkdir(exist_ok=True)
        self.log = Log.open(place / "log", place / "journal", self.signer)
        self.recorder = Recorder(self.log, SubjectKey.create(), "0" * 64, lambda: 1.79e9)
        (path,) = (EXAMPLE / self.name / "contracts").glob("*.yaml")
        contract = odcs.read(path.read_bytes(), path.name)
        guard = Guard(
            self.name,
            {contract.id: contract},
            {self.handler.name: self.handler},
            AccessPolicy.load(
                self.access,
                "access.cedar",
                contracts=[contract.id],
                handlers=[f"{self.name}.{self.handler.name}"],
            ),
            Verifier(),
            lambda: 1.79e9,
        )
        self.quotas = Quotas(place / "quotas.sqlite", lambda: 1.79e9)
        self.memory = StepMemory(place / "steps.sqlite", lambda: 1.79e9)
        self.memory.recover(place / "log")
        self.computing = Counting(self.handed)
        hand_over = HandOver(self.name, self.keys[self.name], lambda: self.manifest)
        self.stepping = Stepping(
            guard, self.quotas, self.computing, self.recorder, self.memory, hand_over
        )

    @property
    def manifest(self) -> Manifest:
        """All three."""
        return Manifest(
            "test",
            1,
            "gateway",
            Ed25519PrivateKey.generate().public_key(),
            tuple(
                MemberEntry(name, name, "", name, (), (), "", keys.public)
                for name, keys in self.keys.items()
            ),
        )

    def restart(self) -> None:
        """All that is not on disk is gone."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Lets go of the files."""
        for each in (self.quotas, self.memory, self.log):
            each.close()

    def take(self, request: step_pb2.TakeRequest, bearer: str = GOOD) -> step_pb2.TakeResponse:
        """The step, as the gateway asks for it."""
        question = step_question(request.procedure, request.case_id, request.step)
        return self.stepping.take(
            Asking(bearer, PURPOSE, question), request, time_left=lambda: 9.0, trace_id="0" * 32
        )

    def reason(self, request: step_pb2.TakeRequest, bearer: str = GOOD) -> str:
        """What it is refused with; empty when it is not."""
        try:
            self.take(request, bearer)
        except LandbridgeError as refused:
            return refused.reason
        return ""

    def effects(self) -> list[Entry]:
        """The entries of replies."""
        self.stop()
        entries = [
            Entry.from_bytes(content)
            for _, content in Lookup.of(self.folder / self.name / "log").entries(0)
        ]
        self.start()
        return [entry for entry in entries if entry.answer_digest]


@pytest.fixture
def police(tmp_path: Path) -> Iterator[Office]:
    """The first department."""
    office = Office(tmp_path, "police", {"suspect": "S-17", "offence": "fraud"})
    yield office
    office.stop()


@pytest.fixture
def prosecution(tmp_path: Path) -> Iterator[Office]:
    """The second one."""
    office = Office(tmp_path, "prosecution", {"counts": 3})
    yield office
    office.stop()


def sealed(step: str, to: str, *, case: str = CASE, **arguments: str) -> step_pb2.Sealed:
    """A form, as the applicant's client seals it."""
    content = step_pb2.Form(arguments={name: to_literal(v) for name, v in arguments.items()})
    envelope = seal(
        content.SerializeToString(),
        form_info("hand_over", case, step),
        Office.keys[to].public.sealing,
        Office.form_signer,
    )
    return step_pb2.Sealed(sealed=envelope.sealed, signature=envelope.signature)


def first(**changes: Any) -> step_pb2.TakeRequest:
    """The police's step."""
    terms: dict[str, Any] = {
        "procedure": "hand_over",
        "case_id": CASE,
        "step": "police",
        "handler": "complete",
        "form": sealed("police", "police", file_id="F-1"),
        "form_key": Office.form_signer.public_key().public_bytes_raw(),
        "recipients": [
            step_pb2.Recipient(
                step="prosecution", department="prosecution", values=["offence", "suspect"]
            )
        ],
        **changes,
    }
    return step_pb2.TakeRequest(**terms)


def second(envelope: step_pb2.Sealed, **changes: Any) -> step_pb2.TakeRequest:
    """The prosecution's step."""
    terms: dict[str, Any] = {
        "procedure": "hand_over",
        "case_id": CASE,
        "step": "prosecution",
        "handler": "indict",
        "form": sealed("prosecution", "prosecution"),
        "form_key": Office.form_signer.public_key().public_bytes_raw(),
        "inputs": [
            step_pb2.HandedInput(
                department="police",
                handler="complete",
                step="police",
                arguments={"suspect": "suspect", "offence": "offence"},
                envelope=envelope,
            )
        ],
        **changes,
    }
    return step_pb2.TakeRequest(**terms)


def test_the_same_step_again_is_the_same_reply_and_one_effect(police: Office) -> None:
    """After a lost reply, a late one, a crash, without the token that was shown first."""
    request = first()
    said = police.take(request)
    assert police.take(request, bearer="") == said
    police.restart()
    assert police.take(request, bearer="") == said
    assert police.computing.times == 0  # it was computed before the restart, and not since
    receipt = said.reply.receipt
    verify_receipt(receipt.entry, receipt.proof, police.signer.vkey)
    (entry,) = police.effects()
    assert (entry.case, entry.step, entry.procedure) == (CASE, "police", "hand_over")
    assert "F-1" not in json.dumps(entry.note) + entry.subject


@pytest.mark.parametrize("moment", ["charged", "computed", "appended"])
def test_a_crash_at_any_point_leaves_one_effect(
    police: Office, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the charge, after the reply is stored, after its entry: each then goes on."""

    class Dead(BaseException):
        """The process is gone."""

    def die(*_: object, **__: object) -> Any:
        raise Dead

    with monkeypatch.context() as patch:
        if moment == "charged":
            patch.setattr(police.computing, "compute", die)
        elif moment == "computed":
            patch.setattr(police.log, "append", die)
        else:
            patch.setattr(police.memory, "logged", die)
        with pytest.raises(Dead):
            police.take(first_request := first())
    police.restart()
    said = police.take(first_request, bearer="")
    assert police.take(first_request, bearer="") == said
    assert police.computing.times == (1 if moment == "charged" else 0)
    receipt = said.reply.receipt
    verify_receipt(receipt.entry, receipt.proof, police.signer.vkey)
    assert len(police.effects()) == 1


def test_a_memory_that_fails_once_leaves_one_effect(
    police: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that was full for a moment: the entry stands, and asked again there is no second."""
    request = first()

    def full(*_: object) -> None:
        raise error("LEDGER_UNAVAILABLE")

    with monkeypatch.context() as patch:
        patch.setattr(police.memory, "logged", full)
        for _ in range(2):
            assert police.reason(request) == "LEDGER_UNAVAILABLE"
    said = police.take(request, bearer="")
    assert police.take(request, bearer="") == said
    assert len(police.effects()) == 1


def test_what_was_admitted_is_what_is_taken(police: Office) -> None:
    """Another form, handler or recipient under the same step is another question: refused."""
    admitted = first(admit_only=True)
    assert not police.take(admitted).HasField("reply")
    for other in (
        first(form=sealed("police", "police", file_id="F-2")),
        first(recipients=[]),
        first(form_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw()),
    ):
        assert police.reason(other, bearer="") == "CASE_ID_REUSED"
    taken = first()
    taken.form.CopyFrom(admitted.form)
    assert police.reason(taken, bearer="") == ""


def test_a_gateway_cannot_take_a_step_that_no_caller_asked_for(police: Office) -> None:
    """Without a token nothing is admitted, and with a bad one neither."""
    assert police.reason(first(), bearer="") == "STEP_NOT_ADMITTED"
    assert police.reason(first(), bearer="bad") == "TOKEN_INVALID"
    assert police.computing.times == 0


def test_a_policy_that_changed_counts_for_what_was_admitted_before(police: Office) -> None:
    """The owner's word of now decides, also about a case that was opened last week."""
    request = first(admit_only=True)
    police.take(request)
    police.access = '@id("none") forbid (principal, action, resource);'
    police.restart()
    request.admit_only = False
    assert police.reason(request, bearer="") == "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("recipient", "reason"),
    [
        (("court", "court", ["suspect"]), ""),
        (("court", "court", ["offence"]), "ACCESS_DENIED"),
        (("court", "court", ["statements"]), "ACCESS_DENIED"),
        (("press", "press", ["suspect"]), "ACCESS_DENIED"),
    ],
    ids=["declared", "another's", "undeclared", "no member"],
)
def test_a_value_goes_where_its_owner_lets_it(
    police: Office, recipient: tuple[str, str, list[str]], reason: str
) -> None:
    """Whatever the gateway's procedure says: the node holds itself to its own word."""
    step, department, values = recipient
    asked = first(recipients=[step_pb2.Recipient(step=step, department=department, values=values)])
    assert police.reason(asked) == reason


def test_a_value_crosses_sealed_and_opens_for_its_step_alone(
    police: Office, prosecution: Office
) -> None:
    """Section 3: the next department reads it; another step, case or department does not."""
    (handed,) = police.take(first()).handed
    assert handed.step == "prosecution"
    envelope = Envelope(handed.envelope.sealed, handed.envelope.signature)
    sender = Office.keys["police"].public.signing
    info = step_info("hand_over", CASE, "prosecution")
    opened = open_(envelope, info, Office.keys["prosecution"].opening, sender)
    values = step_pb2.HandOver.FromString(opened).values
    assert {name: from_literal(each) for name, each in values.items()} == {
        "suspect": "S-17",
        "offence": "fraud",
    }
    for wrong in (
        step_info("hand_over", CASE, "court"),
        step_info("hand_over", "d" * 32, "prosecution"),
        step_info("other", CASE, "prosecution"),
        form_info("hand_over", CASE, "prosecution"),
    ):
        with pytest.raises(LandbridgeError):
            open_(envelope, wrong, Office.keys["prosecution"].opening, sender)
    with pytest.raises(LandbridgeError):
        open_(envelope, info, Office.keys["court"].opening, sender)
    assert prosecution.reason(second(handed.envelope)) == ""
    assert prosecution.computing.times == 1


@contextmanager
def _no_effect(office: Office) -> Iterator[None]:
    yield
    assert office.computing.times == 0


def test_what_was_not_sealed_for_this_step_by_that_department_is_refused(
    police: Office, prosecution: Office
) -> None:
    """Swapped, forged, renamed and missing values; nothing is computed for any of them."""
    (handed,) = police.take(first()).handed
    good = second(handed.envelope)

    def with_input(**changes: Any) -> step_pb2.TakeRequest:
        request = step_pb2.TakeRequest()
        request.CopyFrom(good)
        for name, value in changes.items():
            if name == "arguments":
                request.inputs[0].arguments.clear()
                request.inputs[0].arguments.update(value)
            else:
                setattr(request.inputs[0], name, value)
        return request

    other_case = second(
        handed.envelope, case_id="d" * 32,
        form=sealed("prosecution", "prosecution", case="d" * 32),
    )  # fmt: skip
    forged = seal(
        step_pb2.HandOver(
            department="police", handler="complete", step="police",
            values={"suspect": to_literal("S-1"), "offence": to_literal("theft")},
        ).SerializeToString(),
        step_info("hand_over", CASE, "prosecution"),
        Office.keys["prosecution"].public.sealing,
        Office.keys["court"].signing,
    )  # fmt: skip
    with _no_effect(prosecution):
        assert prosecution.reason(other_case) == "ANSWER_REJECTED"
        assert prosecution.reason(with_input(department="court")) == "ANSWER_REJECTED"
        assert prosecution.reason(with_input(handler="other")) == "ANSWER_REJECTED"
        swapped = with_input(arguments={"suspect": "offence", "offence": "suspect"})
        assert prosecution.reason(swapped) == "ACCESS_DENIED"
        assert prosecution.reason(with_input(arguments={"suspect": "suspect"})) == (
            "INVALID_ARGUMENT"
        )
        request = second(step_pb2.Sealed(sealed=forged.sealed, signature=forged.signature))
        request.form.CopyFrom(good.form)
        assert prosecution.reason(request) == "ANSWER_REJECTED"
        formed = second(
            handed.envelope, case_id="e" * 32,
            form=sealed("prosecution", "prosecution", case="e" * 32, suspect="S-1"), inputs=[],
        )  # fmt: skip
        assert prosecution.reason(formed) == "INVALID_ARGUMENT"


def test_a_step_of_another_procedure_is_none_of_the_handlers(police: Office) -> None:
    """The owner names the procedures; a gateway's new one does not get a handler by its name."""
    request = first(procedure="another")
    assert police.reason(request) == "ACCESS_DENIED"
    police.handler = replace(police.handler, procedures=frozenset())
    police.restart()
    assert police.reason(request) != "ACCESS_DENIED"  # the form is sealed for hand_over
    assert police.computing.times == 0
