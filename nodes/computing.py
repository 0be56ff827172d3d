"""What a handler says about one subject, computed within limits by SQL or by a function.

Whatever comes out is a `Reply` of the declared type, with the values that a case hands over beside
it, or RUN_FAILED with the one constant sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from landbridge.errors import error
from nodes.cells import not_loaded
from nodes.engines.engine import Engine
from nodes.handlers.pool import FunctionPool
from nodes.store import Loaded
from nodes.tables import Tables
from policies.contract import Type
from policies.handler import MAXIMUM_ARGUMENT, Handler
from policies.reply import Reply, ReplyUnfit, absent, replied, width

Value = int | str

MARGIN = 0.25
"""Seconds kept back for the log and the way back."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A reply, and the declared values that go sealed to others; none for an unknown subject."""

    reply: Reply
    handed: Mapping[str, Value]
    data_version: str


class Computing:
    """The two ways to compute. Without a pool there are no functions."""

    def __init__(
        self, department: str, tables: Tables[Engine], functions: FunctionPool | None
    ) -> None:
        self._department = department
        self._tables = tables
        self._functions = functions

    def compute(
        self, handler: Handler, values: Mapping[str, Value], time_left: Callable[[], float]
    ) -> Computed:
        """The reply; raises DEADLINE, RUN_FAILED, and DEPARTMENT_MISSING before data is there."""
        timeout = time_left() - MARGIN
        if timeout <= 0:
            raise error("DEADLINE")
        if handler.source:
            return self._called(handler, values, timeout)
        with self._tables.open() as (engine, loaded):
            version = self._version(handler, loaded)
            rows = engine.run(handler.sql, handler.bound(values), timeout=timeout, maximum_rows=2)
        if not rows:
            return Computed(absent(handler.returns), {}, version)
        said = width(handler.returns)
        if len(rows) != 1 or len(rows[0]) != said + len(handler.passes):
            raise error("RUN_FAILED")
        names = [each.name for each in handler.passes]
        handed = dict(zip(names, rows[0][said:], strict=True))
        return _computed(handler, rows[0][:said], handed, version)

    def _called(self, handler: Handler, values: Mapping[str, Value], timeout: float) -> Computed:
        if self._functions is None:
            raise error("RUN_FAILED")
        with self._functions.open(handler) as (functions, loaded):
            version = self._version(handler, loaded)
            found = functions.call(handler.name, values, timeout=timeout)
        if found.values is None:
            return Computed(absent(handler.returns), {}, version)
        return _computed(handler, found.values, found.handed, version)

    def _version(self, handler: Handler, loaded: Mapping[str, Loaded]) -> str:
        """Which load it is computed from; raises DEPARTMENT_MISSING before there is one."""
        if handler.contract not in loaded:
            raise not_loaded(self._department, handler.contract)
        return loaded[handler.contract].version


def _computed(
    handler: Handler, said: tuple[object, ...], handed: Mapping[str, object], version: str
) -> Computed:
    try:
        reply = replied(handler.returns, said)
        fitting = {each.name: _fitting(each.type, handed[each.name]) for each in handler.passes}
    except (ReplyUnfit, KeyError):
        fitting = None
    if fitting is None or set(handed) != set(fitting):
        raise error("RUN_FAILED")  # here, so that it has no cause that quotes a value
    return Computed(reply, fitting, version)


def _fitting(kind: Type, value: object) -> Value:
    """The value, if it is one that the receiving handler could take as an argument."""
    if kind is Type.TEXT and isinstance(value, str) and 0 < len(value) <= MAXIMUM_ARGUMENT:
        return value
    if kind is Type.INTEGER and type(value) is int and abs(value) < 2**62:
        return value
    raise ReplyUnfit
