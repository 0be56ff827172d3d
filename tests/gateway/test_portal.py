"""The citizen's list: who looked at one person's data, over every log, for a permitted portal."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gateway import portal
from landbridge.edge.own_log import OwnLog
from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import SubjectKey
from landbridge.evidence.receipt import verify_receipt
from landbridge.evidence.subject_keys import SubjectKeys
from tests.gateway.test_disclosure_delay import BAND, CARE
from tests.people import ACCESS, PURPOSE, TARGET, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]

RIGHTS = "dpv:RightsFulfilment"
PERMIT = """
@id("test.portal")
permit (principal in Organisation::"citizens-office", action == Action::"about", resource)
when { context.purpose == "dpv:RightsFulfilment" };
"""
SECRET = "4711"


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Two departments, one of whose purposes is told after 90 days only."""
    return simulate(
        {"north": [TARGET, *crowd(5)], "south": [TARGET, *crowd(5)]},
        contract={
            "landbridgePurposes": [PURPOSE, CARE],
            "landbridgeDisclosureDelay": [{"purpose": CARE, "days": 90}],
        },
        handlers=[BAND],
        access=ACCESS + PERMIT,
        gateway_access=ACCESS + PERMIT,
    )


def portal_token(federation: FederationSimulator, **changes: object) -> str:
    """The portal's own token."""
    terms = {
        "organisation": "citizens-office",
        "clearance": "restricted",
        "purposes": [RIGHTS],
        **changes,
    }
    return federation.token("portal", **terms)


def look(federation: FederationSimulator, handler: str, purpose: str = PURPOSE) -> None:
    """Somebody at the university looks the person up."""
    token = federation.token("prying-person", purposes=[PURPOSE, CARE])
    federation.call(handler, purpose=purpose, token=token, person=4711)


def test_a_person_is_told_of_every_department_that_looked(federation: FederationSimulator) -> None:
    """When, who, why and what kind of answer; the newest first, and nobody else's."""
    look(federation, "north.band")
    federation.now += 60
    look(federation, "south.band")
    federation.call("south.band", person=4000, token=federation.token())
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    told = [
        (a.department, a.organisation, a.purpose, a.kind, a.what, a.outcome) for a in found.accesses
    ]
    assert told == [
        ("south", "university", PURPOSE, "call", "south.band", "answered"),
        ("north", "university", PURPOSE, "call", "north.band", "answered"),
    ]
    assert found.whole


def test_neither_answer_nor_third_person_is_told(federation: FederationSimulator) -> None:
    """Not even as a digest: who asked at the office is the office's to say."""
    look(federation, "north.band")
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    shown = repr(found.accesses)
    (entry,) = [e for e in federation.entries("north") if e.kind == "call"]
    assert "HERE" not in shown
    assert "prying" not in shown
    assert entry.caller not in shown


def test_a_delayed_access_is_told_when_its_day_has_come(federation: FederationSimulator) -> None:
    """And until then nothing says that there is one."""
    look(federation, "north.band", CARE)
    before = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    assert before.accesses == ()
    assert before.whole
    federation.now += 91 * 86_400
    after = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    assert [access.purpose for access in after.accesses] == [CARE]


def test_the_look_up_itself_stands_in_every_log(federation: FederationSimulator) -> None:
    """The gateway's entry names the departments' by index and leaf hash, and its receipt holds."""
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    entry = federation.entries()[-1]
    assert (entry.kind, entry.outcome, entry.organisation) == (
        "about",
        "answered",
        "citizens-office",
    )
    assert entry.resource == "test.example/gateway"
    assert entry.policies == ("test.portal",)
    assert [part["department"] for part in entry.parts] == ["north", "south"]
    for name in ("north", "south"):
        own = federation.entries(name)[-1]
        assert (own.kind, own.question_id) == ("about", entry.question_id)
        assert own.subject not in ("", entry.subject)
    assert found.receipt is not None
    verify_receipt(found.receipt.entry, found.receipt.proof, federation.log_key)


def test_the_plain_subject_reaches_no_log_and_no_error(federation: FederationSimulator) -> None:
    """Neither what is asked about nor what is refused."""
    look(federation, "north.band")
    federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    with pytest.raises(LandbridgeError) as refused:
        federation.about(SECRET * 100, purpose=RIGHTS, token=portal_token(federation))
    assert SECRET not in str(refused.value)
    for department in (None, "north", "south"):
        for entry in federation.entries(department):
            assert f'"{SECRET}' not in entry.to_bytes().decode()


def test_only_a_portal_that_the_policies_permit_may_look(federation: FederationSimulator) -> None:
    """Another organisation, another purpose, no clearance: refused at the gateway, and logged."""
    for token in (
        federation.token(purposes=[RIGHTS], clearance="restricted"),
        portal_token(federation, clearance="internal"),
    ):
        with pytest.raises(LandbridgeError, match="ACCESS_DENIED") as refused:
            federation.about(SECRET, purpose=RIGHTS, token=token)
        assert refused.value.receipt
        assert federation.entries()[-1].outcome == "refused"
        assert federation.entries()[-1].kind == "about"
    with pytest.raises(LandbridgeError, match="PURPOSE_NOT_ALLOWED"):
        federation.about(SECRET, purpose=PURPOSE, token=portal_token(federation))
    assert all(entry.kind != "about" for entry in federation.entries("north"))


def test_a_department_decides_for_its_own_log(simulate: Simulate) -> None:
    """Where its policy does not permit the portal it says nothing, and the list says so."""
    federation = simulate(
        {"north": [TARGET]}, handlers=[BAND], contract={"landbridgePurposes": [PURPOSE, CARE]},
        access=ACCESS, gateway_access=ACCESS + PERMIT,
    )  # fmt: skip
    look(federation, "north.band")
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    assert found.accesses == ()
    assert found.missing == {"north": "ACCESS_DENIED"}
    assert not found.whole


def test_a_silent_department_is_named(federation: FederationSimulator) -> None:
    """A list that looks whole is whole."""
    look(federation, "south.band")
    federation.nodes["north"].down = True
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    assert [access.department for access in found.accesses] == ["south"]
    assert list(found.missing) == ["north"]
    assert federation.entries()[-1].note == "missing: north"


def test_an_unproved_list_is_not_taken(federation: FederationSimulator) -> None:
    """A department that says it logged the look-up has to show it."""

    def spoil(reply: object) -> None:
        reply.receipt.proof = ""  # type: ignore[attr-defined]

    federation.nodes["north"].change = spoil
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    assert found.missing == {"north": "ANSWER_REJECTED"}


def test_a_long_list_comes_in_pages_without_gap_or_double(
    federation: FederationSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, a reply stays small."""
    monkeypatch.setattr(portal, "FEWEST", 3)
    monkeypatch.setattr(portal, "MOST", 1)
    for _ in range(7):
        federation.now += 1
        look(federation, "north.band")
    token = portal_token(federation)
    page = federation.about(SECRET, purpose=RIGHTS, token=token)
    times = [access.time for access in page.accesses]
    sizes = [len(page.accesses)]
    while page.older:
        page = federation.about(SECRET, purpose=RIGHTS, token=token, before=page.older)
        times += [access.time for access in page.accesses]
        sizes.append(len(page.accesses))
    assert sizes == [3, 3, 1]
    assert len(set(times)) == 7
    assert times == sorted(times, reverse=True)


def test_time_that_runs_out_ends_the_look_up(federation: FederationSimulator) -> None:
    """A log is read to its end or not at all."""
    look(federation, "north.band")
    own = OwnLog(
        federation.folder / "north" / "log", "log", SubjectKeys(federation.folder / "none"),
        SubjectKey.create(), federation.clock,
    )  # fmt: skip
    federation.nodes["north"].log.wait_until_published()
    with pytest.raises(LandbridgeError, match="DEADLINE"):
        own.about(SECRET, 0, 10, lambda: 0.1)
    assert own.about(SECRET, 0, 10, lambda: 10.0).accesses == ()


def test_what_a_department_says_cannot_garble_a_screen(federation: FederationSimulator) -> None:
    """Its words reach a citizen's browser or terminal."""

    def spoil(reply: object) -> None:
        reply.found.accesses[0].organisation = "police\x1b[2J"  # type: ignore[attr-defined]

    look(federation, "north.band")
    federation.nodes["north"].change = spoil
    found = federation.about(SECRET, purpose=RIGHTS, token=portal_token(federation))
    assert found.missing == {"north": "ANSWER_REJECTED"}
    assert json.loads(federation.entries()[-1].to_bytes())["note"] == "missing: north"
