"""Promise: whatever a person names, a task list or a task in words, runs through the same loop."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.scratch import Scratch, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes

TODO = """\
# To do

- [ ] Write one
  - [ ] 1.1 and its twin
- [ ] Write two
"""
TICKER = """\
import re
path = Path(open("which").read().strip()) if os.path.exists("which") else Path("TODO.md")
heading = {"write-one": "one", "write-two": "two"}[story]
Path(heading + ".txt").write_text("good\\n")
text = path.read_text()
if heading == "one":
    text = text.replace("[ ] 1.1", "[x] 1.1")
path.write_text(text.replace(f"[ ] Write {heading}", f"[x] Write {heading}"))
complete()
"""


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A repository with an uncommitted TODO.md in place of its OpenSpec change."""
    made = make_scratch(tmp_path, commit_spec=True)
    made.git("rm", "-q", "-r", "openspec")
    made.git("commit", "-q", "-m", "No OpenSpec")
    (made.path / "TODO.md").write_text(TODO)
    made.worker(TICKER)
    return made


def test_todo_list_is_found_carried_and_driven_to_done(scratch: Scratch) -> None:
    listed = json.loads(scratch.orc("list", "--json").out)["changes"]
    assert [(c["id"], c["done"], c["total"]) for c in listed] == [("TODO.md", 0, 3)]
    ran = scratch.orc("run")
    assert ran.code == 0, ran.err
    assert "todo · 2 stories · orchestrator/todo" in ran.err
    assert "carried 1 uncommitted file" in ran.err
    subjects = scratch.git("log", "--format=%s", "orchestrator/todo").splitlines()
    assert subjects[:3] == [
        "todo: write-two Write two",
        "todo: write-one Write one",
        "todo: carry the uncommitted spec",
    ]
    assert "[ ]" not in scratch.git("show", "orchestrator/todo:TODO.md")
    status = json.loads(scratch.orc("status", "--json").out)
    assert [(i["id"], i["title"], i["status"]) for i in status["items"]] == [
        ("todo", "To do", "done")
    ]
    shown = scratch.orc("show", "TODO.md", "--prompt", "write-two")
    assert "tick its box in `TODO.md`" in shown.out
    again = scratch.orc("run", "todo")
    assert (again.code, "0 attempts" in again.out) == (0, True), again.out
    merged = scratch.orc("finish", "TODO.md", "--merge")
    assert merged.code == 0, merged.err
    assert "[x] Write two" in (scratch.path / "TODO.md").read_text()


def test_two_files_of_one_name_are_two_items_and_that_is_said(scratch: Scratch) -> None:
    docs = scratch.path / "docs"
    docs.mkdir()
    (docs / "TODO.md").write_text(TODO)
    (scratch.path / "which").write_text("docs/TODO.md")
    scratch.git("add", "which", "docs")
    scratch.git("commit", "-q", "-m", "Docs")
    first = scratch.orc("run", "docs/TODO.md")
    assert first.code == 0, first.err
    second = scratch.orc("run", "TODO.md", "--dry-run")
    assert "item todo is docs/TODO.md: this one is todo-" in second.out


def test_task_list_that_git_ignores_is_refused(scratch: Scratch) -> None:
    (scratch.path / ".git" / "info" / "exclude").write_text("TODO.md\n")
    ran = scratch.orc("run")
    assert ran.code == 2
    assert "git ignores TODO.md" in ran.err


def test_without_any_spec_every_way_on_is_named(scratch: Scratch) -> None:
    (scratch.path / "TODO.md").unlink()
    for command in (["run"], ["list"], ["show", "x"], ["run", "x"]):
        ran = scratch.orc(*command)
        assert ran.code == 2
        for word in ("openspec", "TODO.md", "--prompt"):
            assert word in ran.err
    missing = scratch.orc("run", "docs/plan.md")
    assert missing.code == 2
    assert "there is no file docs/plan.md" in missing.err


AD_HOC = """\
prompt = Path(os.environ["ORCHESTRATOR_PROMPT_FILE"]).read_text()
Path("fixed.txt").write_text("good\\n" if "The last attempt failed" in prompt else "half\\n")
if "not this time" not in prompt:
    complete()
"""


def test_task_in_words_goes_through_the_same_loop_until_its_command_succeeds(
    scratch: Scratch,
) -> None:
    scratch.worker(AD_HOC)
    text = "# Fix the broken *thing*\n\nAll of it."
    ran = scratch.orc(
        "run",
        "--prompt",
        text,
        "--until",
        "echo looked at fixed.txt; grep good fixed.txt",
        "--json",
    )
    assert ran.code == 0, ran.err
    started, ended = ran.events[0], ran.events[-1]
    item = started["item"]
    assert item.startswith("fix-the-broken-thing-")
    assert started["title"] == "Fix the broken *thing*"
    (failed,) = [event for event in ran.events if event["event"] == "attempt_failed"]
    assert "--until failed" in failed["reason"]
    assert "looked at fixed.txt" in failed["evidence"]
    assert (ended["state"], ended["done"], ended["attempts"]) == ("done", 1, 2)
    assert scratch.git("show", f"orchestrator/{item}:fixed.txt") == "good\n"
    for again in (["--prompt", text], [item]):
        repeated = scratch.orc("run", *again)
        assert (repeated.code, "0 attempts" in repeated.out) == (0, True), repeated.err
    status = json.loads(scratch.orc("status", "--json").out)["items"]
    assert [(i["id"], i["status"]) for i in status] == [(item, "done")]
    assert "+good" in scratch.orc("diff", item).out
    assert scratch.orc("finish", item, "--merge").code == 0
    assert (scratch.path / "fixed.txt").read_text() == "good\n"


def test_task_in_words_from_a_file_is_not_done_when_nothing_changed(scratch: Scratch) -> None:
    scratch.worker("complete()\n")
    (scratch.path / "task.txt").write_text("Think about it")
    ran = scratch.orc("run", "--prompt", "task.txt", "--max-attempts", "1", "--json")
    assert ran.code == 1
    assert ran.events[0]["title"] == "Think about it"
    assert "changed nothing" in ran.events[-1]["reason"]


def test_killed_task_in_words_goes_on_with_the_same_command(scratch: Scratch) -> None:
    scratch.worker("arrive()\nif number == 1: time.sleep(600)\nwrite(); complete()\n")
    command = ["run", "--prompt", "Write it down", "--until", "test -f one.txt"]
    process = scratch.start(*command)
    wait_for(lambda: scratch.arrived("1"))
    kill9(process)
    ran = scratch.orc(*command)
    assert ran.code == 0, ran.err
    assert "continued" in ran.err
    assert "try 2" in ran.err


IMPOSSIBLE: tuple[tuple[list[str], str], ...] = (
    (["--prompt", " "], "empty"),
    (["--prompt", "-"], "empty"),
    (["--prompt", "todo/fix.md"], "no file todo/fix.md"),
    (["--prompt", "do it", "TODO.md"], "exclude each other"),
    (["--prompt", "do it", "--story", "1"], "not for a task in words"),
    (["--prompt", "do it", "--until", " "], "--until names no command"),
    (["--until", "true"], "belongs to --prompt"),
    (["--all", "TODO.md"], "exclude each other"),
    (["--story", "9"], "has no story 9"),
    (["--from", "nope"], "has no story nope"),
    (["--story", "write-one", "--from", "write-one"], "exclude each other"),
    (["TODO.md", "nope", "--step"], "for one change"),
    (["TODO.md", "nope"], "nope"),
    ([""], "the name is empty"),
)


def test_what_cannot_be_meant_is_exit_2_before_anything_starts(scratch: Scratch) -> None:
    for arguments, said in IMPOSSIBLE:
        ran = scratch.orc("run", *arguments)
        assert (ran.code, said in ran.err) == (2, True), (arguments, ran)
    assert not json.loads(scratch.orc("status", "--json").out)["items"]


def test_steps_and_single_stories_pause_with_exit_0_and_name_the_next(scratch: Scratch) -> None:
    one = scratch.orc("run", "--story", "write-two")
    assert one.code == 0, one.err
    assert "partial 1/2 verified" in one.out
    assert "next: write-one Write one" in one.out
    step = scratch.orc("run", "--step")
    assert step.code == 0, step.err
    assert "done 2/2" in step.out
    subjects = scratch.git("log", "-2", "--format=%s", "orchestrator/todo").splitlines()
    assert subjects == ["todo: write-one Write one", "todo: write-two Write two"]


def several(scratch: Scratch) -> None:
    """Make three OpenSpec changes: one that is done, one whose worker fails, one that asks."""
    for name in ("a-good", "b-bad", "c-asks", "d-good"):
        change = scratch.path / "openspec" / "changes" / name
        change.mkdir(parents=True)
        (change / "tasks.md").write_text("## 1. One\n- [ ] 1.1 Do\n")
    (change.parent / "e-empty").mkdir()
    scratch.worker(
        "item = os.environ['ORCHESTRATOR_ITEM']\n"
        "Path(item).write_text('x')\n"
        "path = Path(f'openspec/changes/{item}/tasks.md')\n"
        "path.write_text(path.read_text().replace('[ ]', '[x]'))\n"
        "if item == 'b-bad': print('<promise>FAILED: no</promise>')\n"
        "elif item == 'c-asks': print('<promise>BLOCKED: what?</promise>')\n"
        "else: complete()\n"
    )


def test_several_changes_end_each_as_it_ends_and_the_worst_decides(scratch: Scratch) -> None:
    several(scratch)
    ran = scratch.orc("run", "--all", "--max-attempts", "1", "--json")
    assert ran.code == 1, ran.err
    last = ran.events[-1]
    assert last["event"] == "all_ended"
    assert [(i["item"], i["state"], i["exit_code"]) for i in last["items"]] == [
        ("a-good", "done", 0),
        ("b-bad", "failed", 1),
        ("c-asks", "blocked", 4),
        ("d-good", "done", 0),
    ]
    branches = scratch.git("branch", "--format=%(refname:short)").split()
    assert {"orchestrator/a-good", "orchestrator/d-good"} <= set(branches)


def test_fail_fast_and_a_table_at_the_end(scratch: Scratch) -> None:
    several(scratch)
    ran = scratch.orc("run", "c-asks", "a-good", "--fail-fast")
    assert ran.code == 4, ran.err
    rows = [line.split() for line in ran.out.splitlines()[-3:]]
    assert rows[0] == ["0", "of", "2", "done"]
    assert rows[1][:3] == ["c-asks", "blocked", "0/1"]
    assert rows[2] == ["a-good", "not", "started"]


def test_a_stop_stops_all(scratch: Scratch) -> None:
    several(scratch)
    scratch.worker("arrive(); time.sleep(600)\n")
    process = scratch.start("run", "a-good", "d-good")
    wait_for(lambda: scratch.arrived("1"))
    for signum in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(signum)
    assert process.wait(60) == 130
    items = json.loads(scratch.orc("status", "--json").out)["items"]
    assert [item["id"] for item in items] == ["a-good"]
