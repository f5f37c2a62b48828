"""Promises of `beside`: the work's end is the end, and what it raised comes out bare."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from orchestrator.beside import beside


async def sleep(seconds: float) -> str:
    """Take a while."""
    await trio.sleep(seconds)
    return "done"


async def test_the_other_ends_with_the_work(autojump_clock: trio.testing.MockClock) -> None:
    ended = []

    async def other() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(trio.current_time())

    began = trio.current_time()
    assert await beside(other, lambda: sleep(3)) == "done"
    assert ended == [began + 3]

    async def fail() -> None:
        await trio.sleep(1)
        raise KeyError

    with pytest.raises(KeyError):
        await beside(other, fail)
    assert ended == [began + 3, began + 4]


async def test_the_work_is_cancelled_when_the_other_ends_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def other() -> None:
        await trio.sleep(1)

    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)
        return "done"

    async def endless() -> str:
        await trio.sleep_forever()
        return "never"

    began = trio.current_time()
    assert await beside(other, endless) is None
    assert trio.current_time() == began + 1
    assert await beside(other, stubborn) == "done"
    assert trio.current_time() == began + 4


async def test_cancellation_from_outside_comes_out_as_such(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.move_on_after(1) as scope:
        await beside(trio.sleep_forever, lambda: sleep(3))
    assert scope.cancelled_caught
