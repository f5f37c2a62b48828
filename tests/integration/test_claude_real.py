"""The real Claude Code against a scripted model: it works, stops, and limits and refusals show."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trio

from orchestrator.agents.claude import ClaudeWorker
from orchestrator.run.attempts.meter import Meter
from orchestrator.work.budget import Budget
from orchestrator.work.worker import ToolResult, UsageSoFar, Verdict, WorkerEvent, WorkerReport
from tests.mock_model import Model, Refuse, Say, Use, overloaded, serve, usage_limit
from tests.worker_host import SessionHost, task

pytestmark = [pytest.mark.processes, pytest.mark.real_cli("claude"), pytest.mark.timeout(120)]


async def work(
    folder: Path,
    model: Model,
    events: list[WorkerEvent],
    *,
    worker: ClaudeWorker | None = None,
    interrupt_at: Path | None = None,
    host: SessionHost | None = None,
    max_turns: int | None = None,
    max_cost: float | None = None,
    meter: Meter | None = None,
) -> WorkerReport:
    """Run the real thing once; interrupt it when a file has appeared, or a budget is used up."""
    job = task(folder, "Write hello.txt.", max_turns=max_turns, max_cost=max_cost)
    interrupt = meter.stop if meter is not None else trio.Event()

    def hear(event: WorkerEvent) -> None:
        events.append(event)
        if meter is not None and isinstance(event, UsageSoFar):
            meter.take(event.usage)

    async def watch(sign: trio.Path) -> None:
        while not await sign.exists():  # noqa: ASYNC110 - another process makes the file
            await trio.sleep(0.02)
        interrupt.set()

    worker = worker or ClaudeWorker(env=model.environment())
    place = host or SessionHost()
    with trio.fail_after(90):
        async with trio.open_nursery() as nursery:
            if interrupt_at is not None:
                nursery.start_soon(watch, trio.Path(interrupt_at))
            report = await worker.work(job, place, hear, interrupt, lambda _: None)
            nursery.cancel_scope.cancel()
    return report


async def test_claude_writes_its_file_and_finishes(tmp_path: Path) -> None:
    events: list[WorkerEvent] = []
    place = tmp_path / "workspace" / "hello.txt"
    script = (
        Use("Write", {"file_path": str(place), "content": "hello\n"}),
        Use("Bash", {"command": "cat hello.txt", "description": "look"}),
        Say("Written.\n\n<promise>COMPLETE</promise>"),
    )
    with serve(*script) as model:
        report = await work(tmp_path, model, events)

    assert (report.verdict, report.reason, report.denied) == (Verdict.COMPLETE, "", ())
    assert place.read_text() == "hello\n"
    assert report.usage.turns == 3
    assert report.session
    assert "Write hello.txt." in " ".join(model.prompts)
    assert ToolResult(tool="Bash", is_error=False, summary="hello") in events


async def test_claude_may_write_its_result_file(tmp_path: Path) -> None:
    place = tmp_path / "attempt" / "result.json"
    content = '{"status": "blocked", "question": "Which port?"}'
    script = (Use("Write", {"file_path": str(place), "content": content}), Say("I wait."))
    with serve(*script) as model:
        report = await work(tmp_path, model, [])

    assert (report.verdict, report.reason) == (Verdict.BLOCKED, "Which port?")


async def test_interrupt_stops_a_running_tool(tmp_path: Path) -> None:
    command = {"command": "touch started; tail -f /dev/null", "description": "wait"}
    with serve(Use("Bash", command), Say("never")) as model:
        started = tmp_path / "workspace" / "started"
        host = SessionHost()
        report = await work(tmp_path, model, [], interrupt_at=started, host=host)

    assert (report.verdict, report.reason) == (Verdict.FAILED, "interrupted")
    assert report.session
    assert host.process is not None
    assert host.process.inner.returncode != -9, "it had to be killed"


async def test_refused_tool_fails_the_attempt_and_names_the_setting(tmp_path: Path) -> None:
    place = tmp_path / "workspace" / "hello.txt"
    script = (
        Use("Write", {"file_path": str(place), "content": "hello\n"}),
        Say("<promise>COMPLETE</promise>"),
    )
    with serve(*script) as model:
        worker = ClaudeWorker(
            name="mine",
            allowed_tools=("Read",),
            permission_mode="default",
            env=model.environment(),
        )
        report = await work(tmp_path, model, [], worker=worker)

    assert report.verdict is Verdict.FAILED
    assert report.denied == (f"Write: {place}",)
    assert "[agents.mine] allowed_tools" in report.reason
    assert not place.exists()


async def test_limit_on_turns_is_named(tmp_path: Path) -> None:
    with serve(Use("Bash", {"command": "true", "description": "x"}), Say("y")) as model:
        report = await work(tmp_path, model, [], max_turns=1)

    assert report.verdict is Verdict.FAILED
    assert "[agents.claude] max_turns" in report.reason


async def test_rejected_credential_fails_soon_and_says_so(tmp_path: Path) -> None:
    with serve(Refuse(401, "authentication_error")) as model:
        report = await work(tmp_path, model, [])

    assert report.verdict is Verdict.FAILED
    assert "refused the credential (401)" in report.reason


async def test_limit_of_a_subscription_is_no_failure_and_names_its_end(tmp_path: Path) -> None:
    until = int(time.time()) + 9660
    with serve(usage_limit(until)) as model:
        worker = ClaudeWorker(env=model.environment(subscription=True))
        report = await work(tmp_path, model, [], worker=worker)

    assert (report.verdict, report.limit_reset) == (Verdict.LIMITED, until)
    assert "5-hour limit" in report.reason


@pytest.mark.parametrize(
    "refusal",
    [
        Refuse(429, "rate_limit_error", "Too many tokens per minute", {"retry-after": "1"}),
        overloaded(),
        Refuse(500, "api_error", "Internal server error"),
    ],
    ids=["rate", "overload", "error"],
)
async def test_refusal_without_a_time_is_no_failure_either(tmp_path: Path, refusal: Refuse) -> None:
    with serve(refusal) as model:
        report = await work(tmp_path, model, [])

    assert (report.verdict, report.limit_reset) == (Verdict.LIMITED, None)
    assert str(refusal.status) in report.reason


async def test_service_that_cannot_be_reached_is_no_failure_either(tmp_path: Path) -> None:
    with serve(Say("gone")) as model:
        pass
    report = await work(tmp_path, model, [])

    assert (report.verdict, report.limit_reset) == (Verdict.LIMITED, None)


async def test_budget_of_money_ends_it_and_says_what_it_cost(tmp_path: Path) -> None:
    look = Use("Bash", {"command": "true", "description": "look"})
    with serve(look, look, look, Say("done"), tokens=100_000) as model:
        report = await work(tmp_path, model, [], max_cost=0.01)

    assert report.verdict is Verdict.FAILED
    assert "[agents.claude] max_cost" in report.reason
    assert report.usage.cost >= 0.01


async def test_budget_of_tokens_interrupts_it_while_it_works(tmp_path: Path) -> None:
    """By its own protocol, so that it still says what it cost."""
    wait = Use("Bash", {"command": "tail -f /dev/null", "description": "wait"})
    meter = Meter(Budget(tokens=250_000))
    with serve(Use("Bash", {"command": "true", "description": "x"}), wait, tokens=100_000) as model:
        host = SessionHost()
        report = await work(tmp_path, model, [], meter=meter, host=host)

    assert (report.verdict, report.reason) == (Verdict.FAILED, "interrupted")
    assert meter.reached is not None
    assert report.usage.tokens >= 250_000
    assert report.usage.cost > 0
    assert host.process is not None
    assert host.process.inner.returncode != -9, "it had to be killed"


async def test_what_it_costs_is_known_while_it_works(tmp_path: Path) -> None:
    events: list[WorkerEvent] = []
    look = Use("Bash", {"command": "sleep 0.3", "description": "look"})
    with serve(look, look, Say("done"), tokens=1000) as model:
        report = await work(tmp_path, model, events)

    told = [event.usage for event in events if isinstance(event, UsageSoFar)]
    assert any(usage.cost > 0 for usage in told)
    assert [usage.turns for usage in told][-1] == report.usage.turns == 3
    assert all(usage.tokens <= report.usage.tokens for usage in told)
