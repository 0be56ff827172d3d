"""A handler that is a Python function: its terms, read from the text without running it.

    @handler(version=1, description="...", contract="people", subject="person_id", ...)
    def eligibility(view: View, person_id: str, scheme: Literal["basic", "child"]) -> Verdict:
        ...

The decorator's keywords are the terms that an SQL handler has in its comment lines; name,
arguments and their types are the function's own. What runs later, in a worker that can open
nothing, is this same text (`nodes.handlers`).
"""

from __future__ import annotations

import ast
from typing import Any, Final

from policies.handler import Handler, HandlerInvalid, declared

DECORATOR: Final = "handler"
MODULES: Final = frozenset({
    "__future__", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "itertools", "json", "math", "nodes.handlers", "operator", "re",
    "statistics", "string", "typing", "unicodedata",
})  # fmt: skip
"""All that a function's file may import: what the worker has loaded before it shuts itself in."""
_RETURNS: Final = {"Code": "code", "Verdict": "verdict", "Band": "band", "Number": "number"}
_TYPES: Final = {"str": "string", "int": "integer"}


def read(text: str, where: str) -> Handler:
    """The handler in a Python file's text; raises HandlerInvalid, listing every problem."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as unreadable:
        # MemoryError is what Python's parser says of thousands of brackets within brackets.
        line = getattr(unreadable, "lineno", 0)
        raise HandlerInvalid(where, [f"line {line} is no Python"]) from None
    problems = [
        f"line {node.lineno} imports {name}, which a handler has not; it has "
        f"{', '.join(sorted(MODULES))}"
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        for name in _imported(node)
        if name not in MODULES
    ]
    found = [
        (node, decorator)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Name)
        and decorator.func.id == DECORATOR
    ]
    if len(found) != 1:
        raise HandlerInvalid(where, [*problems, "one function is decorated with @handler(...)"])
    function, decorator = found[0]
    terms = _keywords(decorator, problems)
    terms["handler"] = function.name
    terms["arguments"] = _arguments(function, terms.pop("sources", {}), problems)
    returned = function.returns
    name = returned.id if isinstance(returned, ast.Name) else ""
    if name not in _RETURNS:
        problems.append(f"the function is annotated to return {', '.join(_RETURNS)}")
    else:
        terms["returns"] = _RETURNS[name]
    return declared(
        terms,
        where,
        problems,
        names=list(terms["arguments"]),
        source=text,
        function=function.name,
    )


def _imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}"]
    return []


def _keywords(decorator: ast.Call, problems: list[str]) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    if decorator.args:
        problems.append("the decorator takes keywords only")
    for keyword in decorator.keywords:
        try:
            terms[keyword.arg or "**"] = ast.literal_eval(keyword.value)
        except ValueError:
            problems.append(f"{keyword.arg or '**'} of the decorator is no literal")
    problems += [
        f"{key} is the function's own, not the decorator's"
        for key in ("handler", "arguments", "returns")
        if key in terms
    ]
    return terms


def _arguments(function: ast.FunctionDef, sources: object, problems: list[str]) -> dict[str, Any]:
    given = function.args
    plain = [*given.posonlyargs, *given.args]
    if (
        not plain
        or plain[0].arg != "view"
        or given.vararg
        or given.kwarg
        or given.defaults
        or any(given.kw_defaults)
    ):
        problems.append("the function takes view first, then its arguments, and no defaults")
        return {}
    arguments: dict[str, Any] = {}
    for each in (*plain[1:], *given.kwonlyargs):
        kind = each.annotation
        if isinstance(kind, ast.Name) and kind.id in _TYPES:
            arguments[each.arg] = _TYPES[kind.id]
        elif (
            isinstance(kind, ast.Subscript)
            and isinstance(kind.value, ast.Name)
            and kind.value.id == "Literal"
        ):
            try:
                values = ast.literal_eval(kind.slice)
            except ValueError:
                values = ()
            arguments[each.arg] = list(values) if isinstance(values, tuple) else [values]
        else:
            problems.append(f"argument {each.arg} is annotated as str, int or Literal[...]")
    if not isinstance(sources, dict) or not set(sources) <= set(arguments):
        problems.append("sources is a mapping of arguments to lists of department.handler.value")
        return arguments
    for name, origins in sources.items():
        arguments[name] = {"type": arguments[name], "from": origins}
    return arguments
