"""Promises of the stop watcher: three steps, a level that only rises, force only when meant."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from orchestrator.stop import StopLevel, StopWatcher


class Forced:
    """Counts the calls of ``on_force``."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


async def test_three_quick_requests_are_stop_cancel_force(
    autojump_clock: trio.testing.MockClock,
) -> None:
    forced = Forced()
    watcher = StopWatcher(forced)
    levels: list[StopLevel] = []
    watcher.listen(levels.append)
    assert watcher.level is None
    watcher.request()
    await trio.sleep(1000)  # the first two may be as far apart as they like
    watcher.request()
    await trio.sleep(3)
    assert forced.times == 0
    watcher.request()
    assert levels == [StopLevel.POLITE, StopLevel.CANCEL, StopLevel.FORCE]
    assert watcher.level is StopLevel.FORCE
    assert forced.times == 1


async def test_late_third_request_counts_as_a_new_second(
    autojump_clock: trio.testing.MockClock,
) -> None:
    watcher = StopWatcher()
    levels: list[StopLevel] = []
    watcher.listen(levels.append)
    watcher.request()
    watcher.request()
    await trio.sleep(3.1)
    watcher.request()
    assert levels == [StopLevel.POLITE, StopLevel.CANCEL]
    await trio.sleep(2.9)
    watcher.request()
    assert levels[2:] == [StopLevel.FORCE]


async def test_request_right_after_a_cancel_command_forces() -> None:
    watcher = StopWatcher()
    watcher.raise_to(StopLevel.CANCEL)
    watcher.request()
    assert watcher.level is StopLevel.FORCE


async def test_level_never_falls_and_listeners_hear_of_rises_only() -> None:
    forced = Forced()
    watcher = StopWatcher(forced)
    levels: list[StopLevel] = []
    watcher.listen(levels.append)
    watcher.raise_to(StopLevel.FORCE)
    for level in StopLevel:
        watcher.raise_to(level)
    watcher.request()
    assert watcher.level is StopLevel.FORCE
    assert levels == [StopLevel.FORCE]
    assert forced.times == 1


@pytest.mark.parametrize("level", StopLevel)
async def test_waiting_for_a_level_ends_at_that_level_or_above(level: StopLevel) -> None:
    watcher = StopWatcher()
    ended: list[StopLevel] = []

    async def wait(step: StopLevel) -> None:
        await watcher.wait(step)
        ended.append(step)

    async with trio.open_nursery() as nursery:
        for step in StopLevel:
            nursery.start_soon(wait, step)
        await trio.testing.wait_all_tasks_blocked()
        assert not ended
        assert not watcher.requested.is_set()
        watcher.raise_to(level)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(ended) == [step for step in StopLevel if step <= level]
        assert watcher.requested.is_set()
        nursery.cancel_scope.cancel()
