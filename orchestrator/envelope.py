"""One command in flight with the slot its outcome comes back through, and the bounded mailbox."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import attrs
import trio

from .errors import CommandCancelledError, OrchestratorError, StoppedError
from .messages import Command


@attrs.define(eq=False)
class Envelope:
    """A command, the task that waits for it, and its outcome; settled exactly once."""

    command: Command[Any]
    is_settled: bool = attrs.field(default=False, init=False)
    _scope: trio.CancelScope | None = attrs.field(default=None, init=False)
    _waiter: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    _raise_cancel: Callable[[], Any] | None = attrs.field(default=None, init=False)
    _cancelled: bool = attrs.field(default=False, init=False)
    _value: Any = attrs.field(default=None, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    def start(self) -> trio.CancelScope:
        """Return the scope to run the handler in; from now on withdrawing means cancelling it."""
        self._scope = trio.CancelScope()
        return self._scope

    def succeed(self, value: object) -> None:
        """Settle with a value. No effect once settled."""
        if not self.is_settled:
            self._value = value
            self._settle()

    def fail(self, error: Exception) -> None:
        """Settle with an error, handed on as this very object. No effect once settled."""
        if not self.is_settled:
            self._error = error
            self._settle()

    def fail_cancelled(self, name: str) -> None:
        """Settle as cancelled, by its caller or by someone else. No effect once settled."""
        if not self.is_settled:
            self._cancelled = True
            self.fail(CommandCancelledError(f"{name} was cancelled", where=name))

    async def wait(self) -> Any:
        """Return the outcome; nothing of the command runs any more when this ends.

        Cancellation withdraws the command: while queued it never starts, while running it is
        cancelled and its clean-up is waited for. A result that came all the same is returned.
        """
        if self.is_settled:
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            self._waiter = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._withdraw)
        if self._cancelled and self._raise_cancel is not None:
            self._raise_cancel()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # the traceback holds this frame: break the cycle
        return self._value

    def _settle(self) -> None:
        self.is_settled = True
        if self._waiter is not None:
            trio.lowlevel.reschedule(self._waiter)

    def _withdraw(self, raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
        if self._scope is None:
            self.is_settled = True
            return trio.lowlevel.Abort.SUCCEEDED
        # The handler's clean-up is bounded by its adapters, so this wait is bounded too.
        self._raise_cancel = raise_cancel
        self._scope.cancel()
        return trio.lowlevel.Abort.FAILED


class Mailbox:
    """A bounded queue with one reader. Senders that find it full wait, first come first served.

    Args:
      size: envelopes it holds.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: deque[Envelope] = deque()
        self._senders = trio.lowlevel.ParkingLot()
        self._granted = 0
        self._reader: trio.lowlevel.Task | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it refuses what comes."""
        return self._closed

    @property
    def queued(self) -> int:
        """How many envelopes wait to be taken; never more than the size."""
        return len(self._queue)

    @property
    def waiting(self) -> int:
        """How many senders wait for room."""
        return len(self._senders)

    def put_nowait(self, envelope: Envelope) -> bool:
        """Queue the envelope if there is room, and say whether there was.

        Raises:
          StoppedError: when the mailbox is closed.
        """
        if self._closed:
            raise _stopped()
        if self._senders or len(self._queue) + self._granted >= self._size:
            return False
        self._append(envelope)
        return True

    async def put(self, envelope: Envelope) -> None:
        """Queue the envelope as soon as there is room.

        Raises:
          StoppedError: when the mailbox is closed, or closes meanwhile.
        """
        if not self.put_nowait(envelope):
            await self._senders.park()
            if self._closed:
                raise _stopped()
            self._granted -= 1
            self._append(envelope)
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def wait(self) -> bool:
        """Wait until something is queued. False: closed and empty, nothing will come."""
        if self._queue or self._closed:
            await trio.lowlevel.checkpoint()
        else:
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._forget_reader)
        return bool(self._queue)

    def take(self) -> Envelope | None:
        """Return the oldest envelope, or None when there is none."""
        if not self._queue:
            return None
        envelope = self._queue.popleft()
        if self._senders:
            self._granted += len(self._senders.unpark())
        return envelope

    def close(self) -> None:
        """Refuse what comes from now on; what is queued can still be taken."""
        self._closed = True
        self._senders.unpark_all()
        self._wake_reader()

    def _append(self, envelope: Envelope) -> None:
        self._queue.append(envelope)
        self._wake_reader()

    def _wake_reader(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def _forget_reader(self, _: Callable[[], Any]) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED


def _stopped() -> OrchestratorError:
    return StoppedError("the orchestrator is stopping", fix="start it again")
