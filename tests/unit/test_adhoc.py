"""Promise: a task in words is one story, found again by its words, done only when it is checked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.git.checkpoint import Checkpoint
from orchestrator.run.attempts.judge import Judge
from orchestrator.run.build import Build
from orchestrator.run.checks.verify import CheckResult
from orchestrator.work.adhoc import AdHoc, brief_slug, brief_title, with_done
from orchestrator.work.prompt import story_prompt
from orchestrator.work.records import AttemptState
from orchestrator.work.worker import Verdict, WorkerReport

TASK = AdHoc(Path("/p"), "fix-it-123456", "# Fix it\n\nAll of it.", "grep good x")


def test_it_is_a_change_of_one_story_that_a_checkpoint_ends() -> None:
    change = TASK.at(Path("/w")).require_work("anything")
    assert (change.id, change.title, change.root, change.until) == (
        "fix-it-123456",
        "Fix it",
        Path("/w"),
        "grep good x",
    )
    (story,) = change.stories
    assert not story.is_complete
    assert with_done(change, {"1"}).stories[0].is_complete
    assert not with_done(with_done(change, {"1"}), set()).stories[0].is_complete


def test_its_prompt_says_the_words_and_no_box() -> None:
    change = TASK.read("")
    text = story_prompt(change, change.stories[0], verify=("make test", change.until))
    for part in ("All of it.", "make test", "grep good x", "<promise>COMPLETE</promise>"):
        assert part in text
    assert "tick" not in text


def test_its_prompt_names_our_own_tools_only_where_they_are() -> None:
    change = TASK.read("")
    text, more = (
        story_prompt(change, change.stories[0], verify=(), own_tools=there)
        for there in (False, True)
    )
    assert "report_result" not in text
    assert more.index("`report_result`") < more.index("<promise>COMPLETE</promise>")
    assert "`ask_operator`" in more


def test_name_keeps_letters_that_only_have_accents() -> None:
    assert brief_slug("Räume die Küche auf, 日本!") == "raume-die-kuche-auf"


@given(st.text(max_size=300))
def test_any_words_have_a_title_and_a_name(brief: str) -> None:
    assert 0 < len(brief_title(brief)) <= 72
    slug = brief_slug(brief)
    assert 0 < len(slug) <= 31
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug.strip("-") == slug


@pytest.mark.parametrize(
    ("verdict", "changed", "passing", "state", "reason"),
    [
        (Verdict.COMPLETE, True, True, AttemptState.VERIFIED, ""),
        (Verdict.COMPLETE, False, True, AttemptState.VERIFIED, ""),
        (Verdict.SILENT, True, True, AttemptState.FAILED, "did not say"),
        (Verdict.COMPLETE, True, False, AttemptState.FAILED, "--until failed: grep good x"),
    ],
)
async def test_done_is_a_word_and_a_command(
    verdict: Verdict,
    changed: bool,
    passing: bool,
    state: AttemptState,
    reason: str,
    tmp_path: Path,
) -> None:
    class Caller:
        async def call(self, command: Any) -> Any:
            paths = (b"x",) if changed and command.tip == "tip" else ()
            return Checkpoint(tree="tree", changed=paths, problems=())

        def publish(self, event: object) -> None:
            pass

    class Checks:
        build = Build()
        root = tmp_path

        async def run(self, checks: Any) -> tuple[CheckResult, ...]:
            return tuple(
                CheckResult(command=c.run, passed=passing, reason="1", output="no", seconds=0.0)
                for c in checks
            )

    async def record(fact: object) -> None:
        pass

    async def read() -> Any:
        return TASK.read("")

    judge = Judge(
        caller=Caller(),
        record=record,
        item="i",
        workspace=SimpleNamespace(path=tmp_path),  # type: ignore[arg-type]
        start="tip",
        checker=Checks(),  # type: ignore[arg-type]
        read_change=read,
        interrupt=trio.Event(),
    )
    change = TASK.read("")
    found = await judge.judge(change, change.stories[0], WorkerReport(verdict=verdict), "tip", {})
    assert found.state is state
    assert reason in found.reason
