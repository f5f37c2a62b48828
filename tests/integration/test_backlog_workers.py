"""Promise: agents, commands, functions and the stories of a change do the phases of an item."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.backlog_scratch import WORKER, Phases, make_backlog

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

FUNCTION = """\
from pathlib import Path
def check(task):
    assert task.prompt
    Path("called.txt").write_text(task.phase)
    return {"summary": "looked at " + task.item, "commit_summary": "Look at it"}
"""
STORIES = """\
## 1. First

- [ ] 1.1 Write one.txt

## 2. Second

- [ ] 2.1 Write two.txt
"""
TICK = 'sed -i "s/- \\[ \\] $ORCHESTRATOR_STORY\\./- [x] $ORCHESTRATOR_STORY./" {path}'


def test_each_phase_has_its_worker(tmp_path: Path) -> None:
    other = [sys.executable, "-I", "-S", "-B", str(WORKER), "{place}", "{prompt_file}"]
    phases: Phases = [
        {"name": "plan", "workflows": ["flows/a plan.md"]},
        {"name": "shell", "command": "echo \"$ORCHESTRATOR_ITEM\" > 'by shell.txt'"},
        {"name": "call", "call": "tools.checks:check"},
        {"name": "other", "agent": "other", "prompt": "Do it otherwise."},
    ]
    scratch = make_backlog(tmp_path, phases)
    argv = [part.replace("{place}", str(scratch.place)) for part in other]
    environment = {"kind": "command", "argv": argv, "env": {"WHO": "other"}}
    scratch.set_up(phases, tables={"agents.other": environment})
    for name, text in (("flows/a plan.md", "Plan."), ("tools/checks.py", FUNCTION)):
        (scratch.path / name).parent.mkdir()
        (scratch.path / name).write_text(text)
    scratch.git("add", "tools")
    scratch.git("commit", "-qm", "Tools")
    scratch.script({"other": {"run": 'test "$WHO" = other && echo "$WHO" > who.txt'}})
    scratch.add("One")
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.subjects("One") == [
        "[ID][plan] Do plan",
        "[ID][shell] Phase output",
        "[ID][call] Look at it",
        "[ID][other] Do other",
    ]
    branch, id = scratch.branch("One"), scratch.ids["One"]
    assert scratch.git("show", f"{branch}:by shell.txt") == f"{id}\n"
    assert scratch.git("show", f"{branch}:called.txt") == "call"
    assert scratch.git("show", f"{branch}:who.txt") == "other\n"
    (plan,) = scratch.prompts("One", "plan")
    assert f"Follow the workflow in `{scratch.path / 'flows/a plan.md'}`." in plan
    (told,) = scratch.prompts("One", "other")
    assert "Do it otherwise." in told
    assert f"looked at {id}" in told


def test_a_phase_works_through_the_stories_that_an_earlier_one_wrote(tmp_path: Path) -> None:
    path = "plans/{item}/tasks.md"
    phases: Phases = ["spec", {"name": "build", "spec": path}, "review"]
    scratch = make_backlog(tmp_path, phases)
    scratch.add("Stories")
    tasks = path.replace("{item}", scratch.ids["Stories"])
    done = {"status": "complete", "result": None, "item_id": None, "phase": None}
    scratch.script(
        {
            "spec": {"write": {tasks: STORIES}},
            "build": {
                "write": {},
                "run": f"echo x > $ORCHESTRATOR_STORY.txt; {TICK.format(path=tasks)}",
                "report": done,
            },
        }
    )
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    id = scratch.ids["Stories"]
    assert scratch.subjects("Stories") == [
        "[ID][spec] Do spec",
        "ID: 1 First",
        "ID: 2 Second",
        "[ID][review] Do review",
    ]
    assert scratch.changed(f"{scratch.branch('Stories')}~") == ["2.txt", tasks]
    assert scratch.items()["Stories"]["status"] == "done"
    assert id in ran.err


@pytest.mark.slow
def test_phases_that_cannot_even_be_tried_end_the_run_before_it_comes_to_all(
    tmp_path: Path,
) -> None:
    scratch = make_backlog(tmp_path, [{"name": "stories", "spec": "plans/{item}/tasks.md"}])
    scratch.add("One", "Two", "Last")
    assert scratch.orc("triage").code == 0
    ran = scratch.orc("run")
    assert ran.code == 1, ran.out + ran.err
    items = scratch.items()
    assert [items[title]["status"] for title in scratch.ids] == ["blocked", "blocked", "ready"]
    assert "let an earlier phase write it" in items["One"]["question"]["text"]


@pytest.mark.slow
def test_verify_decides_and_a_time_limit_kills_the_tree(tmp_path: Path) -> None:
    phases = [
        {"name": "plan", "verify": False},
        {"name": "build", "retries": 1},
        {"name": "slow", "timeout": "1s", "retries": 1},
    ]
    scratch = make_backlog(tmp_path, phases, verify=["! grep -rq bad --include='*.txt' ."])
    child = "setsid sleep 300 > /dev/null 2>&1 &"
    scratch.script(
        {
            "One/plan": {"write": {"note.md": "bad\n"}},
            "One/build": [{"write": {"one.txt": "bad\n"}}, {}],
            "One/slow": [{"run": child, "hold": "never"}, {}],
        }
    )
    scratch.add("One")
    ran = scratch.orc("run", "--json")
    assert ran.code == 0, ran.out + ran.err
    failed = [event for event in ran.events if event["event"] == "attempt_failed"]
    assert [event["reason"] for event in failed] == [
        "verify failed: ! grep -rq bad --include='*.txt' . (exit 1)",
        "the attempt took longer than 1 s",
    ]
    verified = {e["phase"]: e["verified"] for e in ran.events if e["event"] == "phase_ended"}
    assert verified == {"triage": False, "plan": False, "build": True, "slow": True}
    assert scratch.no_worker()
