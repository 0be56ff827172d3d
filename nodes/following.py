"""The department's policy, followed while the node serves: taken whole, or not at all.

A change of a file is noticed when two looks in a row find the same new texts, so that files which
are saved one after the other are taken together; SIGHUP looks at once. What is understood is logged
and then put in force by one assignment; what is not stays out, the operator and the log are told
why, and the earlier version goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from landbridge.edge import life
from landbridge.edge.interceptor import Report
from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError
from nodes.engines.engine import Engine
from nodes.guard import Guard, Rules
from nodes.handlers.pool import FunctionPool
from nodes.policy import Policy, PolicyFolderInvalid, PolicyTexts, digests
from nodes.store import StoreDamaged
from nodes.tables import Tables
from policies import odcs
from policies.access import PolicyInvalid
from policies.group import GroupInvalid
from policies.handler import HandlerInvalid

SECONDS: Final = 2.0
"""Between two looks: a handful of small files are read and hashed."""
_LONGEST: Final = 4_000

_INVALID = (PolicyFolderInvalid, odcs.ContractInvalid, HandlerInvalid, GroupInvalid, PolicyInvalid)


class PolicyFollower:
    """Looks at the policy's files again and again.

    `collect` reads the files, `understand` makes a policy of them or raises what `nodes.policy`
    raises, `enforce` puts a policy in force. `tell` takes sentences for the operator.
    """

    def __init__(
        self,
        policy: Policy,
        texts: PolicyTexts,
        collect: Callable[[], PolicyTexts],
        understand: Callable[[PolicyTexts], Policy],
        enforce: Callable[[Policy], None],
        recorder: Recorder,
        tell: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._settled = self._seen = texts.fingerprint
        self._collect = collect
        self._understand = understand
        self._enforce = enforce
        self._recorder = recorder
        self._tell = tell
        self._complaint = ""
        self._looking = threading.Lock()

    @property
    def policy(self) -> Policy:
        """The one in force."""
        return self._policy

    def look(self, *, at_once: bool = False) -> None:
        """Takes what has changed since the last look, if it has not changed again meanwhile.

        Raises LOG_UNAVAILABLE where the change cannot be logged; then nothing has changed, and the
        next look tries again.
        """
        with self._looking:
            try:
                texts = self._collect()
            except PolicyFolderInvalid as invalid:
                self._refuse(str(invalid), str(invalid))
                return
            found = texts.fingerprint
            if found == self._settled:
                self._seen, self._complaint = found, ""
                return
            steady, self._seen = found == self._seen, found
            if not (steady or at_once):
                return
            try:
                policy = self._understand(texts)
            except _INVALID as invalid:
                self._refuse(str(invalid), found)
                return
            if policy.digest != self._policy.digest:
                self._take(policy)
            self._settled, self._complaint = found, ""

    def _take(self, policy: Policy) -> None:
        """The entry is on disk before the policy counts."""
        before, after = self._policy.digest, policy.digest
        self._recorder.event(
            "policy_change",
            program=life.program(),
            policy_digest=after,
            changed=life.differences(digests(self._policy), digests(policy)),
            note=f"policy {before} is replaced by {after}",
        )
        self._enforce(policy)
        self._policy = policy
        self._recorder.under(policy.digest)
        self._tell(f"The policy was read again: version {after[:16]} is in force.")

    def _refuse(self, why: str, what: str) -> None:
        """Once per text: an operator who is still writing is not told every two seconds."""
        if what == self._complaint:
            return
        self._recorder.event(
            "policy_change",
            program=life.program(),
            outcome="refused",
            reason="POLICY_INVALID",
            note=f"policy {self._policy.digest} stays in force: {why}"[:_LONGEST],
        )
        self._complaint = what
        self._tell(f"The changed policy is not used, the earlier one goes on: {why}")


class Enforcement:
    """Puts a policy in force in a node that serves; `describe` is what the gateway is told by."""

    def __init__(
        self,
        guard: Guard,
        tables: Tables[Engine],
        functions: FunctionPool | None,
        describe: Callable[[Policy], None],
        tell: Callable[[str], None],
    ) -> None:
        self._guard = guard
        self._tables = tables
        self._functions = functions
        self._describe = describe
        self._tell = tell

    def __call__(self, policy: Policy) -> None:
        """First what a question may read, then what decides about it, then what is told of it."""
        self._tables.serve(policy.contracts)
        if self._functions is not None:
            self._functions.serve()
        self._guard.follow(
            Rules(policy.contracts, policy.handlers, policy.access, policy.digest, policy.groups)
        )
        self._describe(policy)
        try:
            waiting = self._tables.waiting(policy.contracts.values())
        except StoreDamaged as damaged:
            self._tell(str(damaged))
            return
        for name in waiting:
            self._tell(
                f"Table {name} is not loaded under its new contract and is missing until it is; "
                "use `landbridge node load`."
            )


class Following:
    """The thread that looks, until `close`."""

    def __init__(self, look: Callable[..., None], report: Report, seconds: float = SECONDS) -> None:
        self._look = look
        self._report = report
        self._seconds = seconds
        self._wake = threading.Event()
        self._stopping = False
        self._at_once = False
        self._thread = threading.Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Looks at once; never waits, so that a signal may call it."""
        self._at_once = True
        self._wake.set()

    def close(self) -> None:
        """Returns when it looks no more."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait(self._seconds)
            self._wake.clear()
            if self._stopping:
                return
            at_once, self._at_once = self._at_once, False
            try:
                self._look(at_once=at_once)
            except LandbridgeError:
                continue  # the log is shut or broken, which is said elsewhere; the next look tries
            except Exception as defect:  # noqa: BLE001 - the next look must come whatever happened
                self._report(defect)
