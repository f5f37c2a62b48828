"""Restarts a crashed service in place, within an intensity and with a back-off."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs
import trio

from .errors import RestartLimitError
from .messages import Event

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class ServiceRestarted(Event):
    """A supervised service crashed and starts again in ``delay`` seconds."""

    service: str
    error: str
    delay: float


@attrs.frozen(kw_only=True)
class RestartPolicy:
    """At most ``intensity`` restarts within ``period`` seconds; delays double up to a limit."""

    intensity: int = 3
    period: float = 60.0
    first_delay: float = 0.1
    longest_delay: float = 10.0

    def delay(self, recent: int) -> float:
        """Return the seconds to wait after the ``recent``-th crash of the period (from 1)."""
        return min(self.longest_delay, float(self.first_delay * 2 ** (recent - 1)))


class Service(Protocol):
    """A coroutine function that says ``task_status.started()`` once it serves."""

    def __call__(self, *, task_status: trio.TaskStatus[None]) -> Awaitable[None]: ...


class _Start:
    """Hands on the first ``started()`` only: nobody waits for a restart."""

    def __init__(self, status: trio.TaskStatus[None]) -> None:
        self._status = status
        self.happened = False

    def started(self, value: None = None) -> None:
        if not self.happened:
            self.happened = True
            self._status.started(value)


async def supervise(
    name: str,
    service: Service,
    policy: RestartPolicy,
    publish: Callable[[Event], None],
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run ``service`` until it returns; start it again when it raises.

    What fails before it ever served is misconfigured: its error comes out as it is. Cancellation
    is never an error to restart after.

    Raises:
      RestartLimitError: caused by the last crash, when the policy is used up.
    """
    start = _Start(task_status)
    crashes: deque[float] = deque()
    while True:
        try:
            await service(task_status=start)
            return
        except Exception as exc:
            if not start.happened:
                raise
            now = trio.current_time()
            crashes.append(now)
            while crashes[0] < now - policy.period:
                crashes.popleft()
            if len(crashes) > policy.intensity:
                raise RestartLimitError(
                    f"{name} crashed {len(crashes)} times within {policy.period:g} s: {exc!r}",
                    where=name,
                    fix="see the log for the first crash",
                ) from exc
            delay = policy.delay(len(crashes))
            log.exception("%s crashed and starts again in %.1f s", name, delay)
            publish(ServiceRestarted(service=name, error=repr(exc), delay=delay))
        await trio.sleep(delay)  # not inside `except`: Cancelled there would carry the crash along
