"""The client: for threads and for asyncio, two drivers of the same exchanges."""

from __future__ import annotations

import asyncio
import inspect
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import grpc
from google.protobuf.message import Message

from landbridge import case as cases
from landbridge import exchange
from landbridge.access_list import AccessList
from landbridge.answers import Answer, Plan, Reply, Value
from landbridge.case import CaseView
from landbridge.case_handle import AsyncCase, Case
from landbridge.consultation.callers import AsyncConsultation, Consultation
from landbridge.directory import Directory
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Exchange, Outcome, Pause, Send
from landbridge.status import from_rpc_error
from landbridge.stubs import Stubs
from landbridge.transport import Endpoint, Pem, TokenSource, Way, bearer, current_token

if TYPE_CHECKING:
    from landbridge.submission.collection import Collection
    from landbridge.submission.form import Form
    from landbridge.submission.handing_in import Submission
    from landbridge.submission.receipt import SubmissionReceipt
    from landbridge.submission.sending import Sending

Result = TypeVar("Result")

TIMEOUT: Final = 30.0


def connect(
    address: str,
    *,
    token: TokenSource | None = None,
    ca: Pem | None = None,
    certificate: tuple[Pem, Pem] | None = None,
    manifest: Pem | None = None,
    timeout: float = TIMEOUT,
) -> Client:
    """A client of the gateway at "host:port", over TLS; connects with the first call.

    `token`: the caller's bearer token, a Path to it, or a function that returns it; the latter two
    are asked before every call. `ca`: PEM of the authority that signs the gateway's certificate
    (None: the public ones). `certificate`: (key, certificate), PEM, for mutual TLS. `manifest`:
    the federation's signed list of members, if you have it from elsewhere than the gateway: forms
    of cases are then sealed to the keys in it, and to no others. `timeout`: seconds for a call that
    names none. Raises InvalidQuestion or Unauthenticated for arguments that can never work.
    """
    return Client(
        Endpoint.at(address, ca=ca, certificate=certificate),
        _source(token, certificate),
        timeout=timeout,
        manifest=manifest,
    )


def aconnect(
    address: str,
    *,
    token: TokenSource | None = None,
    ca: Pem | None = None,
    certificate: tuple[Pem, Pem] | None = None,
    manifest: Pem | None = None,
    timeout: float = TIMEOUT,
) -> AsyncClient:
    """The same for asyncio: `async with landbridge.aconnect(...) as client`.

    The client belongs to the event loop that runs now.
    """
    asyncio.get_running_loop()
    return AsyncClient(
        Endpoint.at(address, ca=ca, certificate=certificate),
        _source(token, certificate),
        timeout=timeout,
        manifest=manifest,
    )


class Client:
    """Asks a gateway; may be used from several threads. Close it, or use it in a `with`."""

    def __init__(
        self,
        endpoint: Way,
        token: TokenSource | None,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        manifest: Pem | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._timeout = timeout
        self._clock = clock
        self._channel = endpoint.channel()
        self._stubs = Stubs(self._channel)
        self._manifest = _document(manifest)
        self._closed = False

    def query(
        self,
        sql: str,
        *,
        purpose: str,
        epsilon: float | None = None,
        partial: bool = False,
        parameters: Sequence[Value] = (),
        grant: bytes | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """The answer to one SELECT of aggregates, charged to the owners' budgets.

        `epsilon`: the privacy parameter of the whole question (None: the contract's default).
        `partial`: accept an answer without the departments that do not reply; they are named.
        `parameters`: a value for each place (?) of the text, in their order.
        `grant`: what an officer of the owner let through (`Consultation.grant`).
        Raises the errors of `landbridge.errors`.
        """
        asked = exchange.query(
            sql,
            purpose=purpose,
            epsilon=epsilon,
            partial=partial,
            parameters=parameters,
            grant=grant,
        )
        return self.run(asked, timeout)

    def explain(
        self,
        sql: str,
        *,
        purpose: str,
        epsilon: float | None = None,
        parameters: Sequence[Value] = (),
        timeout: float | None = None,
    ) -> Plan:
        """What `query` would do, need and cost; touches no data and charges nothing."""
        asked = exchange.explain(sql, purpose=purpose, epsilon=epsilon, parameters=parameters)
        return self.run(asked, timeout)

    def call(
        self, handler: str, /, *, purpose: str, consent: str = "", **arguments: Value
    ) -> Reply:
        """The reply of "department.handler" for one subject.

        `consent` is the reference of the subject's consent, where the handler needs it.
        """
        asked = exchange.call(handler, purpose=purpose, arguments=arguments, consent=consent)
        return self.run(asked, None)

    def call_many(
        self,
        handler: str,
        subjects: Sequence[Value],
        /,
        *,
        purpose: str,
        consents: Sequence[str] = (),
        **arguments: Value,
    ) -> tuple[Reply, ...]:
        """The replies for up to 1,000 subjects, in their order; `arguments` are the other ones.

        All of them are replied about, or none.
        """
        asked = exchange.call_many(
            handler, subjects, purpose=purpose, arguments=arguments, consents=consents
        )
        return self.run(asked, None)

    def open_case(
        self,
        procedure: str,
        /,
        *,
        purpose: str,
        consent: str = "",
        case_id: str = "",
        **form: Value,
    ) -> Case:
        """Opens a case of the procedure; `form` holds its fields.

        Each field is sealed here to the departments that need it: the gateway reads none of them.
        `consent` is the reference of the subject's consent, for steps that need it. `case_id` (32
        hex digits) makes it safe to ask again after a lost reply; without one it is drawn.
        """
        from landbridge.forms import sealed_application

        described = self.run(cases.describe(procedure), None)
        request = sealed_application(
            described,
            form,
            purpose=purpose,
            consent=consent,
            case_id=case_id or secrets.token_hex(16),
            pinned=self._manifest,
        )
        return Case(self.run(cases.opening(request), None), self.run)

    def form_types(self, procedure: str, texts: Mapping[str, str]) -> dict[str, int | str]:
        """Texts, as a person types them, in the types of the procedure's form.

        A field that the form has not stays text, and `open_case` refuses it.
        """
        return cases.typed(self.run(cases.describe(procedure), None), texts)

    def case(self, case_id: str) -> Case:
        """The case of that id, as it stands."""
        return Case(self.run(cases.show(case_id), None), self.run)

    def cases(
        self,
        procedure: str = "",
        *,
        state: str = "",
        overdue: bool = False,
        after: str = "",
        most: int = 100,
    ) -> tuple[CaseView, ...]:
        """The cases that this caller may see, by id: their own, and those that they supervise.

        `overdue`: those with a step past its deadline. `after`: cases after this id.
        """
        asked = cases.listing(procedure, state, after, most, overdue=overdue)
        return self.run(asked, None)

    def consult(
        self, matter: str, /, *, purpose: str, basis: str, epsilon: float | None = None,
        **arguments: Value,
    ) -> Consultation:  # fmt: skip
        """Puts before an officer of the owner what policy does not answer by itself.

        `matter` is one SELECT of aggregates, of one department, or "department.handler" with its
        arguments; `basis` says on which legal basis it is asked, in at most 2,000 characters.
        """
        asked = exchange.consult(
            matter, purpose=purpose, basis=basis, epsilon=epsilon, arguments=arguments
        )
        return Consultation(self, self.run(asked), "" if arguments else matter)

    def consultation(self, identifier: str) -> Consultation:
        """One that was opened before, by its id."""
        return Consultation(self, self.run(exchange.follow(identifier, after=0, wait=0)))

    def collection(self, contract: str, /, *, purpose: str) -> Form:
        """What records of "contract" or "department.contract" hold, and by which rules they are
        taken, as the department that owns them signed it.
        """
        return self.run(_submission(contract, (), purpose, self._manifest).describe(), None).form

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
    ) -> SubmissionReceipt:
        """Hands in records: checked here, sealed to the department, taken once.

        `records`: an iterable of mappings or of `landbridge.Contribution`, a pyarrow.Table or a
        pandas.DataFrame; read as it is sent. `queue`: a file in which records wait while nobody can
        be reached; what waits there goes first, and with the next call. `texts`: all values are
        texts, as in a CSV file. `batch`: records that are sealed together. `named` gives the id of
        a record by its place. `progress` is told how many have a result. `timeout`: seconds after
        which it gives up when no record has come to its end; with a queue, what is left waits.
        Raises the errors of `landbridge.errors`.
        """
        from landbridge.submission import drivers
        from landbridge.submission.handing_in import queue_at, unreachable

        asked = _submission(
            contract, records, purpose, self._manifest, texts=texts, batch=batch, named=named,
            progress=progress,
        )  # fmt: skip
        seconds = self._timeout if timeout is None else timeout

        def describe() -> Collection:
            return self.run(asked.describe(), seconds)

        def send(sending: Sending) -> None:
            method = self._stubs.method("Submissions", "Submit")
            drivers.send(sending, method, self._sync_token, describe, seconds)

        if queue is None:
            sending = asked.sending(describe())
            send(sending)
            return sending.receipt()
        with queue_at(queue) as outbox:
            found: Collection | LandbridgeError
            try:
                found = describe()
            except LandbridgeError as failure:
                if not unreachable(failure):
                    raise
                found = failure
            kept = asked.kept(outbox, found)
            try:
                if kept.reachable:
                    send(kept.sending)
            except LandbridgeError as failure:
                if not unreachable(failure):
                    raise
            return kept.receipt()

    def directory(self) -> Directory:
        """The members, their contracts and handlers, as far as this caller may use them."""
        return self.run(exchange.directory(), None)

    def about(
        self, subject: str, *, purpose: str, before: Mapping[str, int] | None = None
    ) -> AccessList:
        """Who looked at one person's data: for a citizens' portal.

        `before` goes on where an earlier list ended: give it that list's `older`.
        """
        return self.run(exchange.about(subject, purpose=purpose, before=before), None)

    def close(self) -> None:
        """Ends the connection; calls that still run fail."""
        self._closed = True
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<landbridge.Client of {self._endpoint.target}>"

    def run(self, asked: Exchange[Result], timeout: float | None = None) -> Result:
        """Carries one exchange through; what every method does."""
        seconds = self._timeout if timeout is None else timeout
        steps = exchange.attempts(asked, seconds, self._clock)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return cast(Result, end.value)
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                outcome = None
            else:
                outcome = self._send(step)

    def _sync_token(self) -> str:
        if self._closed:
            raise _closed()
        token = current_token(self._token)
        if inspect.isawaitable(token):
            raise error("INVALID_ARGUMENT", "token may be a coroutine function for aconnect only.")
        return _needed(token)

    def _send(self, step: Send) -> Message | LandbridgeError:
        if self._closed:
            raise _closed()
        token = current_token(self._token)
        if inspect.isawaitable(token):
            raise error("INVALID_ARGUMENT", "token may be a coroutine function for aconnect only.")
        metadata = bearer(token) if token is not None else ()
        try:
            reply = self._stubs.method(step.service, step.method)(
                step.request, timeout=step.seconds, metadata=metadata
            )
        except grpc.RpcError as failure:
            return _placed(from_rpc_error(failure), self._endpoint)
        except ValueError:
            if self._closed:  # by another thread, since we looked
                raise _closed() from None
            raise
        return cast(Message, reply)


class AsyncClient:
    """`Client` for asyncio: the same methods, awaited."""

    def __init__(
        self,
        endpoint: Way,
        token: TokenSource | None,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        manifest: Pem | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._timeout = timeout
        self._clock = clock
        self._channel = endpoint.aio_channel()
        self._stubs = Stubs(self._channel)
        self._manifest = _document(manifest)
        self._closed = False

    async def query(
        self,
        sql: str,
        *,
        purpose: str,
        epsilon: float | None = None,
        partial: bool = False,
        parameters: Sequence[Value] = (),
        grant: bytes | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """As `Client.query`."""
        asked = exchange.query(
            sql,
            purpose=purpose,
            epsilon=epsilon,
            partial=partial,
            parameters=parameters,
            grant=grant,
        )
        return await self.run(asked, timeout)

    async def explain(
        self,
        sql: str,
        *,
        purpose: str,
        epsilon: float | None = None,
        parameters: Sequence[Value] = (),
        timeout: float | None = None,
    ) -> Plan:
        """As `Client.explain`."""
        asked = exchange.explain(sql, purpose=purpose, epsilon=epsilon, parameters=parameters)
        return await self.run(asked, timeout)

    async def call(
        self, handler: str, /, *, purpose: str, consent: str = "", **arguments: Value
    ) -> Reply:
        """As `Client.call`."""
        asked = exchange.call(handler, purpose=purpose, arguments=arguments, consent=consent)
        return await self.run(asked, None)

    async def call_many(
        self,
        handler: str,
        subjects: Sequence[Value],
        /,
        *,
        purpose: str,
        consents: Sequence[str] = (),
        **arguments: Value,
    ) -> tuple[Reply, ...]:
        """As `Client.call_many`."""
        asked = exchange.call_many(
            handler, subjects, purpose=purpose, arguments=arguments, consents=consents
        )
        return await self.run(asked, None)

    async def open_case(
        self,
        procedure: str,
        /,
        *,
        purpose: str,
        consent: str = "",
        case_id: str = "",
        **form: Value,
    ) -> AsyncCase:
        """As `Client.open_case`."""
        from landbridge.forms import sealed_application

        described = await self.run(cases.describe(procedure), None)
        request = sealed_application(
            described,
            form,
            purpose=purpose,
            consent=consent,
            case_id=case_id or secrets.token_hex(16),
            pinned=self._manifest,
        )
        return AsyncCase(await self.run(cases.opening(request), None), self.run)

    async def form_types(self, procedure: str, texts: Mapping[str, str]) -> dict[str, int | str]:
        """As `Client.form_types`."""
        return cases.typed(await self.run(cases.describe(procedure), None), texts)

    async def case(self, case_id: str) -> AsyncCase:
        """As `Client.case`."""
        return AsyncCase(await self.run(cases.show(case_id), None), self.run)

    async def cases(
        self,
        procedure: str = "",
        *,
        state: str = "",
        overdue: bool = False,
        after: str = "",
        most: int = 100,
    ) -> tuple[CaseView, ...]:
        """The cases that this caller may see, by id: their own, and those that they supervise.

        `overdue`: those with a step past its deadline. `after`: cases after this id.
        """
        asked = cases.listing(procedure, state, after, most, overdue=overdue)
        return await self.run(asked, None)

    async def consult(
        self, matter: str, /, *, purpose: str, basis: str, epsilon: float | None = None,
        **arguments: Value,
    ) -> AsyncConsultation:  # fmt: skip
        """As `Client.consult`."""
        asked = exchange.consult(
            matter, purpose=purpose, basis=basis, epsilon=epsilon, arguments=arguments
        )
        return AsyncConsultation(self, await self.run(asked), "" if arguments else matter)

    async def consultation(self, identifier: str) -> AsyncConsultation:
        """As `Client.consultation`."""
        view = await self.run(exchange.follow(identifier, after=0, wait=0))
        return AsyncConsultation(self, view)

    async def collection(self, contract: str, /, *, purpose: str) -> Form:
        """As `Client.collection`."""
        asked = _submission(contract, (), purpose, self._manifest)
        return (await self.run(asked.describe(), None)).form

    async def submit(
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
    ) -> SubmissionReceipt:
        """As `Client.submit`."""
        from landbridge.submission import drivers
        from landbridge.submission.handing_in import queue_at, unreachable

        asked = _submission(
            contract, records, purpose, self._manifest, texts=texts, batch=batch, named=named,
            progress=progress,
        )  # fmt: skip
        seconds = self._timeout if timeout is None else timeout

        async def describe() -> Collection:
            return await self.run(asked.describe(), seconds)

        async def send(sending: Sending) -> None:
            method = self._stubs.method("Submissions", "Submit")
            await drivers.asend(sending, method, self._async_token, describe, seconds)

        if queue is None:
            sending = asked.sending(await describe())
            await send(sending)
            return sending.receipt()
        with queue_at(queue) as outbox:
            found: Collection | LandbridgeError
            try:
                found = await describe()
            except LandbridgeError as failure:
                if not unreachable(failure):
                    raise
                found = failure
            kept = asked.kept(outbox, found)
            try:
                if kept.reachable:
                    await send(kept.sending)
            except LandbridgeError as failure:
                if not unreachable(failure):
                    raise
            return kept.receipt()

    async def directory(self) -> Directory:
        """As `Client.directory`."""
        return await self.run(exchange.directory(), None)

    async def about(
        self, subject: str, *, purpose: str, before: Mapping[str, int] | None = None
    ) -> AccessList:
        """As `Client.about`."""
        return await self.run(exchange.about(subject, purpose=purpose, before=before), None)

    async def close(self) -> None:
        """Ends the connection; calls that still run fail."""
        self._closed = True
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<landbridge.AsyncClient of {self._endpoint.target}>"

    async def run(self, asked: Exchange[Result], timeout: float | None = None) -> Result:
        """As `Client.run`."""
        seconds = self._timeout if timeout is None else timeout
        steps = exchange.attempts(asked, seconds, self._clock)
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                return cast(Result, end.value)
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                outcome = None
            else:
                outcome = await self._send(step)

    async def _async_token(self) -> str:
        if self._closed:
            raise _closed()
        token = current_token(self._token)
        return _needed(await token if inspect.isawaitable(token) else token)

    async def _send(self, step: Send) -> Message | LandbridgeError:
        if self._closed:
            raise _closed()
        token = current_token(self._token)
        if inspect.isawaitable(token):
            token = await token
        metadata = bearer(token) if token is not None else ()
        try:
            reply = await self._stubs.method(step.service, step.method)(
                step.request, timeout=step.seconds, metadata=metadata
            )
        except grpc.RpcError as failure:
            return _placed(from_rpc_error(failure), self._endpoint)
        return cast(Message, reply)


def _source(token: TokenSource | None, certificate: tuple[Pem, Pem] | None) -> TokenSource | None:
    if token is None and certificate is None:
        raise error("TOKEN_MISSING", "Give a token, or a certificate for mutual TLS, or both.")
    if isinstance(token, str):
        bearer(token)  # a token that can never be sent is refused before anything is
    return token


def _submission(
    contract: str, records: Any, purpose: str, manifest: bytes | None, **how: Any
) -> Submission:
    from landbridge.submission.handing_in import Submission

    return Submission(contract, records, purpose, manifest, **how)


def _needed(token: str | None) -> str:
    """The token that batches are bound to; raises TOKEN_MISSING."""
    if token is None:
        raise error(
            "TOKEN_MISSING", "Records are handed in with a token; a certificate is not one."
        )
    return token


def _document(manifest: Pem | None) -> bytes | None:
    if not isinstance(manifest, Path):
        return manifest
    try:
        return manifest.read_bytes()
    except OSError:
        raise error("INVALID_ARGUMENT", f"The manifest {manifest} cannot be read.") from None


def _placed(failure: LandbridgeError, endpoint: Way) -> LandbridgeError:
    """The same failure; where nobody answered, it says at which address."""
    if failure.reason != "GATEWAY_UNREACHABLE" or failure.hint:
        return failure
    return replace(
        failure,
        message=f"The gateway at {endpoint.target} cannot be reached.",
        hint="It must be running there, with a certificate that ca signs for that host name.",
    )


def _closed() -> LandbridgeError:
    return error("INVALID_ARGUMENT", "This client is closed; connect again.")
