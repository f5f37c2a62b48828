"""Promise: what an item waits for is told, answered and gone on with; failures are bounded."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.backlog_scratch import BacklogScratch, make_backlog

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

FAILED = {"write": {"junk.txt": "junk\n"}, "report": {"result": "failed", "summary": "no idea"}}
BAD_RESULTS = {
    "other item": ({"report": {"item_id": "WRK-other"}}, "item_id: expected"),
    "other phase": ({"report": {"phase": "deploy"}}, "phase: expected 'triage'"),
    "unknown status": ({"report": {"result": "finished"}}, '"result" is not'),
    "null follow-ups": ({"report": {"follow_ups": {}}}, "follow_ups: expected a list"),
    "wrong rating": ({"report": {"updated_assessments": {"size": "XL"}}}, "size: expected"),
    "half-written": ({"odd": "half"}, "not JSON"),
    "FIFO": ({"odd": "fifo"}, "not a regular file"),
    "directory": ({"odd": "directory"}, "not a regular file"),
    "symlink": ({"odd": "symlink"}, "symbolic link"),
    "huge": ({"odd": "huge"}, "larger than 1 MiB"),
    "late": (
        {
            "run": "(trap '' HUP; sleep 20; echo '{\"status\": \"complete\"}' > "
            '"$ORCHESTRATOR_RESULT") > /dev/null 2>&1 &',
            "report": None,
            "exit": 7,
        },
        "exited with 7",
    ),
}


@pytest.fixture
def scratch(tmp_path: Path) -> BacklogScratch:
    return make_backlog(tmp_path, ["build"])


def test_a_result_that_cannot_be_used_is_a_failed_attempt_that_says_why(
    scratch: BacklogScratch,
) -> None:
    scratch.script({f"{name}/triage": [step, {}] for name, (step, _) in BAD_RESULTS.items()})
    scratch.add(*BAD_RESULTS)
    ran = scratch.orc("triage", "--json", "--max-concurrent", "2")
    assert ran.code == 0, ran.out + ran.err
    assert set(scratch.statuses().values()) == {"ready"}
    failures = {
        event["title"].split()[0]: event["reason"]
        for event in ran.events
        if event["event"] == "attempt_failed"
    }
    for name, (_, reason) in BAD_RESULTS.items():
        assert reason in failures[scratch.ids[name]], (name, failures[scratch.ids[name]])
    assert scratch.begun("build") == []
    assert scratch.no_worker()


def test_a_failing_phase_is_retried_then_waits_and_the_others_go_on(
    scratch: BacklogScratch,
) -> None:
    scratch.script({"Bad/build": [FAILED, FAILED, {}]})
    scratch.add({"title": "Bad", "priority": 1}, "Good")
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    assert scratch.statuses() == {"Bad": "blocked", "Good": "done"}
    first, second = scratch.prompts("Bad", "build")
    assert "Previous Failure" not in first
    assert "Previous Failure" in second
    assert "> no idea" in second
    bad = scratch.show("Bad")
    assert bad["question"]["cause"] == "failed"
    assert "failed after 2 attempts" in bad["question"]["text"]
    assert [one["state"] for one in bad["attempts"]] == ["verified", "failed", "failed"]
    assert scratch.subjects("Bad") == []
    pinned = [entry for entry in scratch.attempts() if entry["state"] == "failed"]
    assert all(scratch.git("show", f"{one['commit']}:junk.txt") == "junk\n" for one in pinned)

    asked = scratch.orc("answer", scratch.ids["Bad"], "Use", "the", "force")
    assert asked.code == 0, asked.err
    assert scratch.orc("run").code == 0
    last = scratch.prompts("Bad", "build")[-1]
    assert "> Use the force" in last
    assert "Previous Failure" not in last
    assert scratch.subjects("Bad") == ["[ID][build] Do build"]
    assert scratch.changed(scratch.branch("Bad")) == ["Bad-build.txt"]


@pytest.mark.slow
def test_two_failures_in_a_row_end_the_run_and_retry_begins_afresh(
    scratch: BacklogScratch,
) -> None:
    scratch.script(
        {"One/triage": [FAILED, FAILED, {}], "Two/triage": [FAILED, FAILED, {}], "build": {}}
    )
    scratch.add("One", "Two", "Three")
    ran = scratch.orc("run", "--json")
    assert ran.code == 1, ran.out + ran.err
    assert ran.events[-1]["halt"] == "circuit_breaker"
    assert scratch.begun() == ["One/triage", "One/triage", "Two/triage", "Two/triage"]
    for title in ("One", "Two"):
        assert scratch.orc("retry", scratch.ids[title]).code == 0
    assert scratch.statuses() == {"One": "new", "Two": "new", "Three": "new"}
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert set(scratch.statuses().values()) == {"done"}


@pytest.mark.slow
def test_questions_are_shown_answered_and_told_to_the_next_worker(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["plan", "build"])
    question = {"result": "blocked", "context": "Which colour?\nRed or blue?"}
    approval = {"result": "blocked", "context": "May I drop the table?", "asks": "approval"}
    scratch.script(
        {
            "Colour/plan": [{"report": question}, {}],
            "Table/plan": [{"report": approval}, {}],
            "Never/plan": {"report": approval},
        }
    )
    scratch.add("Colour", "Table", "Never", "Other")
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    assert scratch.statuses() == {
        "Colour": "blocked",
        "Table": "blocked",
        "Never": "blocked",
        "Other": "done",
    }
    shown = scratch.orc("status").out
    assert "Which colour?" in shown
    assert "May I drop the table?" in shown
    assert f"orc answer {scratch.ids['Table']} --yes" in shown
    assert "Which colour?" in scratch.orc("show", scratch.ids["Colour"]).out
    why = scratch.orc("why", scratch.ids["Colour"])
    assert "Which colour?" in why.out, why.out + why.err

    refused = scratch.orc("answer", scratch.ids["Table"], "sure")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert scratch.orc("answer", scratch.ids["Table"], "--yes").code == 0
    assert scratch.orc("answer", scratch.ids["Never"], "--no", "too", "risky").code == 0
    assert scratch.orc("retry", scratch.ids["Colour"]).code == 2
    assert scratch.orc("answer", scratch.ids["Colour"], "Blue").code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    items = scratch.items()
    assert (items["Never"]["status"], items["Never"]["reason"]) == ("closed", "too risky")
    assert items["Colour"]["status"] == items["Table"]["status"] == "done"
    prompt = scratch.prompts("Colour", "plan")[-1]
    assert "> Which colour?" in prompt
    assert "> Blue" in prompt
    assert "> Blue" not in scratch.prompts("Colour", "build")[-1] or "asked" in prompt
    assert "> yes" in scratch.prompts("Table", "plan")[-1]


@pytest.mark.slow
def test_what_is_too_big_waits_for_approval_wherever_its_ratings_change(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["plan", "build"], pipelines={"chore": {"phases": ["do"]}})
    large = {"report": {"updated_assessments": {"size": "large", "risk": "low"}}}
    scratch.script(
        {
            "Large/triage": large,
            "Grows/plan": large,
            "Late/build": large,
            "Chore/triage": {"report": {"pipeline_type": "chore"}},
            "Lost/triage": {"report": {"pipeline_type": "nonsense"}},
        }
    )
    reviewed = {"title": "Reviewed", "needs_review": True}
    scratch.add("Large", "Grows", "Late", reviewed, "Chore", "Lost")
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    items = scratch.items()
    waiting = {
        title: (item["phase"], item["question"]["asks"], item["question"]["cause"])
        for title, item in items.items()
        if item["status"] == "blocked"
    }
    assert waiting == {
        "Large": (None, "approval", "guardrails"),
        "Grows": ("build", "approval", "guardrails"),
        "Reviewed": (None, "approval", "review"),
        "Lost": (None, "decision", "configuration"),
    }
    assert "size large (at most medium)" in items["Large"]["question"]["text"]
    assert items["Late"]["status"] == items["Chore"]["status"] == "done"
    assert scratch.begun("do") == ["Chore/do"]
    for title in ("Large", "Grows", "Reviewed"):
        assert scratch.orc("answer", scratch.ids[title], "--yes").code == 0
    assert scratch.orc("edit", scratch.ids["Lost"], "--pipeline", "chore").code == 0
    assert scratch.orc("move", scratch.ids["Lost"], "--to", "do").code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert set(scratch.statuses().values()) == {"done"}
    assert scratch.begun("plan").count("Grows/plan") == 1
    assert scratch.begun("triage").count("Large/triage") == 1


def test_a_phase_done_in_parts_is_repeated_with_a_fresh_allowance(scratch: BacklogScratch) -> None:
    part = {"result": "subphase_complete", "commit_summary": "Do a part"}
    scratch.script(
        {
            "Parts/build": [
                {"write": {"1.txt": "1"}, "report": part},
                FAILED,
                {"write": {"2.txt": "2"}, "report": part},
                FAILED,
                {"write": {"3.txt": "3"}},
            ]
        }
    )
    scratch.add("Parts")
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.subjects("Parts") == [
        "[ID][build] Do a part",
        "[ID][build] Do a part",
        "[ID][build] Do build",
    ]
    assert "## Previous Phase Summary" in scratch.prompts("Parts", "build")[1]


@pytest.mark.slow
def test_gates_hold_back_and_send_back(tmp_path: Path) -> None:
    plan = {"name": "plan", "leave": [{"file": "plans/{item}.md", "contains": "Steps"}]}
    build = {"name": "build", "enter": [{"absent": "STOP"}, {"command": "test ! -e no.txt"}]}
    scratch = make_backlog(tmp_path, [plan, build])
    scratch.add("Left", "Held")
    texts = {f"plans/{id}.md": "Steps\n" for id in scratch.ids.values()}
    scratch.script(
        {
            "Left/plan": [{}, {"write": texts}],
            "Held/plan": {"write": {**texts, "STOP": "", "no.txt": ""}},
        }
    )
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    items = scratch.items()
    assert items["Left"]["status"] == "done"
    assert "is missing; it has to be there" in scratch.prompts("Left", "plan")[1]
    assert items["Held"]["question"]["cause"] == "gate"
    for told in ("STOP matches STOP", "test ! -e no.txt"):
        assert told in items["Held"]["question"]["text"]
    assert "Held/build" not in scratch.begun()


@pytest.mark.slow
def test_an_item_whose_branch_a_person_moved_waits_with_the_command_to_go_on(
    tmp_path: Path,
) -> None:
    scratch = make_backlog(tmp_path, ["plan", "build"])
    asks = [{"report": {"result": "blocked", "context": "Go on?"}}, {}]
    scratch.script({"build": asks})
    scratch.add("Deleted", "Renamed", "Amended", "Added")
    assert scratch.orc("run").code == 4
    branches = {title: scratch.branch(title) for title in scratch.ids}
    tips = {title: scratch.git("rev-parse", name).strip() for title, name in branches.items()}
    scratch.git("branch", "-qD", branches["Deleted"])
    scratch.git("branch", "-m", branches["Renamed"], "mine")
    tree = tips["Amended"] + "^{tree}"
    other = scratch.git("commit-tree", tree, "-p", "main", "-m", "Amended by me").strip()
    scratch.git("branch", "-f", branches["Amended"], other)
    tree = tips["Added"] + "^{tree}"
    more = scratch.git("commit-tree", tree, "-p", tips["Added"], "-m", "More by me").strip()
    scratch.git("branch", "-f", branches["Added"], more)
    for title in scratch.ids:
        assert scratch.orc("answer", scratch.ids[title], "yes").code == 0
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    items = scratch.items()
    assert items["Added"]["status"] == "done"
    assert scratch.subjects("Added") == ["[ID][plan] Do plan", "More by me", "[ID][build] Do build"]
    for title in ("Deleted", "Renamed", "Amended"):
        question = items[title]["question"]
        assert question["cause"] == "parked", question
        # What it says is what helps.
        command = re.search(r"git (branch [^;\n]*)", question["text"])
        assert command is not None, question["text"]
        scratch.git(*command[1].split())
        assert scratch.git("rev-parse", branches[title]).strip() == tips[title]
        assert scratch.orc("retry", scratch.ids[title]).code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.subjects("Amended") == ["[ID][plan] Do plan", "[ID][build] Do build"]
    assert scratch.git("rev-parse", "mine").strip() == tips["Renamed"]


@pytest.mark.slow
def test_needed_work_that_does_not_go_together_waits_for_who_merges_it(
    scratch: BacklogScratch,
) -> None:
    scratch.script({f"{t}/build": {"write": {"same.txt": f"{t}\n"}} for t in ("One", "Two")})
    scratch.add("One", "Two", {"title": "Both", "needs": ["One", "Two"]})
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    question = scratch.items()["Both"]["question"]
    two = scratch.branch("Two")
    for told in ("'same.txt'", f"into branch {two}", f"orc retry {scratch.ids['Both']}"):
        assert told in question["text"]
    scratch.git("worktree", "add", "-q", "../side", two)
    scratch.git("-C", "../side", "merge", "-q", "-X", "ours", "-m", "Mend", scratch.branch("One"))
    scratch.git("worktree", "remove", "../side")
    assert scratch.orc("retry", scratch.ids["Both"]).code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.subjects("Both", two) == ["[ID][build] Do build"]


def test_what_is_wrong_is_told_at_once_and_nothing_is_begun(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    scratch.add("One")
    scratch.set_up(
        [
            {"name": "plan", "workflows": ["no/such.md"]},
            {"name": "build", "agent": "nobody"},
            {"name": "check", "call": "nowhere.at:all"},
        ]
    )
    ran = scratch.orc("run")
    assert ran.code == 2
    for told in ("no/such.md", "nobody", "nowhere", "pipelines.feature.phases.0.workflows"):
        assert told in ran.err
    document = json.loads(scratch.orc("run", "--json").out)
    assert (document["code"], document["message"][:10]) == ("preflight", "3 problems")
    assert scratch.begun() == []
    assert scratch.statuses() == {"One": "new"}
