"""Promise: an agent is told its item, its phase and how to report; others' words stay data."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.work.backlog.item import Assessments, Description, Item, Level, Size, Status
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.prompts import EVIDENCE, phase_prompt
from orchestrator.work.backlog.report import phase_result
from orchestrator.work.backlog.result import Outcome, PhaseResult
from orchestrator.work.backlog.triage_prompt import OTHERS, triage_prompt
from orchestrator.work.records import AttemptRecord, AttemptState
from orchestrator.work.worker import Verdict
from tests.backlogs import RULES

ITEM = Item(id="W-1", title="Mend the thing")
FULL = Item(
    id="W-1",
    title="Mend the thing",
    ratings=Assessments(size=Size.SMALL, risk=Level.HIGH),
    description=Description(context="how it is", solution="how to"),
    summary="planned it",
    answer="the old one",
    asked="which one?",
)
BUILD = Phase(name="build", workflows=("w/build.md",))
FAILED = AttemptRecord(
    id="a",
    item="W-1",
    run="r",
    story="",
    number=1,
    at=0,
    state=AttemptState.FAILED,
    reason="2 tests fail",
    evidence="x" * 50_000 + "\nassert 1 == 2",
)


def prompt(item: Item = ITEM, phase: Phase = BUILD, **more: object) -> str:
    known: dict[str, object] = {
        "folder": "changes/W-1_mend",
        "result_path": "/run/result.json",
        "workflows": phase.workflows,
        **more,
    }
    return phase_prompt(item, phase, **known)  # type: ignore[arg-type]


def triage(item: Item = ITEM, others: tuple[Item, ...] = (), own_tools: bool = False) -> str:
    return triage_prompt(
        item,
        others=others,
        pipelines=RULES.pipelines,
        result_path="/run/result.json",
        own_tools=own_tools,
    )


def headings(text: str) -> list[str]:
    """Return the headings outside code blocks."""
    bare = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"^#+ .*$", bare, flags=re.MULTILINE)


def example(text: str) -> dict[str, object]:
    found = re.search(r"```json\n(.*?)\n```", text, flags=re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def test_a_bare_item_has_the_sections_it_needs() -> None:
    assert headings(prompt()) == [
        "# Autonomous Agent",
        "## Item",
        "## Task",
        "## Structured Output",
    ]


def test_what_is_known_is_told_in_order() -> None:
    text = prompt(FULL, previous=FAILED, guidance=["hurry"], verify=["make test"])
    assert headings(text) == [
        "# Autonomous Agent",
        "## Item",
        "## Current Assessments",
        "## Description",
        "## Previous Phase Summary",
        "## Unblock Context",
        "## Previous Failure",
        "## Guidance from the operator",
        "## Task",
        "## Verification",
        "## Structured Output",
    ]
    for said in (
        "- Size: small",
        "- Risk: high",
        "**Context:**\n\n> how it is",
        "**Solution:**\n\n> how to",
        "> planned it",
        "> which one?",
        "> the old one",
        "> 2 tests fail",
        "> assert 1 == 2",
        "hurry",
        "    make test",
        "changes/W-1_mend/",
    ):
        assert said in text
    assert "**Problem:**" not in text
    assert len(text) < 2 * EVIDENCE + 8_000


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (BUILD, "Follow the workflow in `w/build.md`."),
        (Phase(name="b", workflows=("x.md", "y.md")), "1. `x.md`\n2. `y.md`"),
        (Phase(name="b", prompt="Build it well."), "Build it well."),
        (Phase(name="b"), "what the name of the phase says"),
    ],
)
def test_the_task_is_the_workflows_or_the_prompt(phase: Phase, said: str) -> None:
    assert said in prompt(phase=phase)


def test_an_agent_is_told_not_to_commit_and_where_to_report() -> None:
    for text in (prompt(), triage()):
        assert "do not commit" in text
        assert "```\n/run/result.json\n```" in text
        assert "$ORCHESTRATOR_RESULT" in text


def test_an_agent_with_our_own_tools_reports_by_them_first() -> None:
    for text, more in (
        (prompt(), prompt(own_tools=True)),
        (triage(), triage(own_tools=True)),
    ):
        assert "report_result" not in text
        assert headings(more) == headings(text)
        assert more.index("`report_result`") < more.index("`ask_operator`")
        assert more.index("`ask_operator`") < more.index("$ORCHESTRATOR_RESULT")


def test_the_example_of_a_report_is_one_of_this_phase() -> None:
    assert list(example(prompt())) == [
        "item_id",
        "phase",
        "result",
        "summary",
        "context",
        "asks",
        "updated_assessments",
        "commit_summary",
        "follow_ups",
    ]
    assert example(prompt())["item_id"] == "W-1"
    assert example(prompt())["phase"] == "build"
    assert example(triage())["phase"] == "triage"
    assert set(example(triage())) - set(example(prompt())) == {
        "pipeline_type",
        "duplicates",
        "description",
    }


def test_a_report_that_follows_the_example_is_understood() -> None:
    for text, phase in ((prompt(), "build"), (triage(), "triage")):
        filled = json.loads(
            json.dumps(example(text))
            .replace("small | medium | large", "small")
            .replace("low | medium | high", "low")
            .replace("clarification | decision | approval", "decision")
        )
        result = phase_result(filled, Verdict.COMPLETE, "", item="W-1", phase=phase)
        assert isinstance(result, PhaseResult)
        assert result.ratings.size is Size.SMALL
        assert result.follow_ups[0].ratings.risk is Level.LOW


def test_only_a_phase_is_told_of_parts() -> None:
    for outcome in Outcome:
        assert f"`{outcome.value}`" in prompt()
        assert (f"`{outcome.value}`" in triage()) is (outcome is not Outcome.SUBPHASE)


def test_a_triage_knows_the_backlog_and_the_pipelines() -> None:
    others = (ITEM, Item(id="W-2", title='say "x"', status=Status.IN_PROGRESS))
    text = triage(others=others)
    assert headings(text) == [
        "# Autonomous Triage Agent",
        "## Item to Triage",
        "## Current Backlog",
        "## Available Pipeline Types",
        "## Instructions",
        "## Structured Output",
    ]
    assert '- W-2: "say \\"x\\"" [in_progress]' in text
    assert "- W-1:" not in text
    assert text.index("- `chore`") < text.index("- `feature`")
    assert "_ideas/W-1_mend-the-thing.md" in text


def test_a_huge_backlog_makes_no_huge_prompt() -> None:
    many = tuple(Item(id=f"B-{n}", title="t" * 500) for n in range(OTHERS * 3))
    text = triage(others=many)
    assert text.count("- B-") == OTHERS
    assert len(text) < OTHERS * 250 + 10_000


def test_a_pipeline_says_when_it_is_the_right_one() -> None:
    pipelines = {"fix": Pipeline(name="fix", phases=(BUILD,), description="for bugs")}
    text = triage_prompt(ITEM, others=(), pipelines=pipelines, result_path="/r")
    assert "- `fix`: for bugs" in text
    assert example(text)["pipeline_type"] == "fix"


HOSTILE = st.text(alphabet='#`>\n\r\u2028\x1b ab"{}', max_size=60)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_the_words_of_others_cannot_pose_as_the_prompt(
    title: str, text: str, answer: str, reason: str
) -> None:
    item = Item(
        id="W-1",
        title=title,
        description=Description(context=text, problem=text),
        summary=text,
        answer=answer,
        asked=text,
    )
    failed = AttemptRecord(
        id="a", item="W-1", run="r", story="", number=1, at=0, reason=reason, evidence=text
    )
    made = prompt(item, previous=failed)
    known = prompt(FULL, previous=FAILED)
    assert set(headings(made)) <= set(headings(known))
    assert len(headings(made)) == len(set(headings(made)))
    assert made.count("\n```") == known.count("\n```")
    other = Item(id="W-2", title=title)
    assert len(headings(triage(item, (other,)))) == len(set(headings(triage(item, (other,)))))
