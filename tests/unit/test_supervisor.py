"""Promises of the supervisor: restarts in place, slower each time, and gives up in the end."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from orchestrator.errors import RestartLimitError
from orchestrator.supervisor import RestartPolicy, ServiceRestarted, supervise
from orchestrator.testing import EventLog


class Crashing:
    """A service that works for the given seconds, then crashes; after the last it returns."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = list(seconds)
        self.starts: list[float] = []

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        self.starts.append(trio.current_time())
        task_status.started()
        if self._seconds:
            await trio.sleep(self._seconds.pop(0))
            raise ValueError("bug")


async def run(service: Crashing, policy: RestartPolicy) -> EventLog:
    log = EventLog()
    await supervise("service", service, policy, log.events.append)
    return log


async def test_delays_double_up_to_the_longest(autojump_clock: trio.testing.MockClock) -> None:
    service = Crashing(0, 0, 0, 0)
    policy = RestartPolicy(intensity=4, period=60, first_delay=1, longest_delay=5)
    log = await run(service, policy)
    assert service.starts == pytest.approx([0, 1, 3, 7, 12])
    assert log.events == [
        ServiceRestarted(service="service", error="ValueError('bug')", delay=delay)
        for delay in (1, 2, 4, 5)
    ]


async def test_one_crash_more_than_the_intensity_is_the_end(
    autojump_clock: trio.testing.MockClock,
) -> None:
    service = Crashing(*[0] * 9)
    with pytest.raises(RestartLimitError, match=r"service crashed 3 times within 60 s") as caught:
        await run(service, RestartPolicy(intensity=2, period=60))
    assert len(service.starts) == 3
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.where == "service"


async def test_crashes_far_apart_go_on_for_ever_and_wait_the_first_delay_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    service = Crashing(*[61] * 20)
    log = await run(service, RestartPolicy(intensity=1, period=60, first_delay=1))
    assert len(service.starts) == 21
    assert {event.delay for event in log.of(ServiceRestarted)} == {1}


async def test_restart_is_no_second_start_for_who_waited_for_the_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    service = Crashing(1, 1)
    async with trio.open_nursery() as nursery:
        await nursery.start(supervise, "service", service, RestartPolicy(), lambda event: None)
        assert len(service.starts) == 1
    assert len(service.starts) == 3


async def test_service_that_returns_is_not_started_again() -> None:
    service = Crashing()
    log = await run(service, RestartPolicy())
    assert len(service.starts) == 1
    assert log.events == []


async def test_what_never_served_fails_as_itself() -> None:
    starts = []

    async def misconfigured(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.lowlevel.checkpoint()
        starts.append(1)
        raise ValueError("bad address")

    async with trio.open_nursery() as nursery:
        with pytest.raises(ValueError, match="bad address"):
            await nursery.start(
                supervise, "service", misconfigured, RestartPolicy(), lambda event: None
            )
    assert starts == [1]


async def test_cancellation_is_no_crash(autojump_clock: trio.testing.MockClock) -> None:
    service = Crashing(100)
    with trio.move_on_after(1) as scope:
        await run(service, RestartPolicy())
    assert scope.cancelled_caught
    assert len(service.starts) == 1


async def test_cancellation_ends_the_wait_for_a_restart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    service = Crashing(0)
    with trio.move_on_after(1) as scope:
        await run(service, RestartPolicy(first_delay=9))
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(1)
