"""Git's way off the event loop: one thread hop per blocking sequence, under a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs
import trio

from orchestrator.adapters.process import in_thread

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class GitThreads:
    """Runs blocking functions in worker threads.

    Attributes:
      limiter: how many run at once; max(2, cores) keeps the event loop's lateness low.
      deadline: seconds a sequence of git commands may take.
    """

    limiter: trio.CapacityLimiter
    deadline: float

    async def run(self, function: Callable[..., T], *args: object, **kwargs: object) -> T:
        """Run ``function`` in a thread.

        Cancellation and the deadline kill the git process that runs, then end the thread.

        Raises:
          AdapterTimedOutError: when the deadline passed; what was written is unknown, and is
            settled the next time the item is opened.
        """
        return await in_thread(
            lambda: function(*args, **kwargs),
            deadline=self.deadline,
            limiter=self.limiter,
            what=function.__qualname__,
        )
