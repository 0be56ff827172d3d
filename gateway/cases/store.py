"""What is kept of cases, and when it can be seen.

A change is written first, then logged, then shown: `begin` stores changes that nobody sees, `show`
makes them the case's state in the same transaction that marks them as logged. Whoever dies in
between finds them again by `unlogged`.

Several gateways may share the store. A case is carried on by the one that changed it last
(`owner`); that no two change it at once is held by the numbers of its changes: each follows the
last one that was begun, whoever began it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.cases import schema
from gateway.cases.case import Case, Change, Opened, Sealed, StepRow, Unlogged
from gateway.cases.database import Database
from gateway.cases.rows import case_of, change_of, opened_of, step_of
from policies.progress import CaseState, StepState


class Overtaken(Exception):
    """The case has gone on since it was looked at; look again."""


class Store:
    """The cases of one gateway (`owner` is its log's name). Safe for many threads."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self.owner = owner
        self.shared = database.shared

    def create(
        self,
        opened: Opened,
        text: str,
        forms: dict[str, Sealed],
        changes: Sequence[Change],
        log_size: int,
    ) -> bool:
        """A new case with its first changes, unlogged; False where the id is known already."""
        with self._database.write() as run:
            known = sa.select(schema.procedure.c.digest).where(
                schema.procedure.c.digest == opened.digest
            )
            if not run.execute(known).first():
                self._database.insert_once(run, schema.procedure, digest=opened.digest, text=text)
            if not self._database.insert_once(
                run,
                schema.case,
                id=opened.id,
                owner=self.owner,
                procedure=opened.procedure,
                digest=opened.digest,
                purpose=opened.purpose,
                opener=opened.opener,
                organisation=opened.organisation,
                client=opened.client,
                form_key=opened.form_key,
                state=CaseState.OPEN.value,
                opened_at=opened.opened_at,
                sequence=0,
            ):
                return False
            run.execute(
                schema.step.insert(),
                [
                    {
                        "case_id": opened.id,
                        "step": name,
                        "state": StepState.WAITING.value,
                        "form": form.sealed,
                        "form_signature": form.signature,
                    }
                    for name, form in forms.items()
                ],
            )
            self._insert(run, opened.id, changes, log_size)
            return True

    def begin(
        self,
        case: str,
        changes: Sequence[Change],
        log_size: int,
        envelopes: Sequence[tuple[str, str, Sealed]] = (),
    ) -> bool:
        """Writes changes that nobody sees before `show`; `envelopes` are (from, to, sealed).

        The case is this gateway's from now on; True where another one carried it on. Raises
        Overtaken where other changes were begun since these were decided.
        """
        with self._database.write() as run:
            table = schema.case
            owner = run.execute(
                sa.select(table.c.owner).where(table.c.id == case).with_for_update()
            ).scalar()
            latest = run.execute(
                sa.select(sa.func.max(schema.change.c.sequence)).where(
                    schema.change.c.case_id == case
                )
            ).scalar()
            if owner is not None and latest is not None and changes[0].sequence != latest + 1:
                raise Overtaken
            moved = owner is not None and owner != self.owner
            if moved:
                run.execute(table.update().where(table.c.id == case).values(owner=self.owner))
            for source, target, sealed in envelopes:
                run.execute(
                    schema.envelope.delete().where(
                        schema.envelope.c.case_id == case,
                        schema.envelope.c.from_step == source,
                        schema.envelope.c.to_step == target,
                    )
                )
                run.execute(
                    schema.envelope.insert().values(
                        case_id=case,
                        from_step=source,
                        to_step=target,
                        sealed=sealed.sealed,
                        signature=sealed.signature,
                    )
                )
            self._insert(run, case, changes, log_size)
            return moved

    def show(self, case: str, changes: Sequence[Change]) -> None:
        """The changes are logged, and are now what the case is; those that were shown stay so.

        Another gateway can have found them begun and have shown them, and the case gone on.
        """
        with self._database.write() as run:
            run.execute(
                sa.select(schema.case.c.id).where(schema.case.c.id == case).with_for_update()
            )
            begun = run.execute(
                sa.select(schema.change.c.sequence).where(
                    schema.change.c.case_id == case, schema.change.c.logged.is_(False)
                )
            )
            hidden = {int(row[0]) for row in begun}
            for each in changes:
                if each.sequence in hidden:
                    _apply(run, case, each)
            run.execute(
                schema.change.update()
                .where(
                    schema.change.c.case_id == case,
                    schema.change.c.sequence.in_([each.sequence for each in changes]),
                )
                .values(logged=True)
            )

    def unlogged(self, cases: Sequence[str] | None = None) -> list[Unlogged]:
        """The changes that were begun and not shown, in their order; of these cases, or of all."""
        query = (
            sa.select(
                schema.change,
                # Both have a state and a sequence; the change's are meant.
                *(each for each in schema.case.c if each.name not in ("sequence", "state")),
            )
            .join(schema.case)
            .where(schema.change.c.logged.is_(False), schema.case.c.owner == self.owner)
            .order_by(schema.change.c.case_id, schema.change.c.sequence)
        )
        if cases is not None:
            query = query.where(schema.case.c.id.in_(cases))
        with self._database.read() as run:
            return [
                Unlogged(opened_of(row), change_of(row), row.log_size) for row in run.execute(query)
            ]

    def begun_before(self, moment: float) -> list[str]:
        """Our cases with changes that were begun before that time and not shown yet."""
        change = schema.change
        query = (
            sa.select(change.c.case_id)
            .join(schema.case)
            .where(
                change.c.logged.is_(False),
                change.c.time < moment,
                schema.case.c.owner == self.owner,
            )
            .distinct()
        )
        with self._database.read() as run:
            return [str(row[0]) for row in run.execute(query)]

    def find(self, case: str) -> Case | None:
        """The case as it stands."""
        with self._database.read() as run:
            row = run.execute(sa.select(schema.case).where(schema.case.c.id == case)).first()
            if row is None:
                return None
            steps = run.execute(
                sa.select(schema.step).where(schema.step.c.case_id == case)
            ).fetchall()
            return case_of(row, steps)

    def form(self, case: str, step: str) -> Sealed:
        """The part of the form that is for that step."""
        query = sa.select(schema.step.c.form, schema.step.c.form_signature).where(
            schema.step.c.case_id == case, schema.step.c.step == step
        )
        with self._database.read() as run:
            form, signature = run.execute(query).one()
            return Sealed(form, signature)

    def forms(self, case: str) -> dict[str, Sealed]:
        """Every step's part of the form."""
        query = sa.select(
            schema.step.c.step, schema.step.c.form, schema.step.c.form_signature
        ).where(schema.step.c.case_id == case)
        with self._database.read() as run:
            return {name: Sealed(form, sign) for name, form, sign in run.execute(query)}

    def envelopes(self, case: str, step: str) -> dict[str, Sealed]:
        """What was handed over to that step, by the step that did."""
        table = schema.envelope
        query = sa.select(table).where(table.c.case_id == case, table.c.to_step == step)
        with self._database.read() as run:
            return {row.from_step: Sealed(row.sealed, row.signature) for row in run.execute(query)}

    def changes(self, case: str, after: int = 0) -> list[Change]:
        """What happened after that change, as far as it is logged."""
        query = (
            sa.select(schema.change)
            .where(
                schema.change.c.case_id == case,
                schema.change.c.sequence > after,
                schema.change.c.logged.is_(True),
            )
            .order_by(schema.change.c.sequence)
        )
        with self._database.read() as run:
            return [change_of(row) for row in run.execute(query)]

    def text(self, digest: str) -> str:
        """The text of the procedure that a case was opened under."""
        query = sa.select(schema.procedure.c.text).where(schema.procedure.c.digest == digest)
        with self._database.read() as run:
            return str(run.execute(query).scalar_one())

    def digests(self) -> list[str]:
        """Of every procedure that an open case was opened under."""
        open_ = schema.case.c.state == CaseState.OPEN.value
        query = sa.select(schema.case.c.digest).where(open_).distinct()
        with self._database.read() as run:
            return [str(row[0]) for row in run.execute(query)]

    def under_way(self, cases: Sequence[str] | None = None) -> Iterator[tuple[str, str, StepRow]]:
        """Case, procedure's digest and row of every step that is asked in an open case of ours."""
        query = (
            sa.select(schema.step, schema.case.c.digest)
            .join(schema.case)
            .where(*self._open(), schema.step.c.state == StepState.ASKED.value)
        )
        if cases is not None:
            query = query.where(schema.case.c.id.in_(cases))
        with self._database.read() as run:
            for row in run.execute(query):
                yield row.case_id, row.digest, step_of(row)

    def list(
        self,
        *,
        procedure: str,
        state: str,
        overdue_at: float | None,
        organisation: str | None,
        opener: str,
        after: str,
        most: int,
    ) -> list[Case]:
        """Cases by id. `organisation` None: of all; otherwise those that this opener opened."""
        table = schema.case
        query = sa.select(table).where(table.c.procedure == procedure, table.c.id > after)
        if state:
            query = query.where(table.c.state == state)
        if organisation is not None:
            query = query.where(table.c.organisation == organisation, table.c.opener == opener)
        if overdue_at is not None:
            late = sa.select(schema.step.c.case_id).where(
                schema.step.c.state == StepState.ASKED.value, schema.step.c.due_at <= overdue_at
            )
            query = query.where(table.c.state == CaseState.OPEN.value, table.c.id.in_(late))
        return [*self._whole(query.order_by(table.c.id).limit(most))]

    def recent(self, most: int) -> Sequence[Case]:
        """The cases that were opened last, open ones before all others."""
        table = schema.case
        closed = sa.case((table.c.state == CaseState.OPEN.value, 0), else_=1)
        query = sa.select(table).order_by(closed, table.c.opened_at.desc()).limit(most)
        return self._whole(query)

    def _whole(self, query: sa.Select[Any]) -> Sequence[Case]:
        """Those cases, with their steps."""
        with self._database.read() as run:
            rows = run.execute(query).fetchall()
            found = sa.select(schema.step).where(
                schema.step.c.case_id.in_([row.id for row in rows])
            )
            steps: dict[str, list[Any]] = {}
            for row in run.execute(found):
                steps.setdefault(row.case_id, []).append(row)
            return [case_of(row, steps.get(row.id, [])) for row in rows]

    def latest(self) -> float:
        """The time of the latest change, 0 where there is none: no clock here goes back of it."""
        query = sa.select(sa.func.max(schema.change.c.time))
        with self._database.read() as run:
            return float(run.execute(query).scalar() or 0.0)

    def close(self) -> None:
        """Lets go of every connection."""
        self._database.close()

    def _open(self) -> tuple[Any, ...]:
        return (schema.case.c.owner == self.owner, schema.case.c.state == CaseState.OPEN.value)

    @staticmethod
    def _insert(run: sa.Connection, case: str, changes: Sequence[Change], log_size: int) -> None:
        run.execute(
            schema.change.insert(),
            [
                {
                    "case_id": case,
                    "sequence": each.sequence,
                    "time": each.time,
                    "step": each.step,
                    "state": each.state,
                    "code": each.code,
                    "reasons": " ".join(each.reasons),
                    "role": each.role,
                    "parts": json.dumps(each.parts) if each.parts else "",
                    "due_at": each.due_at,
                    "log_size": log_size,
                    "logged": False,
                }
                for each in changes
            ],
        )


def _apply(run: sa.Connection, case: str, each: Change) -> None:
    closing = {CaseState.APPROVED, CaseState.REFUSED, CaseState.CANCELLED}
    values: dict[str, Any] = {"sequence": each.sequence}
    if not each.step and each.state in closing:
        values |= {"state": each.state, "closed_at": each.time}
    run.execute(
        schema.case.update()
        .where(schema.case.c.id == case, schema.case.c.sequence < each.sequence)
        .values(**values)
    )
    if not each.step or each.state == "late":
        return
    new: dict[str, Any] = (
        {"escalated_to": each.role}
        if each.state == "escalated"
        else {
            "state": each.state,
            "code": each.code,
            "reasons": " ".join(each.reasons),
        }
    )
    if each.due_at is not None:
        new["due_at"] = each.due_at
    run.execute(
        schema.step.update()
        .where(schema.step.c.case_id == case, schema.step.c.step == each.step)
        .values(**new)
    )
