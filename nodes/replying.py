"""A handler's replies about one subject or many: never a row, always of the declared type.

Order matters: permission, then consent, then arguments, then the counts that bound scraping, and
only then the data. Each subject of a batch has its own entry, so that a person's list is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from landbridge.consultation.grant import Grant
from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.errors import error
from landbridge.identity.caller import Caller
from nodes.computing import Computing, Value
from nodes.granting import record_use, use_of
from nodes.guard import Asking, Guard, WeighedCall
from nodes.ledger import Ledger
from nodes.quotas import Charge, Quotas
from policies.handler import Handler
from policies.reply import Reply, spelt

MOST_SUBJECTS = 1_000


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply, the handler's version, and the proof that it was logged."""

    reply: Reply
    version: str
    logged: Logged


@dataclass(frozen=True, slots=True)
class Batch:
    """Many subjects, each a value of the subject's argument; `consents` beside them, or none."""

    subjects: Sequence[object]
    consents: Sequence[str] = ()


class Replying:
    """The use case of one department's handlers."""

    def __init__(
        self,
        guard: Guard,
        quotas: Quotas,
        computing: Computing,
        recorder: Recorder,
        ledger: Ledger,
    ) -> None:
        self._guard = guard
        self._quotas = quotas
        self._computing = computing
        self._recorder = recorder
        self._ledger = ledger

    def reply(
        self,
        asking: Asking,
        name: str,
        arguments: Mapping[str, object],
        *,
        consent: str = "",
        time_left: Callable[[], float],
        trace_id: str,
        permit: Callable[[Draft], tuple[WeighedCall, Grant]] | None = None,
    ) -> Replied:
        """One reply, or a refusal; either is in the log before this returns.

        `permit` decides in the place of policy, where a grant is shown.
        """
        with self._recorder.request("call", trace_id=trace_id) as draft:
            grant: Grant | None = None
            if permit is None:
                caller, handler = self._permitted(asking, name, draft)
            else:
                weighed, grant = permit(draft)
                caller, handler = weighed.caller, weighed.handler
                _require_outside_cases(handler)
            handler.require_consent(consent)
            values = handler.values(arguments)
            draft.note(**noted(draft, handler, values, consent))
            self._charge(caller, handler, [values])
            if grant is not None:
                self._ledger.use(use_of(grant), asking.question_id)
                record_use(draft, grant)
            computed = self._computing.compute(handler, values, time_left)
            draft.note(data_version=computed.data_version)
            logged = draft.answered(spelt(computed.reply).encode())
            return Replied(computed.reply, handler.version, logged)

    def reply_many(
        self,
        asking: Asking,
        name: str,
        arguments: Mapping[str, object],
        batch: Batch,
        *,
        time_left: Callable[[], float],
        trace_id: str,
    ) -> list[Replied]:
        """A reply for each subject, in their order, or one refusal for all.

        The counts are charged for all before any data is read, or for none; each subject's entry
        is in the log before this returns.
        """
        with self._recorder.request("call", trace_id=trace_id) as draft:
            caller, handler = self._permitted(asking, name, draft)
            if not 0 < len(batch.subjects) <= MOST_SUBJECTS:
                raise error("INVALID_ARGUMENT", f"A batch has 1 to {MOST_SUBJECTS} subjects.")
            if len(batch.consents) not in (0, len(batch.subjects)):
                raise error("INVALID_ARGUMENT", "There is a consent reference for each subject.")
            consents = batch.consents or [""] * len(batch.subjects)
            for consent in consents:
                handler.require_consent(consent)
            if handler.subject in arguments:
                raise error("INVALID_ARGUMENT", "The subjects of a batch stand in their own list.")
            each = [
                handler.values({**arguments, handler.subject: subject})
                for subject in batch.subjects
            ]
            if len({values[handler.subject] for values in each}) != len(each):
                raise error("INVALID_ARGUMENT", "Each subject stands in a batch once.")
            self._charge(caller, handler, each)
            computed = [self._computing.compute(handler, values, time_left) for values in each]
            logged = draft.answered_each(
                [
                    (
                        {
                            **noted(draft, handler, values, consent),
                            "data_version": found.data_version,
                        },
                        spelt(found.reply).encode(),
                    )
                    for values, consent, found in zip(each, consents, computed, strict=True)
                ]
            )
            return [
                Replied(found.reply, handler.version, proof)
                for found, proof in zip(computed, logged, strict=True)
            ]

    def _permitted(self, asking: Asking, name: str, draft: Draft) -> tuple[Caller, Handler]:
        caller, handler = self._guard.handler(asking, name, draft)
        _require_outside_cases(handler)
        return caller, handler

    def _charge(
        self, caller: Caller, handler: Handler, each: Sequence[Mapping[str, Value]]
    ) -> None:
        self._quotas.charge(charge(self._recorder, self._guard, caller, handler, each),
                            handler.quota)  # fmt: skip


def _require_outside_cases(handler: Handler) -> None:
    if handler.procedures or handler.sources:
        raise error(
            "ACCESS_DENIED",
            f"Handler {handler.name} replies within a case only.",
            rule="handler.procedures",
            hint="Open a case of a procedure that it is a step of.",
        )


def charge(
    recorder: Recorder,
    guard: Guard,
    caller: Caller,
    handler: Handler,
    each: Sequence[Mapping[str, Value]],
    ident: str = "",
) -> Charge:
    """What is counted; the digests are made with the key that lasts, for periods are long."""
    return Charge(
        f"{guard.department}.{handler.name}",
        caller.organisation,
        recorder.digest("caller", caller.subject),
        [recorder.subject(str(values[handler.subject])) for values in each],
        ident,
    )


def noted(
    draft: Draft, handler: Handler, values: Mapping[str, Value], consent: str
) -> dict[str, str]:
    """The subject, and the consent where there is one, as the log may have them: keyed."""
    found = {"subject": draft.recorder.subject(str(values[handler.subject]))}
    if consent:
        found["note"] = f"consent {draft.recorder.digest('text', consent)}"
    return found
