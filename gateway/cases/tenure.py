"""Which of several gateways carries a case on: each holds its cases for as long as it says so.

Every gateway on a shared database renews its lease there, by the database's clock; the cases and
watches of one whose lease has ended are taken by another. A lease only says who works. It is never
what keeps two from doing a thing twice: a department takes a step once, and a change follows the
last one that was begun (`gateway.cases.store`), so a gateway that was away for a minute and does
not know it finds its changes overtaken.
"""

from __future__ import annotations

import time
from typing import Final

import sqlalchemy as sa

from gateway.cases import schema
from gateway.cases.database import Database, StoreUnusable
from policies.progress import CaseState

LEASE_SECONDS: Final = 15.0
RENEW_SECONDS: Final = 4.0
"""Several renewals may fail before a gateway loses its cases."""


class Tenure:
    """The leases, as the gateway `owner` sees them.

    `mark` says by which key it knows applicants again; all gateways on a database have the same.
    """

    def __init__(self, database: Database, owner: str, mark: str) -> None:
        self._database = database
        self._owner = owner
        self._mark = mark

    def begin(self) -> None:
        """Holds from now on; raises StoreUnusable where it would not know others' applicants."""
        table = schema.replica
        with self._database.read() as run:
            other = sa.select(table.c.mark).where(
                table.c.name != self._owner, table.c.mark.not_in(("", self._mark))
            )
            if run.execute(other).first() is not None:
                raise StoreUnusable(
                    "Another gateway on this database of cases knows applicants by another key: "
                    "copy its state folder's subjects.key here, before this one's first start."
                )
        self.renew()

    def renew(self) -> None:
        """Holds for `LEASE_SECONDS` from now on."""
        table = schema.replica
        with self._database.write() as run:
            held = {"until": self._now(run) + LEASE_SECONDS, "mark": self._mark}
            mine = table.c.name == self._owner
            if not run.execute(table.update().where(mine).values(**held)).rowcount:
                run.execute(table.insert().values(name=self._owner, **held))

    def leave(self) -> None:
        """Lets others take the cases at once."""
        with self._database.write() as run:
            table = schema.replica
            run.execute(table.update().where(table.c.name == self._owner).values(until=0.0))

    def take_over(self, log_size: int) -> tuple[str, ...]:
        """The cases of gateways whose leases have ended, which are ours now.

        What they had begun is looked for in our own log from entry `log_size` on, where nobody has
        written it yet.
        """
        table, change = schema.case, schema.change
        with self._database.write() as run:
            ended = self.ended(run)
            if not ended:
                return ()
            begun = sa.select(change.c.case_id).where(change.c.logged.is_(False))
            theirs = sa.and_(
                table.c.owner.in_(ended),
                sa.or_(table.c.state == CaseState.OPEN.value, table.c.id.in_(begun)),
            )
            return self._take(run, theirs, log_size)

    def ended(self, run: sa.Connection) -> list[str]:
        """The gateways whose leases have ended.

        Their rows are held until the transaction's end: who comes back in this moment finds that
        what it carried on is another's.
        """
        replica = schema.replica
        over = run.execute(
            sa.select(replica.c.name)
            .where(replica.c.until < self._now(run), replica.c.name != self._owner)
            .with_for_update()
        )
        return [str(row[0]) for row in over]

    def adopt(self, case: str, log_size: int) -> bool:
        """That case is ours from now on, whoever carries it on; False where it was already."""
        theirs = sa.and_(schema.case.c.id == case, schema.case.c.owner != self._owner)
        with self._database.write() as run:
            return bool(self._take(run, theirs, log_size))

    def _take(
        self, run: sa.Connection, theirs: sa.ColumnElement[bool], log_size: int
    ) -> tuple[str, ...]:
        """Theirs are ours; gives which.

        A case is locked before its changes, as everywhere (`gateway.cases.store`): in the other
        order PostgreSQL would end this transaction or one that is in the middle of a change.
        """
        table, change = schema.case, schema.change
        held = sa.select(table.c.id).where(theirs).order_by(table.c.id).with_for_update()
        taken = tuple(str(row[0]) for row in run.execute(held))
        if taken:
            run.execute(
                change.update()
                .where(change.c.logged.is_(False), change.c.case_id.in_(taken))
                .values(log_size=log_size)
            )
            run.execute(table.update().where(table.c.id.in_(taken)).values(owner=self._owner))
        return taken

    def _now(self, run: sa.Connection) -> float:
        if not self._database.shared:
            return time.time()
        return float(
            run.execute(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))).scalar_one()
        )
