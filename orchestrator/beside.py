"""Does something beside a piece of work, for as long as that takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")


async def beside(
    other: Callable[[], Awaitable[None]], work: Callable[[], Awaitable[T]]
) -> T | None:
    """Return what ``work`` returns; ``other`` is cancelled then.

    When ``other`` returns first, ``work`` is cancelled instead, and None returned unless it ended
    all the same.

    Raises:
      Exception: what ``work`` raised, bare.
      ExceptionGroup: when ``other`` raised.
    """
    results: list[T] = []
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_then_cancel, other, nursery.cancel_scope)
        try:
            results.append(await work())
        except Exception as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return results[0] if results else None


async def _then_cancel(other: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    await other()
    scope.cancel()
