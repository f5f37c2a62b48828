"""Runs a worker's process to its end, whatever it does: reads, asks it to stop, loses patience."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import attrs
import trio

from orchestrator.adapters.lines import iter_lines
from orchestrator.agents.assignment import describe
from orchestrator.agents.port import WorkerProcess, WorkerTask
from orchestrator.agents.result import ResultFile, read_result
from orchestrator.errors import OrchestratorError
from orchestrator.text import Tail
from orchestrator.work.worker import Message, OversizedLine, WorkerEvent

MAX_LINE = 1 << 20


@attrs.frozen(kw_only=True)
class Patience:
    """How long a worker may take, in seconds.

    Attributes:
      interrupted: from being asked to stop until it is killed.
      finished: from its terminal event until it is killed for not exiting.
      drain: for output that is still in the pipes when it has exited.
    """

    interrupted: float = 10.0
    finished: float = 10.0
    drain: float = 2.0


@attrs.frozen(kw_only=True)
class Ending:
    """How a process ended: ``returncode`` and the end of its standard error.

    Attributes:
      interrupted: whether it was asked to stop.
      killed: whether we ran out of patience and killed it.
    """

    returncode: int
    complaint: str
    interrupted: bool
    killed: bool


@attrs.define(eq=False)
class Drive:
    """One process under way; ``say`` and ``finish`` may be called while ``run`` runs."""

    process: WorkerProcess
    log: Callable[[bytes], None]
    patience: Patience
    redact: Callable[[bytes], bytes]
    _finished: trio.Event = attrs.field(factory=trio.Event, init=False)
    _mouth: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    _interrupted: bool = attrs.field(default=False, init=False)
    _killed: bool = attrs.field(default=False, init=False)

    async def say(self, data: bytes) -> None:
        """Write to the process; one that does not listen any more is not an error.

        Cancellation may leave part of ``data`` written.
        """
        async with self._mouth:
            try:
                await self.process.stdin.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    def finish(self) -> None:
        """Note that the work is over: close the input, and soon kill what does not exit."""
        self._finished.set()

    async def run(
        self,
        read: Callable[[bytes | OversizedLine], None],
        *,
        feed: Callable[[], Awaitable[None]],
        ask_to_stop: Callable[[], Awaitable[None]],
        interrupt: trio.Event,
    ) -> Ending:
        """Run until the process and all it started have ended.

        Args:
          read: gets every line of standard output.
          feed: writes the input.
          ask_to_stop: asks it, by its own protocol, to stop; called once ``interrupt`` is set.

        Raises:
          OrchestratorError: what the host raises when it loses the process.

        Cancellation leaves the process to its host.
        """
        complaints = Tail(4096)
        failure: OrchestratorError | None = None
        code = 0

        async def hear() -> None:
            async for line in self._lines(self.process.stdout):
                read(line)

        async def hear_complaints() -> None:
            async for line in self._lines(self.process.stderr):
                if isinstance(line, bytes):
                    complaints.add(line.decode(errors="replace"))

        async with trio.open_nursery() as helpers:
            helpers.start_soon(feed)
            helpers.start_soon(self._stop_when_asked, interrupt, ask_to_stop)
            helpers.start_soon(self._end_when_finished)
            async with trio.open_nursery() as readers:
                readers.start_soon(_while_open, hear)
                readers.start_soon(_while_open, hear_complaints)
                try:
                    code = (await self.process.wait()).returncode
                except OrchestratorError as error:
                    # Raised here it would come out wrapped in the groups of two nurseries.
                    failure = error
                # Somebody outside the tree may hold the pipes open for ever.
                readers.cancel_scope.deadline = trio.current_time() + self.patience.drain
            helpers.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return Ending(
            returncode=code,
            complaint=complaints.text,
            interrupted=self._interrupted,
            killed=self._killed,
        )

    async def _stop_when_asked(
        self, interrupt: trio.Event, ask_to_stop: Callable[[], Awaitable[None]]
    ) -> None:
        await interrupt.wait()
        self._interrupted = not self._finished.is_set()
        with trio.move_on_after(self.patience.interrupted):
            await ask_to_stop()
            await trio.sleep_forever()
        self._kill()

    async def _end_when_finished(self) -> None:
        await self._finished.wait()
        with trio.move_on_after(self.patience.finished):
            await self.process.stdin.aclose()
            await trio.sleep_forever()
        self._kill()

    def _kill(self) -> None:
        self._killed = True
        self.process.kill()

    async def _lines(
        self, stream: trio.abc.ReceiveStream
    ) -> AsyncGenerator[bytes | OversizedLine, None]:
        """Yield the lines of an output without secrets, each after it is in the log."""
        async for line in iter_lines(stream, MAX_LINE):
            if isinstance(line, OversizedLine):
                self.log(f"[a line of {line.size} bytes was dropped]\n".encode())
                yield line
            else:
                line = self.redact(line)
                self.log(line.rstrip(b"\r\n") + b"\n")
                yield line


async def _while_open(listen: Callable[[], Awaitable[None]]) -> None:
    try:
        await listen()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def write_task(task: WorkerTask, env: Mapping[str, str]) -> bytes:
    """Put the prompt, and what its tools need to know, into files; return the prompt encoded.

    Args:
      env: the complete environment that the worker is started with.
    """
    prompt = task.prompt.encode(errors="replace")
    await trio.Path(task.prompt_file).write_bytes(prompt)
    await trio.Path(task.task_file).write_bytes(describe(task, env))
    return prompt


async def collect_result(task: WorkerTask, emit: Callable[[WorkerEvent], None]) -> ResultFile:
    """Read the result file; call it only when nothing is alive that could still write it."""
    file = await trio.to_thread.run_sync(read_result, task.result_file, task.redact)
    if file.problem:
        emit(Message(text=f"The result file is ignored: {file.problem}."))
    return file
