"""The worker that is a plain command: prompt on its standard input, answer in a file or a tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import trio

from orchestrator.agents.drive import Drive, Patience, collect_result, write_task
from orchestrator.agents.port import ProcessHost, WorkerTask
from orchestrator.agents.result import judge, promise, read_result
from orchestrator.text import Tail, shown
from orchestrator.work.worker import Message, OversizedLine, WorkerEvent, WorkerReport

PROMPT_PLACE = "{prompt_file}"
_POLL = 1.0


@attrs.frozen(kw_only=True)
class CommandWorker:
    """Runs ``argv`` once per attempt.

    Attributes:
      name: what it is configured under.
      argv: the command; "{prompt_file}" in an argument becomes the path of a file that holds
        the prompt, and nothing comes on standard input then.
      env: variables added to the task's.
    """

    name: str
    argv: tuple[str, ...] = attrs.field(validator=attrs.validators.min_len(1))
    env: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    patience: Patience = attrs.field(factory=Patience)

    async def work(
        self,
        task: WorkerTask,
        host: ProcessHost,
        emit: Callable[[WorkerEvent], None],
        interrupt: trio.Event,
        log: Callable[[bytes], None],
    ) -> WorkerReport:
        """Run the command; see ``Worker.work``."""
        env = {**task.environment(), **self.env}
        prompt = await write_task(task, env)
        argv = tuple(part.replace(PROMPT_PLACE, str(task.prompt_file)) for part in self.argv)
        as_file = any(PROMPT_PLACE in part for part in self.argv)
        said = Tail()

        def read(line: bytes | OversizedLine) -> None:
            if isinstance(line, OversizedLine):
                emit(line)
                return
            text = line.decode(errors="replace")
            said.add(text)
            if visible := shown(text):
                emit(Message(text=visible))

        async with host.run(argv, cwd=task.cwd, env=env) as process:
            drive = Drive(process, log, self.patience, task.redact)

            async def feed() -> None:
                if not as_file:
                    await drive.say(prompt)
                await process.stdin.aclose()
                await self._wait_for_answer(task, said)
                drive.finish()

            ending = await drive.run(
                read, feed=feed, ask_to_stop=process.terminate, interrupt=interrupt
            )
        file = await collect_result(task, emit)
        return judge(
            failure="interrupted" if ending.interrupted and file.claim is None else "",
            file=file,
            message=said.last,
            exit_code=ending.returncode,
            complaint=ending.complaint.strip().rpartition("\n")[2] or said.last,
        )

    async def _wait_for_answer(self, task: WorkerTask, said: Tail) -> None:
        """Return when the command has answered: what does not exit after that is stuck.

        A promise counts once it has stayed the last line for a whole grace: more may follow it.
        """
        promised_at: float | None = None
        while True:
            await trio.sleep(_POLL)
            file = await trio.to_thread.run_sync(read_result, task.result_file)
            if file.claim is not None:
                return
            if promise(said.last) is None:
                promised_at = None
            elif promised_at is None:
                promised_at = trio.current_time()
            elif trio.current_time() - promised_at >= self.patience.finished:
                return
