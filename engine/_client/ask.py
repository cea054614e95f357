"""What turns a call that is written down once into a method of both clients, with its types.

`@Asks @staticmethod def tenant(name: str) -> Call[Tenant]` is three things: asked of the class it
is the function itself, so that `calls.tenant("acme")` is the call as a value; of a Client a method
that sends the call and returns a Tenant; of an AsyncClient one that has to be awaited. `Follows` is
the same for a Stream and its generators.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from engine._client.call import Call, Stream

P = ParamSpec("P")
T = TypeVar("T")


class Blocks(Protocol):
    """A client whose calls return when they are answered."""

    def ask(self, make: Callable[P, Call[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def follow(
        self, make: Callable[P, Stream[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Generator[T, None, None]: ...


class Waits(Protocol):
    """A client whose calls are awaited."""

    async def ask(self, make: Callable[P, Call[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...

    def follow(
        self, make: Callable[P, Stream[T]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]: ...


class Asks(Generic[P, T]):
    """Makes a method of a function that makes a call."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self._make = inspect.unwrap(make)

    @overload
    def __get__(self, client: None, kind: type) -> Callable[P, Call[T]]: ...
    @overload
    def __get__(self, client: Waits, kind: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: Blocks, kind: type) -> Callable[P, T]: ...
    def __get__(self, client: Any, kind: type) -> Any:
        if client is None:
            return self._make
        return update_wrapper(partial(client.ask, self._make), self._make)


class Follows(Generic[P, T]):
    """Makes a method of a function that names a stream."""

    def __init__(self, make: Callable[P, Stream[T]]) -> None:
        self._make = inspect.unwrap(make)

    @overload
    def __get__(self, client: None, kind: type) -> Callable[P, Stream[T]]: ...
    @overload
    def __get__(self, client: Waits, kind: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    @overload
    def __get__(self, client: Blocks, kind: type) -> Callable[P, Generator[T, None, None]]: ...
    def __get__(self, client: Any, kind: type) -> Any:
        if client is None:
            return self._make
        return update_wrapper(partial(client.follow, self._make), self._make)
