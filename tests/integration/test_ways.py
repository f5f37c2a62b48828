"""Promise: whatever a person names, a task list or a task in words, runs through the same loop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.scratch import Scratch, make_scratch

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
    assert "carried 1 spec file" in ran.err
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
