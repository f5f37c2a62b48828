"""Promise: what was done on items can be told, followed, named by a beginning, and given away."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.backlog_scratch import PATIENCE, Background, BacklogScratch, make_backlog
from tests.scratch import wait_for
from tests.unit.test_report import balanced, harmless

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

HIDDEN = "Zq7-planted+secret/9x"
SECRETS = {"MY_ODD_TOKEN": HIDDEN}
ASKS = {"report": {"result": "blocked", "context": "Which way?"}}
FAILS = {"report": {"result": "failed", "summary": f"it broke on {HIDDEN}"}}


@pytest.fixture
def scratch(tmp_path: Path) -> BacklogScratch:
    return make_backlog(tmp_path, [{"name": "plan", "commit": "batch"}, "build"], max_concurrent=2)


def test_an_item_is_told_by_its_phases_from_its_idea_to_its_delivery(
    scratch: BacklogScratch,
) -> None:
    scratch.script(
        {
            "Thing/plan": [ASKS, {}],
            "Thing/build": [FAILS, {"report": {"follow_ups": ["Found this"]}, "run": "echo built"}],
        }
    )
    scratch.add({"title": "Thing", "description": "It is slow"}, "Other")
    id = scratch.ids["Thing"]
    end = id.partition("-")[2]

    never = scratch.orc("report", end.upper())
    assert (never.code, "Nothing was done for it yet" in never.out) == (0, True), never.err
    assert "It is slow" in never.out
    none = scratch.orc("logs", end)
    assert (none.code, "no attempt" in none.err) == (2, True)
    assert scratch.orc("tell", end, "mind the gap").code == 0

    ran = scratch.orc("run", "--target", id, env=SECRETS)
    assert ran.code == 4, ran.out + ran.err
    assert "mind the gap" in scratch.prompts("Thing", "triage")[0]
    blocked = scratch.orc("report", end)
    assert f"`{id}`: **blocked, 1 of 3 phases done**" in blocked.out
    assert "`Which way?`: waits for" in blocked.out
    assert scratch.orc("answer", id, "Left").code == 0
    assert scratch.orc("run", "--target", id, env=SECRETS).code == 0
    assert scratch.orc("logs", end).out == scratch.orc("logs", id).out == "built\n"
    assert scratch.orc("diff", end.upper()).out == scratch.orc("diff", id).out != ""
    assert scratch.orc("verify", end, "--verify", "test -f Thing-build.txt").code == 0
    assert scratch.orc("recover", end.upper()).out == scratch.orc("recover", id).out != ""
    assert scratch.orc("finish", end, "--merge").code == 0

    told = scratch.orc("report", end)
    assert f"`{id}`: **delivered, 3 of 3 phases done**" in told.out
    for line in ("| triage | ✓ done | 1 |", "| build | ✓ done, unverified | 2 |", "## Follow-ups"):
        assert line in told.out
    assert "`Which way?`: answered by" in told.out
    assert "item changed" not in told.out + blocked.out
    assert "phase ended" not in told.out
    harmless(told.out)
    (item,) = json.loads(scratch.orc("report", end, "--json").out)["items"]
    assert [(one["name"], one["tries"]) for one in item["phases"]] == [
        ("triage", 1), ("plan", 2), ("build", 2),
    ]  # fmt: skip
    changed = [one["path"] for one in item["phases"][2]["attempts"][-1]["diff"]["files"]]
    assert changed == ["Thing-build.txt"]
    assert item["questions"][0]["answer"] == "Left"
    assert [one["title"] for one in item["follow_ups"]] == ["Found this"]
    page = scratch.home / "report.html"
    assert scratch.orc("report", end, "--html", str(page)).code == 0
    balanced(page.read_text(encoding="utf-8"))
    assert scratch.orc("undo", end).code == 0

    held = bundle(scratch)
    items = [json.loads(line) for line in held["store/items.jsonl"].splitlines()]
    assert {one["title"] for one in items} == {"Thing", "Other", "Found this"}
    whats = [json.loads(line)["what"] for line in held["store/history.jsonl"].splitlines()]
    assert {"added", "answered", "phase"} <= set(whats)
    assert "Test Operator" not in "".join(held.values())
    for text in (told.out, json.dumps(item), page.read_text(), *held.values()):
        assert HIDDEN not in text


def test_logs_follow_phases_side_by_side_with_their_items(scratch: BacklogScratch) -> None:
    scratch.set_up(["plan"], max_concurrent=2, tables={"backlog": {"max_wip": 2}})
    say = "echo says $ORCHESTRATOR_ITEM"
    scratch.script(
        {
            "One/plan": {"run": say, "hold": "one", "then": {"One-plan.txt": "x"}},
            "Two/plan": {"run": say, "hold": "two", "then": {"Two-plan.txt": "x"}},
        }
    )
    scratch.add("One", "Two")
    one, two = scratch.ids["One"], scratch.ids["Two"]
    engine = scratch.background("run")
    scratch.reach("one")
    scratch.reach("two")
    both = follow(scratch, "both")
    mine = follow(scratch, "mine", two.partition("-")[2].upper())
    seen = f"{one} | says {one}\n", f"{two} | says {two}\n"
    wait_for(lambda: all(line in both.output.read_text() for line in seen), PATIENCE)
    scratch.let_go("one")
    scratch.let_go("two")
    assert engine.ended().code == 0
    assert both.ended().code == 0
    told = mine.ended()
    assert (told.code, f"says {two}\n" in told.out) == (0, True)
    assert f"says {one}" not in told.out


def follow(scratch: BacklogScratch, name: str, *arguments: str) -> Background:
    """Start `logs -f`; what it prints goes into a file of this name."""
    output = scratch.home / name
    with output.open("wb") as file:
        process = subprocess.Popen(
            scratch.command("logs", "-f", *arguments),
            cwd=scratch.path,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return Background(process=process, output=output)


def bundle(scratch: BacklogScratch) -> dict[str, str]:
    """Make the archive of a bug report; return its files by their names in it."""
    archive = scratch.home / "bundle.tar.gz"
    made = scratch.orc("doctor", "--bundle", str(archive), env=SECRETS)
    assert made.code == 0, made.err
    with tarfile.open(archive) as opened:
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in opened.getmembers()
            if (file := opened.extractfile(member)) is not None
        }
