"""A server's own entries: what it began with, what changed, that it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalogue import catalogue
from gateway.connection import Member
from gateway.standing import standing
from landbridge.edge import life
from landbridge.edge.record import Recorder
from landbridge.evidence import Entry, Log, Signer, SubjectKey, verify_folder
from tests.evidence.schema import problems

ACCESS, CONTRACT, OTHER = "aa" * 32, "bb" * 32, "cc" * 32


class Server:
    """One log that is opened and closed as a server's is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signer = Signer.create("town/gateway")

    def run(
        self,
        digests: dict[str, str],
        between: int = 0,
        unknown: tuple[str, ...] = (),
        policy: str = "",
        followed: tuple[str, ...] = ("",),
        live: str = "",
        outcome: str = "",
    ) -> list[Entry]:
        """Starts, answers `between` questions, stops; the entries that this made.

        `live` is the digest of the policy that it changes to while it runs, by that `outcome`.
        """
        with Log.open(self.folder / "log", self.folder / "journal", self.signer) as log:
            size = log.size
            recorder = Recorder(log, SubjectKey.create(), "ab" * 32, lambda: 1_790_000_000.0)
            life.begin(
                recorder, self.folder / "log", size, digests, unknown=unknown, policy=policy,
                followed=followed,
            )  # fmt: skip
            if live:
                recorder.event(
                    "policy_change",
                    program=life.program(),
                    policy_digest=live,
                    outcome=outcome,
                    reason="POLICY_INVALID" if outcome else "",
                    note="a policy",
                    changed=() if outcome else ["changed access"],
                )
            for _ in range(between):
                with recorder.request("query") as draft:
                    draft.answered(b"")
            life.end(recorder)
        entries = [content for _, content in verify_folder(self.folder / "log").entries(size)]
        assert [problems(content) for content in entries] == [[]] * len(entries)
        return [Entry.from_bytes(content) for content in entries]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server that never ran."""
    return Server(tmp_path)


def kinds(entries: list[Entry]) -> list[str]:
    """What the entries are of."""
    return [entry.kind for entry in entries]


def test_a_first_start_has_nothing_to_compare_with(server: Server) -> None:
    """It says its program and what it stands on."""
    first, last = server.run({"access": ACCESS})
    assert (first.kind, last.kind) == ("start", "stop")
    assert first.digests == {"access": ACCESS}
    assert first.program.startswith("landbridge")
    assert last.program == first.program


def test_the_same_rules_again_are_no_change(server: Server) -> None:
    """An entry that always comes says nothing."""
    server.run({"access": ACCESS})
    assert kinds(server.run({"access": ACCESS})) == ["start", "stop"]


def test_other_rules_are_named_before_the_start(server: Server) -> None:
    """Added, removed and changed, each by name; more than a tile of entries lies between."""
    server.run({"access": ACCESS, "contract:people": CONTRACT, "handler:band": ACCESS}, 300)
    entries = server.run({"access": OTHER, "contract:people": CONTRACT, "contract:cars": CONTRACT})
    assert kinds(entries) == ["policy_change", "start", "stop"]
    assert entries[0].changed == ("changed access", "added contract:cars", "removed handler:band")
    assert kinds(server.run(dict(entries[1].digests))) == ["start", "stop"]


def test_what_changed_while_it_ran_is_not_told_again(server: Server) -> None:
    """The log says it once; what changed after that, while nobody ran, is told at the start."""
    before, after = {"access": ACCESS}, {"access": OTHER}
    server.run(before, 300, policy=ACCESS, live=OTHER)
    assert kinds(server.run(after, policy=OTHER)) == ["start", "stop"]
    server.run(after, policy=OTHER, live=ACCESS)
    behind = server.run({"access": CONTRACT}, policy=CONTRACT)
    assert kinds(behind) == ["policy_change", "start", "stop"]


def test_a_change_that_was_refused_while_it_ran_is_told_when_it_counts(server: Server) -> None:
    """The entry of a refusal puts nothing in force."""
    server.run({"access": ACCESS}, policy=ACCESS, live=OTHER, outcome="refused")
    assert server.run({"access": OTHER}, policy=OTHER)[0].changed == ("changed access",)


def test_what_a_change_of_policy_does_not_cover_is_told_as_ever(server: Server) -> None:
    """A gateway's is of its access policy alone."""
    server.run({"access": ACCESS, "contract:jfk/people": CONTRACT}, policy=ACCESS, live=OTHER)
    after = {"access": OTHER, "contract:jfk/people": OTHER, "member:lga": ACCESS}
    entries = server.run(after, policy=OTHER, followed=("access",))
    assert kinds(entries) == ["policy_change", "membership_change", "start", "stop"]
    assert entries[0].changed == ("changed contract:jfk/people",)


def test_members_are_a_change_of_their_own(server: Server) -> None:
    """Who belongs to the federation is another matter than what it may know."""
    server.run({"access": ACCESS, "member:jfk": ACCESS})
    entries = server.run({"access": ACCESS, "member:lga": ACCESS})
    assert kinds(entries) == ["membership_change", "start", "stop"]
    assert entries[0].changed == ("removed member:jfk", "added member:lga")


def test_what_a_silent_department_serves_is_neither_gone_nor_forgotten(server: Server) -> None:
    """A change while it was silent is found when it speaks again."""
    server.run({"contract:jfk/people": CONTRACT, "contract:lga/people": CONTRACT})
    silent = server.run({"contract:lga/people": CONTRACT}, unknown=("contract:jfk/",))
    assert kinds(silent) == ["start", "stop"]
    back = server.run({"contract:jfk/people": OTHER, "contract:lga/people": CONTRACT})
    assert back[0].changed == ("changed contract:jfk/people",)


def test_no_caller_can_pass_for_a_start(server: Server) -> None:
    """The search looks for bytes; what a caller may put into an entry cannot be them."""
    server.run({"access": ACCESS})
    with Log.open(server.folder / "log", server.folder / "journal", server.signer) as log:
        forged = Entry(
            kind="query",
            time="2026-01-01T00:00:00.000000Z",
            question='"kind":"start"',
            budget={"kind": "start"},
        )
        log.append(forged.to_bytes())
        size = log.size
    assert life.last_start(server.folder / "log", size) == {"access": ACCESS}


def test_a_member_is_the_same_wherever_it_runs() -> None:
    """A new port is no change of membership; another log key is."""

    def member(address: str, key: str) -> Member:
        return Member("jfk", "JFK", address, "jfk", ("flights",), (), key)

    def digests(found: Member) -> dict[str, str]:
        return standing(ACCESS, [found], catalogue({"jfk": found}, {"jfk": found.contracts}, {}))

    here = digests(member("127.0.0.1:1", "k"))
    assert here == digests(member("127.0.0.1:2", "k"))
    assert here != digests(member("127.0.0.1:1", "other"))
    assert here.keys() == {"access", "member:jfk"}
