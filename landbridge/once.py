"""A method that is written once and called two ways: it blocks, or it is awaited.

The body is a generator that says what to do next (`landbridge.exchange`) and gets back what came of
it. `once` makes a method of it, `each` one that gives one thing after another. Of an object whose
class is `Blocking` the method does the steps and returns; of one that is `Awaited` it is a
coroutine function. The signature is the body's own, for people, type checkers and `help`.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, overload

from landbridge.drivers import AwaitedDriver, BlockingDriver
from landbridge.exchange import Exchange, Outcome, Result, Step, Steps, attempts

P = ParamSpec("P")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Give(Generic[Item]):
    """Hand this to whoever iterates."""

    item: Item


Stream = Generator[Step | Give[Item], Outcome, None]
"""The steps of a method that gives one thing after another."""


Driver = Any
"""A `BlockingDriver` of what is `Blocking`, an `AwaitedDriver` of what is `Awaited`."""


class Asks:
    """What has a driver, and so can ask a gateway."""

    _driver: Driver

    def _ask(self, asked: Exchange[Result], timeout: float | None = None) -> Steps[Result]:
        """The steps of one exchange, within `timeout` seconds, or within the client's own."""
        seconds = self._driver.timeout if timeout is None else timeout
        return attempts(asked, seconds, self._driver.clock)


class Blocking(Asks):
    """Methods return when they are done; for threads."""

    _driver: BlockingDriver


class Awaited(Asks):
    """Methods are awaited; for asyncio."""

    _driver: AwaitedDriver


class _Method(ABC):
    """A descriptor: each class that has the body gets a method of its own kind of it."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.__doc__ = body.__doc__
        self._body = body
        self._methods: dict[type, Any] = {}

    def _bound(self, at: object, owner: type) -> Any:
        method = self._methods.get(owner)
        if method is None:
            kind = self._awaited if issubclass(owner, Awaited) else self._blocking
            method = kind(self._body)
            functools.update_wrapper(method, self._body)
            method.__qualname__ = f"{owner.__qualname__}.{self._body.__name__}"
            method.__signature__ = _seen(self._body, owner, method)
            self._methods[owner] = method
        return method.__get__(at, owner)

    @staticmethod
    @abstractmethod
    def _blocking(body: Callable[..., Any]) -> Any:
        """The method for threads."""

    @staticmethod
    @abstractmethod
    def _awaited(body: Callable[..., Any]) -> Any:
        """The method for asyncio."""


class once(_Method, Generic[P, Result]):  # noqa: N801 - a decorator
    """Makes a method of a body that ends with one result."""

    def __init__(self, body: Callable[Concatenate[Any, P], Steps[Result]]) -> None:
        super().__init__(body)

    @overload
    def __get__(self, at: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, at: Blocking, owner: type) -> Callable[P, Result]: ...
    @overload
    def __get__(self, at: Awaited, owner: type) -> Callable[P, Coroutine[Any, Any, Result]]: ...
    def __get__(self, at: object, owner: type) -> Any:
        return self._bound(at, owner)

    @staticmethod
    def _blocking(body: Callable[..., Any]) -> Any:
        def method(self: Blocking, /, *args: Any, **kwargs: Any) -> Any:
            return self._driver.carry(body(self, *args, **kwargs))

        return method

    @staticmethod
    def _awaited(body: Callable[..., Any]) -> Any:
        async def method(self: Awaited, /, *args: Any, **kwargs: Any) -> Any:
            return await self._driver.carry(body(self, *args, **kwargs))

        return method


class each(_Method, Generic[P, Item]):  # noqa: N801 - a decorator
    """Makes a method of a body that gives one thing after another."""

    def __init__(self, body: Callable[Concatenate[Any, P], Stream[Item]]) -> None:
        super().__init__(body)

    @overload
    def __get__(self, at: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, at: Blocking, owner: type) -> Callable[P, Iterator[Item]]: ...
    @overload
    def __get__(self, at: Awaited, owner: type) -> Callable[P, AsyncIterator[Item]]: ...
    def __get__(self, at: object, owner: type) -> Any:
        return self._bound(at, owner)

    @staticmethod
    def _blocking(body: Callable[..., Any]) -> Any:
        def method(self: Blocking, /, *args: Any, **kwargs: Any) -> Iterator[Any]:
            steps, outcome = body(self, *args, **kwargs), None
            while (step := _next(steps, outcome)) is not None:
                outcome = None
                if isinstance(step, Give):
                    yield step.item
                else:
                    outcome = self._driver.do(step)

        return method

    @staticmethod
    def _awaited(body: Callable[..., Any]) -> Any:
        async def method(self: Awaited, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            steps, outcome = body(self, *args, **kwargs), None
            while (step := _next(steps, outcome)) is not None:
                outcome = None
                if isinstance(step, Give):
                    yield step.item
                else:
                    outcome = await self._driver.do(step)

        return method


def _next(steps: Stream[Any], outcome: Outcome) -> Step | Give[Any] | None:
    """The next step; None at the end."""
    try:
        return steps.send(outcome)
    except StopIteration:
        return None


def _seen(body: Callable[..., Any], owner: type, method: Any) -> inspect.Signature:
    """The signature as the caller sees it: the result, not the steps to it."""
    signature = inspect.signature(body)
    result = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    result = _filled(owner).get(result, result)
    if inspect.isgeneratorfunction(method):
        result = f"Iterator[{result}]"
    elif inspect.isasyncgenfunction(method):
        result = f"AsyncIterator[{result}]"
    return signature.replace(return_annotation=result)


def _filled(owner: type) -> dict[str, str]:
    """What the class fills in for the names of types that its bodies leave open."""
    filled: dict[str, str] = {}
    for base in getattr(owner, "__orig_bases__", ()):
        parameters = getattr(getattr(base, "__origin__", None), "__parameters__", ())
        for parameter, given in zip(parameters, get_args(base), strict=False):
            filled[parameter.__name__] = getattr(given, "__forward_arg__", "") or given.__name__
    return filled
