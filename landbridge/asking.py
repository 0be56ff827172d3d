"""Everything that a client can ask, written once for `Client` and `AsyncClient`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from landbridge import case as cases
from landbridge import exchange
from landbridge import watch as standing
from landbridge.access_list import AccessList
from landbridge.answers import Answer, Plan, Reply, Value
from landbridge.case import CaseView
from landbridge.case_handle import AsyncCase, Case
from landbridge.census import exchanges as census
from landbridge.census.exchanges import Contribution
from landbridge.consultation.callers import AsyncConsultation, Consultation
from landbridge.directory import Directory
from landbridge.exchange import Steps
from landbridge.group import exchanges as grouping
from landbridge.group.handle import AsyncGroup, Group
from landbridge.group.view import Groups
from landbridge.once import Asks, once
from landbridge.watch import WatchView
from landbridge.watch_handle import AsyncWatch, Watch

if TYPE_CHECKING:
    from landbridge.submission.form import Form
    from landbridge.submission.receipt import SubmissionReceipt

ACase = TypeVar("ACase", Case, AsyncCase)
AConsultation = TypeVar("AConsultation", Consultation, AsyncConsultation)
AWatch = TypeVar("AWatch", Watch, AsyncWatch)
AGroup = TypeVar("AGroup", Group, AsyncGroup)


class Asking(Asks, Generic[ACase, AConsultation, AWatch, AGroup]):
    """The methods; `ACase`, `AConsultation`, `AWatch` and `AGroup` are what handles are made of."""

    _case: type[ACase]
    _consultation: type[AConsultation]
    _watch: type[AWatch]
    _group: type[AGroup]
    _manifest: bytes | None

    @once
    def query(
        self,
        sql: str,
        *,
        purpose: str,
        epsilon: float | None = None,
        partial: bool = False,
        mixed_dates: bool = False,
        parameters: Sequence[Value] = (),
        grant: bytes | None = None,
        timeout: float | None = None,
    ) -> Steps[Answer]:
        """The answer to one SELECT of aggregates, charged to the owners' budgets.

        `epsilon`: the privacy parameter of the whole question (None: the contract's default).
        `partial`: accept an answer without the departments that do not reply; they are named.
        `mixed_dates`: accept an answer from data of several days; `Answer.as_of` names them.
        `parameters`: a value for each place (?) of the text, in their order.
        `grant`: what an officer of the owner let through (`Consultation.grant`).
        Raises the errors of `landbridge.errors`.
        """
        asked = exchange.query(
            sql,
            purpose=purpose,
            epsilon=epsilon,
            partial=partial,
            mixed_dates=mixed_dates,
            parameters=parameters,
            grant=grant,
        )
        return self._ask(asked, timeout)

    @once
    def explain(
        self,
        sql: str,
        *,
        purpose: str,
        epsilon: float | None = None,
        mixed_dates: bool = False,
        parameters: Sequence[Value] = (),
        timeout: float | None = None,
    ) -> Steps[Plan]:
        """What `query` would do, need and cost; touches no data and charges nothing."""
        asked = exchange.explain(
            sql, purpose=purpose, epsilon=epsilon, mixed_dates=mixed_dates, parameters=parameters
        )
        return self._ask(asked, timeout)

    @once
    def call(
        self, handler: str, /, *, purpose: str, consent: str = "", **arguments: Value
    ) -> Steps[Reply]:
        """The reply of "department.handler" for one subject.

        `consent` is the reference of the subject's consent, where the handler needs it.
        """
        return self._ask(
            exchange.call(handler, purpose=purpose, arguments=arguments, consent=consent)
        )

    @once
    def call_many(
        self,
        handler: str,
        subjects: Sequence[Value],
        /,
        *,
        purpose: str,
        consents: Sequence[str] = (),
        **arguments: Value,
    ) -> Steps[tuple[Reply, ...]]:
        """The replies for up to 1,000 subjects, in their order; `arguments` are the other ones.

        All of them are replied about, or none.
        """
        asked = exchange.call_many(
            handler, subjects, purpose=purpose, arguments=arguments, consents=consents
        )
        return self._ask(asked)

    @once
    def open_case(
        self,
        procedure: str,
        /,
        *,
        purpose: str,
        consent: str = "",
        case_id: str = "",
        **form: Value,
    ) -> Steps[ACase]:
        """Opens a case of the procedure; `form` holds its fields.

        Each field is sealed here to the departments that need it: the gateway reads none of them.
        `consent` is the reference of the subject's consent, for steps that need it. A reply that is
        lost is asked for again by itself, with the same sealed fields. `case_id` (32 hex digits;
        drawn without one) is one case's for ever: another call under it seals the fields anew, so
        that nobody can tell that they are the same, and is refused CASE_ID_REUSED. Whoever does not
        know whether an earlier call came through looks with `case(case_id)`, which has the case or
        says NOT_AVAILABLE.
        """
        from landbridge.forms import sealed_application

        described = yield from self._ask(cases.describe(procedure))
        request = sealed_application(
            described,
            form,
            purpose=purpose,
            consent=consent,
            case_id=case_id or secrets.token_hex(16),
            pinned=self._manifest,
        )
        return self._case(self._driver, (yield from self._ask(cases.opening(request))))

    @once
    def form_types(self, procedure: str, texts: Mapping[str, str]) -> Steps[dict[str, int | str]]:
        """Texts, as a person types them, in the types of the procedure's form.

        A field that the form has not stays text, and `open_case` refuses it.
        """
        return cases.typed((yield from self._ask(cases.describe(procedure))), texts)

    @once
    def case(self, case_id: str) -> Steps[ACase]:
        """The case of that id, as it stands."""
        return self._case(self._driver, (yield from self._ask(cases.show(case_id))))

    @once
    def cases(
        self,
        procedure: str = "",
        *,
        state: str = "",
        overdue: bool = False,
        after: str = "",
        most: int = 100,
    ) -> Steps[tuple[CaseView, ...]]:
        """The cases that this caller may see, by id: their own, and those that they supervise.

        `overdue`: those with a step past its deadline. `after`: cases after this id.
        """
        return self._ask(cases.listing(procedure, state, after, most, overdue=overdue))

    @once
    def consult(
        self,
        matter: str,
        /,
        *,
        purpose: str,
        basis: str,
        epsilon: float | None = None,
        **arguments: Value,
    ) -> Steps[AConsultation]:
        """Puts before an officer of the owner what policy does not answer by itself.

        `matter` is one SELECT of aggregates, of one department, or "department.handler" with its
        arguments; `basis` says on which legal basis it is asked, in at most 2,000 characters.
        """
        asked = exchange.consult(
            matter, purpose=purpose, basis=basis, epsilon=epsilon, arguments=arguments
        )
        view = yield from self._ask(asked)
        return self._consultation(self._driver, view, "" if arguments else matter)

    @once
    def consultation(self, identifier: str) -> Steps[AConsultation]:
        """One that was opened before, by its id."""
        view = yield from self._ask(exchange.follow(identifier, after=0, wait=0))
        return self._consultation(self._driver, view)

    @once
    def contribute(
        self,
        contract: str,
        column: str,
        /,
        *values: Value,
        purpose: str,
        queue: str | Path | None = None,
    ) -> Steps[Contribution]:
        """Hands in values of a column that two departments measure, each in two shares.

        The values are split here and sealed to the two departments, neither of which can read one.
        Raises INVALID_ARGUMENT for a value that the column cannot have; then none is sent.
        `queue`: a file in which the sealed shares lie until both departments have them; while
        nobody can be reached, what is returned says how many are `waiting`.
        """
        return self._contributed(contract, column, values, purpose, queue, texts=False)

    @once
    def contribute_text(
        self,
        contract: str,
        column: str,
        /,
        *texts: str,
        purpose: str,
        queue: str | Path | None = None,
    ) -> Steps[Contribution]:
        """As `contribute`, of values as a person types them, in the types that the column has."""
        return self._contributed(contract, column, texts, purpose, queue, texts=True)

    def _contributed(
        self,
        contract: str,
        column: str,
        values: Sequence[Value],
        purpose: str,
        queue: str | Path | None,
        *,
        texts: bool,
    ) -> Steps[Contribution]:
        if queue is None:
            return census.contribution(
                self._ask, contract, column, values, purpose=purpose, pinned=self._manifest,
                texts=texts,
            )  # fmt: skip
        return census.queued(
            self._ask, contract, column, values, purpose=purpose, pinned=self._manifest,
            queue=Path(queue), texts=texts,
        )  # fmt: skip

    @once
    def collect(
        self,
        contract: str,
        column: str,
        /,
        *,
        purpose: str,
        epsilon: float | None = None,
        timeout: float | None = None,
    ) -> Steps[Answer]:
        """The noisy total of the values of a measured column that no earlier batch has."""
        asked = census.collecting(contract, column, purpose=purpose, epsilon=epsilon)
        return self._ask(asked, timeout)

    @once
    def collection(self, contract: str, /, *, purpose: str) -> Steps[Form]:
        """What records of "contract" or "department.contract" hold, and by which rules they are
        taken, as the department that owns them signed it.
        """
        from landbridge.submission.handing_in import Submission

        asked = Submission(contract, (), purpose, self._manifest)
        found = yield from self._ask(asked.describe())
        return found.form

    @once
    def submit(
        self,
        contract: str,
        records: Any = (),
        /,
        *,
        purpose: str,
        queue: str | Path | None = None,
        texts: bool = False,
        batch: int = 500,
        named: Callable[[int], str] | None = None,
        progress: Callable[[int], None] | None = None,
        timeout: float | None = None,
    ) -> Steps[SubmissionReceipt]:
        """Hands in records: checked here, sealed to the department, taken once.

        `records`: an iterable of mappings or of `landbridge.Contribution`, a pyarrow.Table or a
        pandas.DataFrame; read as it is sent. `queue`: a file in which records wait while nobody can
        be reached; what waits there goes first, and with the next call. `texts`: all values are
        texts, as in a CSV file. `batch`: records that are sealed together. `named` gives the id of
        a record by its place. `progress` is told how many have a result. `timeout`: seconds after
        which it gives up when no record has come to its end; with a queue, what is left waits.
        Raises the errors of `landbridge.errors`.
        """
        from landbridge.submission.handing_in import Submission, handed_in

        asked = Submission(
            contract, records, purpose, self._manifest, texts, batch, named, progress
        )
        seconds = self._driver.timeout if timeout is None else timeout
        return (
            yield from handed_in(
                asked,
                queue,
                lambda: self._ask(asked.describe(), seconds),
                seconds,
                self._driver.clock,
            )
        )

    @once
    def watch(
        self,
        sql: str,
        *,
        purpose: str,
        when: str = "",
        every: float | None = None,
        epsilon: float | None = None,
        alerts: int | None = None,
        days: float | None = None,
        rest: float = standing.DAY,
        watch_id: str = "",
    ) -> Steps[AWatch]:
        """A standing question: tells when a count or a sum of one department is beyond a number.

        `when` is the condition, for example "n >= 100" for `SELECT count(*) AS n`; without one it
        is a trend, which tells the number at every evaluation. `every`: seconds between evaluations
        (None: whenever the department has loaded new data). `epsilon`: the privacy parameter of its
        whole life, set aside at once, for `alerts` alerts (3 without it) or numbers of a trend
        (64); silence costs nothing. `days`: how long it lives at the most (30). `rest`: seconds for
        which it says no more of a cell that it told of. `watch_id` (32 hex digits) makes it safe to
        ask again after a lost reply; without one it is drawn.
        """
        asked = standing.create(
            sql, purpose=purpose, when=when, every=every, epsilon=epsilon, alerts=alerts, days=days,
            rest=rest, watch_id=watch_id,
        )  # fmt: skip
        return self._watch(self._driver, (yield from self._ask(asked)))

    @once
    def watching(self, watch_id: str) -> Steps[AWatch]:
        """The watch of that id, as it stands."""
        return self._watch(self._driver, (yield from self._ask(standing.show(watch_id))))

    @once
    def watches(self, *, ended: bool = False, after: str = "") -> Steps[tuple[WatchView, ...]]:
        """The watches of this caller's organisation, by id; with `ended`, those that ended too."""
        return self._ask(standing.listing(ended=ended, after=after))

    @once
    def group(self, name: str) -> Steps[AGroup]:
        """A group in which this caller takes part, by "department.group", as it is now."""
        view = yield from self._ask(grouping.show(name, self._manifest))
        return self._group(self._driver, view, self._manifest)

    @once
    def groups(self) -> Steps[Groups]:
        """The groups in which this caller takes part, and departments that did not answer."""
        return self._ask(grouping.listing())

    @once
    def directory(self) -> Steps[Directory]:
        """The members, their contracts and handlers, as far as this caller may use them."""
        return self._ask(exchange.directory())

    @once
    def about(
        self, subject: str, *, purpose: str, before: Mapping[str, int] | None = None
    ) -> Steps[AccessList]:
        """Who looked at one person's data: for a citizens' portal.

        `before` goes on where an earlier list ended: give it that list's `older`.
        """
        return self._ask(exchange.about(subject, purpose=purpose, before=before))
