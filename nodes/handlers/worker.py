"""The worker of Python handlers: `nodes.engines.worker`, with a department's functions in it.

Its question is `{"handler", "arguments"}` and its reply `{"found", "handed"}`: `found` is what the
function gave back (None: it does not know the subject). The set-up's `handlers` are the files'
texts and functions by name; a text that does not run is `{"broken": name}`.

Every module that a handler may import is loaded before the process shuts itself in: after that
there is no file to import from. No handler's text runs before it has.
"""

from __future__ import annotations

import importlib

from nodes.engines import database, worker
from nodes.handlers import Verdict, View, sandbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any


def main() -> None:
    """Serves calls until the parent closes the pipe."""
    worker.serve(_prepare, _seal)


def _prepare(setup: dict[str, Any]) -> None:
    for module in setup["modules"]:
        importlib.import_module(module)


def _seal(connection: database.Connection, setup: dict[str, Any]) -> worker.Answer:
    try:
        sandbox.shut_in()
    except sandbox.NoSandbox:
        raise worker.Unprepared("sandbox") from None
    compiled: dict[str, tuple[CodeType, str]] = {}
    for name, (text, function) in setup["handlers"].items():
        try:
            compiled[name] = compile(text, f"{name}.py", "exec"), function
            _function(*compiled[name])
        except Exception:  # noqa: BLE001 - whatever a stranger's text raises
            raise worker.Unprepared(name) from None

    def answer(question: dict[str, Any]) -> worker.Reply:
        view = View(
            lambda sql, parameters, most: database.select(
                connection, sql, parameters, maximum_rows=most
            )
        )
        # Made anew each time: nothing that a call keeps is there for the next, which is about
        # somebody else.
        function = _function(*compiled[question["handler"]])
        found = function(view, **question["arguments"])
        return {"found": _found(found), "handed": view.handed}, ()

    return answer


def _function(code: CodeType, name: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "handler", "__builtins__": __builtins__}
    exec(code, namespace)  # noqa: S102 - the owner's own text, in a process that can open nothing
    return namespace[name]


def _found(value: object) -> list[object] | None:
    if value is None:
        return None
    if isinstance(value, Verdict):
        return [value.passed, " ".join(value.reasons)]
    if isinstance(value, str | bool | int | float):
        return [value]
    raise TypeError
