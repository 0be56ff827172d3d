"""A gateway's access policy and members change while it serves, over real files and connections."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from gateway import membership, refreshing
from gateway.register import RegisterRefuses
from gateway.settings import open_manifest
from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.membership.keys import signing_key
from landbridge.membership.pinned import replace_durably
from tests.evidence.schema import problems
from tests.membership.town import Town, eventually

CLOSED = '\n@id("gateway.closed") forbid (principal, action, resource);\n'


@pytest.fixture
def member(town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A town whose gateway asks its one department."""
    monkeypatch.setattr(refreshing, "REFRESH_SECONDS", 0.05)
    town.running.hurry()
    town.join(town.code())
    town.start_node()
    eventually(lambda: town.reason(town.explain) == "", "the new member is asked")
    return town


def entries(town: Town, kind: str) -> list[Entry]:
    """The gateway's entries of that kind; it is stopped."""
    town.running.stop(0)
    found = [content for _, content in verify_folder(town.gateway.state / "log").entries()]
    assert [problems(content) for content in found] == [[]] * len(found)
    return [entry for entry in map(Entry.from_bytes, found) if entry.kind == kind]


def test_an_access_policy_is_taken_or_refused_whole_while_the_gateway_runs(member: Town) -> None:
    """A broken one first, which changes nothing and is named with its line; then a closing one."""
    path = member.gateway.access
    open_text = path.read_text()
    path.write_text(open_text + "permit (principal")
    eventually(lambda: any("is not used" in said for said in member.told), "it is refused")
    (said,) = [said for said in member.told if "is not used" in said]
    assert f"line {len(open_text.splitlines()) + 1}" in said
    assert member.reason(member.explain) == ""
    path.write_text(open_text + CLOSED)
    eventually(lambda: member.reason(member.explain) == "NOT_AVAILABLE", "it is closed")
    path.write_text(open_text)
    eventually(lambda: member.reason(member.explain) == "", "it is open again")
    first, refused, closed, opened = entries(member, "policy_change")
    assert first.changed == closed.changed == opened.changed == ("changed access",)
    assert (refused.outcome, refused.reason) == ("refused", "POLICY_INVALID")
    assert opened.policy_digest == first.policy_digest != closed.policy_digest
    assert opened.note == f"policy {closed.policy_digest} is replaced by {opened.policy_digest}"


def test_a_manifest_that_somebody_else_wrote_changes_nobody(member: Town) -> None:
    """The signed one counts, and the operator hears that the file is not it."""
    path = member.gateway.manifest
    signed = path.read_bytes()
    forged = json.loads(signed)
    forged["manifest"]["members"] = []
    path.write_bytes(json.dumps(forged).encode())
    eventually(
        lambda: any("The earlier members stay" in said for said in member.told), "it is told"
    )
    assert member.reason(member.explain) == ""
    path.write_bytes(signed)
    membership.revoke(member.gateway, "library", time.time)
    eventually(lambda: member.reason(member.explain) == "NOT_AVAILABLE", "it is out")


def test_what_the_manifest_grants_no_more_is_asked_no_more(member: Town) -> None:
    """The contract goes at once, the connection stays; granted again, it is asked again."""
    key = signing_key(member.gateway.state)
    manifest = open_manifest(member.gateway, key)
    connected = member.running._departments.connections["library"]
    (entry,) = manifest.members
    without = manifest.following([replace(entry, contracts=())])
    replace_durably(member.gateway.manifest, without.signed(key))
    eventually(lambda: member.reason(member.explain) == "NOT_AVAILABLE", "it is not granted")
    again = without.following([entry])
    replace_durably(member.gateway.manifest, again.signed(key))
    eventually(lambda: member.reason(member.explain) == "", "it is granted again")
    assert member.running._departments.connections["library"] is connected
    changes = entries(member, "membership_change")
    assert [each.changed for each in changes if each.changed][-2:] == [
        ("changed member:library",),
        ("changed member:library",),
    ]


def test_a_member_that_moves_is_asked_at_its_new_address(member: Town) -> None:
    """Connected to anew; what is under way at the earlier address may finish there."""
    key = signing_key(member.gateway.state)
    manifest = open_manifest(member.gateway, key)
    (entry,) = manifest.members
    departments = member.running._departments
    earlier = departments.connections["library"]
    port = entry.address.rpartition(":")[2]
    moved = manifest.following([replace(entry, address=f"localhost:{port}")])
    replace_durably(member.gateway.manifest, moved.signed(key))
    eventually(lambda: departments.connections["library"] is not earlier, "it is connected anew")
    eventually(lambda: member.reason(member.explain) == "", "it is asked there")
    assert [channel for _, channel in departments._retired] == [earlier.channel]


def test_a_contract_that_a_running_member_adds_is_asked_once_it_is_granted(
    member: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the node it is a file more; at the gateway the operator's word. Neither restarts."""
    monkeypatch.setattr("nodes.following.SECONDS", 0.05)
    member.nodes[-1].hurry()
    (contract,) = member.node.contracts.glob("*.odcs.yaml")
    added = contract.read_bytes().replace(b"id: loans", b"id: guests")
    added = added.replace(
        b"- name: loans\n    logicalType: object", b"- name: guests\n    logicalType: object"
    )
    (member.node.contracts / "guests.odcs.yaml").write_bytes(added)
    access = member.node.access.read_text()
    member.node.access.write_text(access.replace('resource == Contract::"loans"', "resource"))

    def explained() -> str:
        sql = "SELECT count(*) AS n FROM guests"

        def ask() -> None:
            with member.client() as client:
                plan = client.explain(sql, purpose="dpv:ServiceOptimisation")
                assert plan.budgets, "explained by the gateway alone"

        return member.reason(ask)

    assert explained() == "NOT_AVAILABLE"
    eventually(lambda: any("is in force" in said for said in member.node_told), "it is taken")
    assert explained() == "NOT_AVAILABLE"
    membership.grant(member.gateway, "library", ["guests"], [])
    eventually(lambda: explained() == "", "it is granted")
    for bad in ("library.x", "Guests", "", "a b"):
        with pytest.raises(RegisterRefuses):
            membership.grant(member.gateway, "library", [bad], [])
    with pytest.raises(RegisterRefuses, match="no member"):
        membership.grant(member.gateway, "health", ["guests"], [])


def test_who_is_out_is_asked_no_more_even_when_the_log_cannot_be_written(
    member: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question carries its caller's token; the entry comes once it can be written."""

    def full(*_: object, **__: object) -> None:
        raise error("LOG_UNAVAILABLE")

    departments = member.running._departments
    with monkeypatch.context() as disk:
        disk.setattr(Recorder, "event", full)
        membership.revoke(member.gateway, "library", time.time)
        eventually(lambda: not departments.connections, "it is let go of")
    log = member.gateway.state / "log"
    eventually(
        lambda: any(
            "removed member:library" in Entry.from_bytes(content).changed
            for _, content in verify_folder(log).entries()
        ),
        "it is logged",
    )
    assert entries(member, "membership_change")[-1].changed == ("removed member:library",)
