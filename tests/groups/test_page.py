"""docs/groups.md is true: its file is a group, its policies are policies, of the example."""

from __future__ import annotations

from pathlib import Path

from nodes.policy import read as read_policy
from policies.access import AccessPolicy
from policies.group import read
from tests.docs.fences import DOCS, blocks

PAGE = DOCS / "groups.md"
OFFICE = Path(__file__).parents[2] / "examples" / "community_grid" / "health"


def block(language: str) -> str:
    """The page's one block of that language."""
    (found,) = (each.text for each in blocks(PAGE) if each.language == language)
    return found


def test_what_the_page_shows_is_a_group_of_the_example() -> None:
    """Whoever copies it has a group, and a policy that lets people into it."""
    policy = read_policy(
        "health", OFFICE / "contracts", OFFICE / "handlers", OFFICE / "access.cedar",
        OFFICE / "groups",
    )  # fmt: skip
    group = read(block("yaml"), "docs/groups.md", "health", policy.contracts)
    assert group.name == "hillside"
    assert [poll.name for poll in group.polls] == ["playground"]
    assert {each.name for each in group.questions} == {"symptoms"}
    registered = {"health.hillside": policy.groups["hillside"].registered}
    access = AccessPolicy.load(
        block("cedar"), "docs/groups.md", contracts=policy.contracts, handlers=[], groups=registered
    )
    assert access.named("Group") == {"health.hillside"}
