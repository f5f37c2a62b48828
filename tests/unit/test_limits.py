"""Promise: a limit is waited for by the wall clock, and nothing a service says makes a run spin."""

from __future__ import annotations

import math

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from orchestrator.run.loop.waiting import LOOK_AGAIN, wait_until
from orchestrator.work.limits import LONGEST_WAIT, SLACK, fits, next_try, refusals, waits_until
from orchestrator.work.records import AttemptRecord, AttemptState

NOW = 1_795_000_000.0


def refused(at: float, until: float, state: AttemptState = AttemptState.LIMITED) -> AttemptRecord:
    return AttemptRecord(
        id=f"a.{at}", item="a", run="r", story="1", number=1, at=int(at), state=state, until=until
    )


def test_time_that_the_service_names_is_believed() -> None:
    assert next_try(0, NOW + 9660, NOW) == NOW + 9660 + SLACK


def test_without_a_time_the_waits_double_up_to_the_longest() -> None:
    waits = [next_try(n, None, NOW) - NOW for n in range(8)]
    assert waits == [60, 120, 240, 480, 960, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]


@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=60),
    st.floats(0, 86_400),
)
def test_refusals_in_a_row_come_to_an_end(answers: list[float | None], allowed: float) -> None:
    """Whatever times a service names, past ones too, the waits end, and few attempts are made."""
    now, attempts = NOW, [refused(NOW - 9, NOW - 9)]
    for made, resets_at in enumerate(answers):
        until = next_try(made, resets_at, now)
        attempts.append(refused(now, until))
        if not fits(until, attempts[1:], allowed, NOW):
            break
        now = max(now, until)
    assert now - NOW <= allowed
    assert len(attempts) - 1 <= 8 + allowed / LONGEST_WAIT


def test_only_refusals_at_the_end_count() -> None:
    failed = refused(NOW, 0, AttemptState.FAILED)
    old, new = refused(NOW, NOW + 1), refused(NOW, NOW + 2)
    assert refusals([old, failed]) == ()
    assert waits_until([old, failed]) == 0
    assert refusals([old, failed, old, new]) == (old, new)
    assert waits_until([old, failed, old, new]) == NOW + 2


def test_what_happened_before_this_engine_is_no_wait_of_its_own() -> None:
    yesterday = [refused(NOW - 80_000, NOW - 70_000), refused(NOW, NOW + 100)]
    assert fits(NOW + 100, yesterday, 200, NOW)
    assert not fits(NOW + 100, yesterday, 200, NOW - 80_000)
    assert not fits(NOW + 100, yesterday, 0, NOW)


@pytest.mark.parametrize("jump", [0.0, 7200.0, -7200.0])
async def test_wait_follows_the_wall_clock(autojump_clock: MockClock, jump: float) -> None:
    """A suspend, or a clock that is set, moves the end of the wait within half a minute."""
    began = trio.current_time()

    def clock() -> float:
        passed = trio.current_time() - began
        return NOW + passed + (jump if passed >= 100 else 0)

    await wait_until(NOW + 3600, trio.Event(), clock=clock)
    passed = trio.current_time() - began
    expected = max(3600 - jump, 100)
    assert expected <= passed + 0.001
    assert passed <= expected + LOOK_AGAIN


async def test_stop_ends_a_wait_at_once(autojump_clock: MockClock) -> None:
    stopping = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_until, math.inf, stopping)
        await wait_all_tasks_blocked()
        stopping.set()
