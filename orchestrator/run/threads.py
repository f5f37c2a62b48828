"""Git's way off the event loop: one thread hop per blocking sequence, under a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import attrs
import trio

from orchestrator.adapters.threads import in_thread
from orchestrator.errors import AdapterError

P = ParamSpec("P")
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

    def apart(self) -> GitThreads:
        """Return one whose function takes no place of others: it may wait for a hook or a network.

        Whoever uses it bounds by a lane how many there are.
        """
        return attrs.evolve(self, limiter=trio.CapacityLimiter(1))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` in a thread.

        Cancellation and the deadline kill the git process that runs, then end the thread.

        Raises:
          AdapterError: when the file system refuses (disk full, permissions).
          AdapterTimedOutError: when the deadline passed; what was written is unknown, and is
            settled the next time the item is opened.
        """
        try:
            return await in_thread(
                lambda: function(*args, **kwargs),
                deadline=self.deadline,
                limiter=self.limiter,
                what=function.__qualname__.replace("_", " "),
            )
        except OSError as error:
            raise AdapterError(
                f"{function.__qualname__.replace('_', ' ')}: {error.strerror or error}",
                where=str(error.filename) if error.filename else None,
                fix="nothing is lost: mend it (disk space, permissions), then run again",
            ) from error
