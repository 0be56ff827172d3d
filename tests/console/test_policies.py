"""Which policies there were and who changed them: kept as they were, nobody named without cause."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue, catalogue
from gateway.connection import Member
from gateway.console.authorship import author_of
from gateway.console.keeping import Keeping
from gateway.console.published import let_out, own_policy, terms
from gateway.console.versions import MOST, Author, Version, Versions
from gateway.description import offer_of
from landbridge.v1 import node_pb2
from nodes.description import handler_to
from nodes.policy import Policy, read
from policies.access import AccessPolicy

FAA = Path(__file__).parents[2] / "examples" / "nyc_flights" / "faa"
SINCE = "2026-11-27T10:00:00.000000Z"
EVERYTHING = (
    '@id("gateway.all") permit (principal, action in [Action::"query", Action::"call"], resource);'
)
POLICY: Policy = read("faa", FAA / "contracts", FAA / "handlers", FAA / "access.cedar")


def known(access: bytes) -> Catalogue:
    """The register as it describes itself, with that text of its policy."""
    member = Member(
        "faa", "Register", "", "", tuple(POLICY.contracts), tuple(POLICY.handlers), "faa+1a2b3c4d+k"
    )
    description = node_pb2.DescribeResponse(
        contracts=[
            node_pb2.ContractDescription(id=name, document=document)
            for name, document in POLICY.documents.items()
        ],
        handlers=[handler_to(each) for each in POLICY.handlers.values()],
        policy_digest=POLICY.digest,
        access=access,
    )
    return catalogue(["faa"], {"faa": member.contracts}, {"faa": offer_of(member, description)})


def gateway(text: str = EVERYTHING) -> AccessPolicy:
    """The gateway's own policy."""
    return AccessPolicy.load(text, "gateway", contracts=["planes"], handlers=[])


def run(*words: str, folder: Path, given: bytes = b"") -> bytes:
    """Git, as somebody whose name is given; what it says."""
    author = {"GIT_AUTHOR_NAME": "Policy desk", "GIT_AUTHOR_EMAIL": "p@x.example"}
    committer = {"GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x@x.example"}
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-C", str(folder), *words],  # noqa: S607
        check=True,
        capture_output=True,
        input=given,
        env={**os.environ, **author, **committer},
    )
    return done.stdout.strip()


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A policy in a working tree of git."""
    path = tmp_path / "gateway" / "access.cedar"
    path.parent.mkdir()
    path.write_text(EVERYTHING)
    run("init", "-q", folder=tmp_path)
    run("add", ".", folder=tmp_path)
    run("commit", "-q", "-m", "policy", folder=tmp_path)
    return path


def test_a_text_that_git_holds_has_an_author_and_a_changed_one_has_none(committed: Path) -> None:
    """Whoever writes over a committed file must not be taken for the one who committed it."""
    author = author_of(committed, committed.read_bytes(), os.environ)
    assert author is not None
    assert (author.name, len(author.commit)) == ("Policy desk <p@x.example>", 40)
    committed.write_text(EVERYTHING + "\n// and more")
    assert author_of(committed, committed.read_bytes(), os.environ) is None


def test_where_there_is_no_git_nobody_is_named(tmp_path: Path, committed: Path) -> None:
    """No tree, no such file in it, no program."""
    alone = tmp_path / "alone"
    (tmp_path / ".git").rename(tmp_path / "elsewhere")
    assert author_of(committed, committed.read_bytes(), os.environ) is None
    (tmp_path / "elsewhere").rename(tmp_path / ".git")
    alone.write_text("x")
    assert author_of(alone, b"x", os.environ) is None
    assert author_of(committed, committed.read_bytes(), {"PATH": "/nowhere"}) is None


def test_asking_git_runs_nothing_that_the_tree_names(committed: Path, tmp_path: Path) -> None:
    """A folder's configuration can name programs: none of them is run by who looks at it.

    The commit is a signed one, for which git would run whatever the folder calls its gpg.
    """
    ran = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {ran}\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.editor"):
        run("config", name, str(trap), folder=tmp_path)
    run("config", "log.showSignature", "true", folder=tmp_path)
    head, _, message = run("cat-file", "commit", "HEAD", folder=tmp_path).partition(b"\n\n")
    signed = head + b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n\n" + message
    commit = run("hash-object", "-t", "commit", "-w", "--stdin", folder=tmp_path, given=signed)
    run("update-ref", "HEAD", commit.decode(), folder=tmp_path)
    assert author_of(committed, committed.read_bytes(), os.environ) is not None
    assert not ran.exists()


def test_a_version_is_kept_once_with_its_author_and_found_after_a_restart(
    tmp_path: Path, committed: Path
) -> None:
    """Each text stands under its digest; what is not what its name says is none."""
    versions = Versions(tmp_path / "kept")
    access = gateway()
    text = known(b"")
    keeping = Keeping(versions, committed, lambda: access, lambda: text, os.environ)
    for now in (1e9, 2e9):
        keeping.look(now)
    again = Versions(tmp_path / "kept")
    assert [each.of for each in again.all()] == [("", ""), ("faa", "planes")]
    (own, contract) = again.all()
    assert own.author is not None
    assert own.author.name == "Policy desk <p@x.example>"
    assert own.since[:4] == "2001"
    assert contract.owner == "faa+1a2b3c4d+k"
    assert contract.digest == POLICY.contracts["planes"].digest
    kept = again.text(own.key)
    assert kept is not None
    assert kept[1] == EVERYTHING
    path = tmp_path / "kept" / f"{own.digest}.json"
    path.write_text(path.read_text().replace("gateway.all", "gateway.one"))
    assert again.text(own.key) is None
    assert [each.of for each in Versions(tmp_path / "kept").all()] == [("faa", "planes")]


def test_a_policy_file_that_is_another_by_now_is_not_kept_as_the_one_in_force(
    tmp_path: Path, committed: Path
) -> None:
    """The text that is kept is the one that decides, byte for byte."""
    versions, access, nothing = Versions(tmp_path / "kept"), gateway(), catalogue([], {}, {})
    committed.write_text(EVERYTHING + "\n")
    Keeping(versions, committed, lambda: access, lambda: nothing, os.environ).look(1e9)
    assert versions.all() == []


def test_a_department_that_changes_its_texts_all_day_fills_no_disk(tmp_path: Path) -> None:
    """The oldest goes; nothing of the gateway's own does, and no name leads out of the folder."""
    versions = Versions(tmp_path / "kept")
    own = Version(sha256(b"own").hexdigest(), SINCE, "root", author=Author("a", "b", "c"))
    versions.keep(own, b"own")
    for number in range(MOST + 5):
        text = f"{number:03}".encode()
        since = f"{SINCE[:-7]}{number:06}Z"
        versions.keep(Version(sha256(text).hexdigest(), since, "key", "faa"), text)
    for place in ("../up", "a/b", ""):
        bad = Version("../" + "0" * 61, SINCE, "key", place)
        versions.keep(bad, b"x")
    kept = versions.all()
    assert kept[0] == own
    assert len(kept) == 1 + MOST
    assert len([*tmp_path.rglob("*.json")]) == 1 + MOST
    oldest = versions.text(kept[-1].key)
    assert oldest is not None
    assert oldest[1] == "005"


def rows(known: Catalogue) -> set[tuple[str, str, str, bool]]:
    """What is let out to whom for what, and whether both policies said so."""
    return {
        (each["resource"], each["who"], each["purpose"], each["whole"])
        for each in let_out(known, gateway())
    }


def test_a_published_policy_narrows_what_the_page_says_is_let_out() -> None:
    """By the gateway's alone anybody may ask; the register's own says who, handlers included."""
    alone = rows(known(b""))
    both = rows(known(POLICY.access_text))
    assert ("planes", "anybody else", "dpv:ResearchAndDevelopment", False) in alone
    assert both == {
        ("planes", "transport-research", "dpv:ResearchAndDevelopment", True),
        ("planes", "safety-authority", "dpv:LegalCompliance", True),
        ("airworthiness_band", "safety-authority", "dpv:LegalCompliance", True),
    }


@pytest.mark.parametrize(
    "text",
    [b"permit (", b"\xff", b'@id("x") permit (principal, action, resource == Contract::"other");'],
)
def test_a_policy_that_cannot_be_asked_is_said_to_be_so(text: bytes) -> None:
    """It is not guessed at: the page shows the gateway's part, and that it is a part."""
    own = own_policy(known(text).offers["faa"])
    assert own.access is None
    assert own.problem
    assert own.digest == POLICY.digest
    assert {whole for *_, whole in rows(known(text))} == {False}


def test_contracts_and_handlers_stand_with_their_terms() -> None:
    """What every description says, whether or not the policy is published."""
    found: Sequence[dict[str, object]] = list(terms(known(b"")))
    assert [each["name"] for each in found] == ["planes", "airworthiness_band()"]
    assert all(each["kind"] and each["purposes"] and each["version"] for each in found)
