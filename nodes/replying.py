"""A handler's reply about one subject: never a row, always one of the declared codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from landbridge.consultation.grant import Grant
from landbridge.edge.record import Draft, Logged, Recorder
from landbridge.errors import error
from nodes.granting import record_use, use_of
from nodes.guard import Asking, Guard, WeighedCall
from nodes.ledger import Ledger
from nodes.tables import Tables
from policies.handler import Handler

MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class Replied:
    """A code, the handler's version, and the proof that it was logged."""

    code: str
    version: str
    logged: Logged


class Replying:
    """The use case of one department's handlers."""

    def __init__(self, guard: Guard, ledger: Ledger, tables: Tables, recorder: Recorder) -> None:
        self._guard = guard
        self._ledger = ledger
        self._tables = tables
        self._recorder = recorder

    def reply(
        self,
        asking: Asking,
        name: str,
        arguments: Mapping[str, object],
        *,
        time_left: Callable[[], float],
        trace_id: str,
        permit: Callable[[Draft], tuple[WeighedCall, Grant]] | None = None,
    ) -> Replied:
        """One code, or a refusal; either is in the log before this returns.

        `permit` decides in the place of policy, where a grant is shown.
        """
        with self._recorder.request("call", trace_id=trace_id) as draft:
            grant: Grant | None = None
            if permit is None:
                caller, handler = self._guard.handler(asking, name, draft)
            else:
                weighed, grant = permit(draft)
                caller, handler = weighed.caller, weighed.handler
            parameters = handler.bind(dict(arguments))
            digest = draft.recorder.subject(str(arguments[handler.subject]))
            draft.note(subject=digest)
            full = f"{self._guard.department}.{name}"
            # Counted before the data is read, and whatever the reply will be.
            self._ledger.look_up(full, caller.organisation, digest, handler.subjects_per_day)
            if grant is not None:
                self._ledger.use(use_of(grant), asking.question_id)
                record_use(draft, grant)
            code = self._code(handler, parameters, time_left() - MARGIN)
            return Replied(code, handler.version, draft.answered(code.encode()))

    def _code(self, handler: Handler, parameters: list[int | str], timeout: float) -> str:
        if timeout <= 0:
            raise error("DEADLINE")
        with self._tables.open() as (engine, _):
            rows = engine.run(handler.sql, parameters, timeout=timeout, maximum_rows=2)
        if not rows:
            return handler.absent
        if len(rows) != 1 or len(rows[0]) != 1 or rows[0][0] not in handler.codes:
            raise error("RUN_FAILED")
        return str(rows[0][0])
