"""What pages show in passing fits what there is: methods, arguments, commands and options."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from landbridge.answers import Answer, Reply
from landbridge.case_handle import Case
from landbridge.cli.app import application
from landbridge.client import Client
from landbridge.consultation.callers import Consultation
from landbridge.group.handle import Group
from landbridge.group.view import Notice
from landbridge.submission.receipt import SubmissionReceipt
from landbridge.watch import WatchEvent
from landbridge.watch_handle import Watch
from tests.docs.fences import DOCS, blocks

NAMES: dict[str, type[Any]] = {
    "client": Client,
    "case": Case,
    "consultation": Consultation,
    "watch": Watch,
    "event": WatchEvent,
    "grid": Group,
    "notice": Notice,
    "answer": Answer,
    "receipt": SubmissionReceipt,
    "reply": Reply,
}
"""What a name stands for, in whichever page."""
OTHER_EVENTS = {"consultation.md"}
"""There an event is a consultation's."""
PAGES = sorted(page for page in DOCS.rglob("*.md") if any(True for _ in blocks(page)))


def misfits(text: str, page: str = "") -> Iterator[str]:
    """Every use of a known name in Python that the thing it stands for does not have."""
    tree = compile(text, page, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        kind = NAMES.get(node.value.id)
        if kind is None or (node.value.id == "event" and page in OTHER_EVENTS):
            continue
        known = {*dir(kind), *inspect.get_annotations(kind)}
        if node.attr not in known:
            yield f"{node.value.id} has no {node.attr}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            method = getattr(NAMES.get(named), node.func.attr, None)
            if callable(method):
                yield from _unbound(method, node)


def _unbound(method: Any, call: ast.Call) -> Iterator[str]:
    """Whether the call's arguments are some that the method takes."""
    if any(isinstance(each, ast.Starred) for each in call.args):
        return
    named = {each.arg: None for each in call.keywords if each.arg is not None}
    whole = len(named) == len(call.keywords)
    signature = inspect.signature(method)
    try:
        (signature.bind if whole else signature.bind_partial)(None, *call.args, **named)
    except TypeError as problem:
        yield f"{ast.unparse(call.func)}: {problem}"


def commands(text: str) -> Iterator[list[str]]:
    """The words of each landbridge command in a block, without what a shell does with them."""
    for line in text.replace("\\\n", " ").splitlines():
        if re.match(r"\s*landbridge\s", line):
            try:
                words = shlex.split(line, comments=True)
            except ValueError:
                continue  # a quotation that goes on in the next line
            ends = [at for at, word in enumerate(words) if word in {"|", ">", "&&", ";", "<", "2>"}]
            yield words[1 : ends[0]] if ends else words[1:]


def unknown(words: list[str]) -> str:
    """What of a command line there is not; empty for nothing."""
    command: Any = typer.main.get_command(application())
    context = command.context_class(command, info_name="landbridge")
    while words and hasattr(command, "get_command"):
        following = command.get_command(context, words[0])
        if following is None:
            if words[0].startswith("-"):
                break
            return f"no command {words[0]}"
        command, words = following, words[1:]
        context = command.context_class(command, parent=context)
    known = {"--help", "--version"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    for word in words:
        option = word.strip("[]").partition("=")[0]
        if option.startswith("--") and option != "--" and option not in known:
            return f"no option {option}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_what_a_page_shows_there_is(page: Path) -> None:
    """A reader who copies half a line must not find that the method was renamed."""
    for block in blocks(page):
        if block.language == "python":
            assert list(misfits(block.text, page.name)) == []
        elif block.language in {"", "sh"}:
            for words in commands(block.text):
                assert unknown(words) == "", words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("client.querry('x')", "client has no querry"),
        ("client.query('x', purpoes='y')", "client.query: missing a required"),
        ("answer.colums", "answer has no colums"),
    ],
)
def test_what_there_is_not_is_seen(text: str, found: str) -> None:
    """Positive control, for Python."""
    assert next(misfits(text)).startswith(found)


def test_an_unknown_command_or_option_is_seen() -> None:
    """Positive control, for commands."""
    assert unknown(["querry", "SELECT 1"]) == "no command querry"
    assert unknown(["query", "SELECT 1", "--purpoes", "x"]) == "no option --purpoes"
    assert unknown(["log", "verify", "--nothing"]) == "no option --nothing"
    assert unknown(["log", "verify", "gateway/log"]) == ""
