"""The command `landbridge`: its commands, and how every run of it ends.

Nobody sees a traceback: each kind of failure is a sentence on standard error and an exit status of
`landbridge.cli.ending.Status`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from landbridge.cli import (
    about,
    attend,
    call,
    case,
    census,
    consult,
    demo,
    directory,
    explain,
    group,
    init,
    log,
    log_about,
    log_archive,
    log_reconcile,
    log_search,
    query,
    review,
    servers,
    submit,
    token,
    up,
    watch,
    witness,
)
from landbridge.cli.ending import OperatorError, Status, sentence, status_of
from landbridge.cli.refusal import Declined, picture
from landbridge.cli.stopping import Stopped
from landbridge.cli.terminal import tell
from landbridge.errors import LandbridgeError
from landbridge.evidence.finding import EvidenceError


def main() -> None:
    """The entry point of the command `landbridge`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line; gives the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a character that the locale lacks is no failure
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            command = typer.main.get_command(application())
            with command.make_context("landbridge", list(arguments)) as context:
                command.invoke(context)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _abandon_output()  # whoever read has seen enough
        return Status.DONE
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as usage:
        show = getattr(usage, "show", None)  # the usage line, where it knows the command
        tell(usage.format_message()) if show is None else show()
        return Status.OPERATOR
    except Stopped as stopped:
        return stopped.status
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except Exception as problem:  # noqa: BLE001 - the rim: nothing passes but as a sentence
        return _fell_short(problem)
    return Status.DONE


def application() -> typer.Typer:
    """All commands."""
    whole = _group("Computed answers across departments' private data, never rows.")
    whole.callback()(_options)
    whole.command()(demo.demo)
    whole.command()(query.query)
    whole.command()(explain.explain)
    whole.command()(call.call)
    whole.command()(census.contribute)
    whole.command()(census.collect)
    whole.command()(submit.submit)
    whole.command()(directory.directory)
    whole.command()(about.about)
    consultations = _group("Put before an officer of the owner what policy does not answer.")
    consultations.command("open")(consult.open_)
    consultations.command("show")(consult.show)
    consultations.command("follow")(consult.follow)
    consultations.command("reply")(consult.reply)
    consultations.command("accept")(consult.accept)
    consultations.command("withdraw")(consult.withdraw)
    consultations.command("answer")(consult.answer)
    whole.add_typer(consultations, name="consult")
    reviews = _group("Decide consultations, as an officer on the machine of the own node.")
    reviews.command("list")(review.list_)
    reviews.command("show")(review.show)
    reviews.command("approve")(review.approve)
    reviews.command("narrow")(review.narrow)
    reviews.command("ask")(review.ask)
    reviews.command("decline")(review.decline)
    reviews.command("follow")(review.follow)
    reviews.command("serve")(review.serve)
    whole.add_typer(reviews, name="review")
    attendances = _group("Look after cases that your department's own handler watches named.")
    attendances.command("list")(attend.list_)
    attendances.command("follow")(attend.follow)
    attendances.command("done")(attend.done)
    whole.add_typer(attendances, name="attend")
    logs = _group("Read and verify published logs and receipts, asking nobody.")
    logs.command("show")(log.show)
    logs.command("verify")(log.verify)
    logs.command("reconcile")(log_reconcile.reconcile)
    logs.command("search")(log_search.search)
    logs.command("export")(log_search.export)
    logs.command("about")(log_about.about)
    logs.command("forget-key")(log_about.forget_key)
    logs.command("archive")(log_archive.archive)
    logs.command("witness")(witness.witness)
    whole.add_typer(logs, name="log")
    whole.command()(up.up)
    whole.command()(servers.doctor)
    tokens = _group("Bearer tokens for development.")
    tokens.callback()(_tokens)
    tokens.command("issue")(token.issue)
    whole.add_typer(tokens, name="token")
    starts = _group("Write configurations to start from.")
    starts.command("federation")(init.federation)
    starts.command("node")(init.node)
    starts.command("gateway")(init.gateway)
    starts.command("desk")(init.desk)
    whole.add_typer(starts, name="init")
    gateways = _group("Run a gateway.")
    gateways.callback()(_gateways)
    gateways.command("serve")(servers.gateway_serve)
    gateways.command("invite")(servers.gateway_invite)
    gateways.command("members")(servers.gateway_members)
    gateways.command("approve")(servers.gateway_approve)
    gateways.command("reject")(servers.gateway_reject)
    gateways.command("revoke")(servers.gateway_revoke)
    gateways.command("grant")(servers.gateway_grant)
    whole.add_typer(gateways, name="gateway")
    nodes = _group("Run a department's node, and load its data.")
    nodes.command("serve")(servers.node_serve)
    nodes.command("load")(servers.node_load)
    nodes.command("join")(servers.node_join)
    nodes.command("accept")(servers.node_accept)
    whole.add_typer(nodes, name="node")
    policies = _group("Review what contracts and access policies let out, without a running node.")
    policies.command("check")(servers.policy_check)
    policies.command("diff")(servers.policy_diff)
    whole.add_typer(policies, name="policy")
    cases = _group("Open, look at, follow, list and cancel cases of procedures.")
    cases.command("open")(case.open_)
    cases.command("show")(case.show)
    cases.command("follow")(case.follow)
    cases.command("list")(case.list_)
    cases.command("cancel")(case.cancel)
    whole.add_typer(cases, name="case")
    watches = _group("Make standing questions, and follow what they tell.")
    watches.command("create")(watch.create)
    watches.command("list")(watch.list_)
    watches.command("show")(watch.show)
    watches.command("follow")(watch.follow)
    watches.command("stop")(watch.stop)
    whole.add_typer(watches, name="watch")
    groups = _group("Notices, reports and votes of the groups that you are in.")
    groups.command("list")(group.list_)
    groups.command("show")(group.show)
    groups.command("notices")(group.notices)
    groups.command("post")(group.post)
    groups.command("report")(group.report)
    groups.command("vote")(group.vote)
    groups.command("result")(group.result)
    groups.command("ask")(group.ask)
    whole.add_typer(groups, name="group")
    procedures = _group("Review declared procedures, without a running gateway.")
    procedures.callback()(_procedures)
    procedures.command("check")(servers.procedure_check)
    whole.add_typer(procedures, name="procedure")
    return whole


def _group(text: str) -> typer.Typer:
    return typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )


def _version(asked: bool) -> None:  # noqa: FBT001 - the form of an option's callback
    if asked:
        try:
            typer.echo(f"landbridge {version('landbridge')}")
        except PackageNotFoundError:
            typer.echo("landbridge, from its source tree")
        raise typer.Exit


def _options(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Computed answers across departments' private data, never rows."""


# With a callback a group stays a group, though it has one command only.
def _tokens() -> None:
    """Bearer tokens for development."""


def _gateways() -> None:
    """Run a gateway."""


def _procedures() -> None:
    """Review declared procedures, without a running gateway."""


def _fell_short(problem: Exception) -> Status:
    """Says what went wrong; the exit status that belongs to it."""
    from landbridge.federation.folder import FederationInvalid
    from landbridge.federation.process import ProcessFailed

    match problem:
        case Declined():
            return _declined(problem.refusal, problem.sql)
        case LandbridgeError():
            return _declined(problem, "")
        case EvidenceError():
            tell(f"Not verified: {problem}.")
            return Status.NOT_VERIFIED
        case OperatorError() | FederationInvalid() | ProcessFailed():
            tell(str(problem))
            return Status.OPERATOR
        case OSError():
            _abandon_output()  # it may be the output itself that is full
            tell(sentence(problem))
            return Status.OPERATOR
        case _:
            place = traceback.extract_tb(problem.__traceback__)[-1:]
            where = f"{Path(place[0].filename).name}:{place[0].lineno}" if place else "nowhere"
            tell(f"A defect of landbridge: {type(problem).__name__} at {where}. Please report it.")
            return Status.FAULT


def _abandon_output() -> None:
    """What is still buffered goes nowhere; Python would complain of it when it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _declined(refusal: LandbridgeError, sql: str) -> Status:
    for line in picture(refusal, sql):
        typer.echo(line, err=True)
    return status_of(refusal)
