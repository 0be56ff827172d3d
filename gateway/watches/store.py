"""Where watches are kept, beside the cases.

An event is stored first, then logged, then shown: it has no proof until its entry is on disk, and
nobody is told of an event without one. Whoever dies in between finds it again by `unlogged`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.cases.database import Database
from gateway.watches import schema
from landbridge.identity.caller import Caller
from landbridge.levels import Level

STANDING = "standing"
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Watch:
    """A watch as it stands. `asked` is the caller's own request; `sequence` is the last event's."""

    id: str
    caller: Caller
    asked: bytes
    department: str
    created_at_ms: int
    until_ms: int
    method: str
    accuracy: float
    alerts_most: int
    reserved: int
    spent: int = 0
    evaluations: int = 0
    alerts: int = 0
    sequence: int = 0
    state: str = STANDING
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that subscribers are told, as it is stored; `receipt` once it is logged."""

    watch: str
    number: int
    content: bytes
    salt: bytes
    parts: tuple[dict[str, Any], ...]
    receipt: tuple[bytes, str] | None = None


class WatchStore:
    """The watches of one gateway (`owner` is its log's name). Safe for many threads."""

    def __init__(self, database: Database, owner: str) -> None:
        self._owner = owner
        self._read, self._write = database.read, database.write

    def create(self, watch: Watch) -> bool:
        """A new watch; False where the id is known already."""
        with self._write() as run:
            return Database.insert_once(
                run,
                schema.watch,
                id=watch.id,
                owner=self._owner,
                caller=_written(watch.caller),
                organisation=watch.caller.organisation,
                asked=watch.asked,
                department=watch.department,
                created_at_ms=watch.created_at_ms,
                until_ms=watch.until_ms,
                method=watch.method,
                accuracy=watch.accuracy,
                alerts_most=watch.alerts_most,
                reserved=watch.reserved,
                spent=watch.spent,
                evaluations=watch.evaluations,
                alerts=watch.alerts,
                sequence=watch.sequence,
                state=watch.state,
                reason=watch.reason,
            )

    def find(self, identifier: str) -> Watch | None:
        """The one of that id, whoever's it is."""
        query = sa.select(schema.watch).where(schema.watch.c.id == identifier)
        with self._read() as run:
            row = run.execute(query).first()
        return None if row is None else _watch(row)

    def mine(self, identifier: str) -> Watch | None:
        """The one of that id; None where another gateway carries it on."""
        table = schema.watch
        query = sa.select(table).where(table.c.id == identifier, table.c.owner == self._owner)
        with self._read() as run:
            row = run.execute(query).first()
        return None if row is None else _watch(row)

    def adopt(self, identifier: str) -> None:
        """This gateway carries it on from now on, whoever did."""
        table = schema.watch
        theirs = sa.and_(table.c.id == identifier, table.c.owner != self._owner)
        with self._write() as run:
            run.execute(table.update().where(theirs).values(owner=self._owner))

    def take_over(
        self, ended: Callable[[sa.Connection], list[str]], log_size: int
    ) -> tuple[tuple[Watch, ...], frozenset[str]]:
        """The standing watches of gateways that are gone, which are this one's now; and the ids of
        those of which an event was begun and not told.

        `ended` names the gateways, in the same transaction. What they had begun is looked for in
        this gateway's own log from entry `log_size` on, where nobody has written it yet.
        """
        table, event = schema.watch, schema.event
        with self._write() as run:
            names = ended(run)
            if not names:
                return (), frozenset()
            begun = sa.select(event.c.watch_id).where(event.c.proof.is_(None))
            theirs = sa.and_(
                table.c.owner.in_(names),
                sa.or_(table.c.state == STANDING, table.c.id.in_(begun)),
            )
            taken = [_watch(row) for row in run.execute(sa.select(table).where(theirs))]
            if not taken:
                return (), frozenset()
            ids = [watch.id for watch in taken]
            untold = sa.and_(event.c.proof.is_(None), event.c.watch_id.in_(ids))
            left = {str(row[0]) for row in run.execute(sa.select(event.c.watch_id).where(untold))}
            run.execute(event.update().where(untold).values(log_size=log_size))
            run.execute(table.update().where(table.c.id.in_(ids)).values(owner=self._owner))
            return tuple(each for each in taken if each.state == STANDING), frozenset(left)

    def standing(self) -> list[Watch]:
        """Those that this gateway has to evaluate."""
        table = schema.watch
        query = sa.select(table).where(table.c.owner == self._owner, table.c.state == STANDING)
        with self._read() as run:
            return [_watch(row) for row in run.execute(query)]

    def of(self, organisation: str, *, ended: bool, after: str, most: int) -> list[Watch]:
        """An organisation's, by id."""
        table = schema.watch
        query = sa.select(table).where(table.c.organisation == organisation, table.c.id > after)
        if not ended:
            query = query.where(table.c.state == STANDING)
        with self._read() as run:
            rows = run.execute(query.order_by(table.c.id).limit(most)).fetchall()
        return [_watch(row) for row in rows]

    def progressed(self, identifier: str, evaluations: int, spent: int) -> None:
        """How far it is; less than is stored already changes nothing."""
        table = schema.watch
        with self._write() as run:
            run.execute(
                table.update()
                .where(table.c.id == identifier, table.c.evaluations < evaluations)
                .values(evaluations=evaluations, spent=spent)
            )

    def begin(self, event: Event, log_size: int, *, alert: int = 0, ended: str = "") -> bool:
        """Stores an event that nobody sees before `show`; False where it is stored already.

        `alert` is the number of the department's alert that it tells of; `ended` why nothing more
        comes.
        """
        watches = schema.watch
        with self._write() as run:
            row = run.execute(
                sa.select(watches.c.sequence, watches.c.alerts, watches.c.state)
                .where(watches.c.id == event.watch)
                .with_for_update()  # two gateways can have the same alert in their hands
            ).one()
            if row.sequence != event.number - 1 or row.state != STANDING:
                return False
            if alert and row.alerts != alert - 1:
                return False
            run.execute(
                schema.event.insert().values(
                    watch_id=event.watch,
                    number=event.number,
                    content=event.content,
                    salt=event.salt,
                    parts=json.dumps(event.parts),
                    log_size=log_size,
                )
            )
            values: dict[str, Any] = {"sequence": event.number}
            if alert:
                values["alerts"] = alert
            if ended:
                values |= {"state": ENDED, "reason": ended}
            run.execute(watches.update().where(watches.c.id == event.watch).values(**values))
            return True

    def show(self, event: Event, entry: bytes, proof: str) -> None:
        """The event is logged, and whoever follows is told."""
        table = schema.event
        with self._write() as run:
            run.execute(
                table.update()
                .where(table.c.watch_id == event.watch, table.c.number == event.number)
                .values(entry=entry, proof=proof)
            )

    def events(self, identifier: str, after: int, most: int) -> list[Event]:
        """What happened after that event, as far as it is logged: never one without those before.

        Each has its receipt.
        """
        table = schema.event
        query = (
            sa.select(table)
            .where(table.c.watch_id == identifier, table.c.number > after)
            .order_by(table.c.number)
            .limit(most)
        )
        found = []
        with self._read() as run:
            for row in run.execute(query):
                if row.proof is None:
                    break
                found.append(_event(row))
        return found

    def unlogged(self) -> list[tuple[Event, int]]:
        """Events that may or may not stand in the log, from entry so-and-so on; in their order."""
        table = schema.event
        query = (
            sa.select(table)
            .join(schema.watch)
            .where(table.c.proof.is_(None), schema.watch.c.owner == self._owner)
            .order_by(table.c.watch_id, table.c.number)
        )
        with self._read() as run:
            return [(_event(row), row.log_size) for row in run.execute(query)]


def _watch(row: Any) -> Watch:
    return Watch(
        row.id,
        _caller(row.caller),
        bytes(row.asked),
        row.department,
        row.created_at_ms,
        row.until_ms,
        row.method,
        row.accuracy,
        row.alerts_most,
        row.reserved,
        row.spent,
        row.evaluations,
        row.alerts,
        row.sequence,
        row.state,
        row.reason,
    )


def _event(row: Any) -> Event:
    return Event(
        row.watch_id,
        row.number,
        bytes(row.content),
        bytes(row.salt),
        tuple(json.loads(row.parts)),
        None if row.proof is None else (bytes(row.entry), row.proof),
    )


def _written(caller: Caller) -> str:
    return json.dumps(
        {
            "subject": caller.subject,
            "organisation": caller.organisation,
            "client": caller.client,
            "clearance": caller.clearance.label,
            "purposes": sorted(caller.purposes),
        }
    )


def _caller(text: str) -> Caller:
    """Who made it; what else their token said is the department's to remember."""
    kept = json.loads(text)
    return Caller(
        kept["subject"],
        kept["organisation"],
        kept["client"],
        Level.named(kept["clearance"]),
        frozenset(kept["purposes"]),
        "",
        0.0,
    )


def numbers_of(events: Sequence[Event]) -> str:
    """As an entry says which: "3" or "3 to 7"."""
    first, last = events[0].number, events[-1].number
    return str(first) if first == last else f"{first} to {last}"
