"""Promise: what a person says to the backlog is done, told and kept, whoever else speaks."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.desk import Desk, open_desk
from tests.scratch import CHANGE, GOOD, wait_for

ID = re.compile(r"WRK-[0-9a-hjkmnp-tv-z]{5}")


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Generator[Desk, None, None]:
    """A repository whose checkout stays the same, and the command line in this process."""
    with open_desk(tmp_path, capsys, monkeypatch) as opened:
        yield opened


def test_an_item_is_added_and_everything_that_was_said_of_it_is_shown(desk: Desk) -> None:
    first = desk.add("Split", "the", "parser")
    ran = desk.orc(
        "add", "Fix the login", "-d", "Problem: it fails\nSolution: mend it", "--size", "small",
        "--complexity", "low", "--risk", "high", "--impact", "medium", "--priority", "3",
        "--tag", "ui", "--tag", "api", "--needs", first[:7], "--parent", first, "--review",
        env={"ORC_AUTHOR": "Ann"},
    )  # fmt: skip
    id = ID.search(ran.out)
    assert id is not None
    assert ran.out == f"Added {id[0]} — Fix the login\n"
    shown = desk.say("show", id[0])
    assert shown["ratings"] == {
        "size": "small", "complexity": "low", "risk": "high", "impact": "medium",
    }  # fmt: skip
    assert (shown["description"]["problem"], shown["description"]["solution"]) == (
        "it fails",
        "mend it",
    )
    assert (shown["needs"], shown["unmet"], shown["parent"]) == ([first], [first], first)
    assert (shown["tags"], shown["priority"], shown["needs_review"]) == (["ui", "api"], 3, True)
    (added,) = shown["history"]
    assert (added["what"], added["by"], shown["attempts"]) == ("added", "Ann", [])
    page = desk.orc("show", id[0], "--history").out
    for text in ("Fix the login", f"{first} (new)", "it fails", "size small", "by Ann", "ui, api"):
        assert text in page
    other = desk.say("show", first)
    assert (other["dependents"], other["children"]) == ([id[0]], [id[0]])


def test_many_are_added_at_once_all_or_none(desk: Desk, tmp_path: Path) -> None:
    titles = tmp_path / "ideas.md"
    titles.write_text("# Ideas\n\n- [ ] One\n- [x] done before\n- Two\n  Three, too  \n\n")
    ran = desk.orc("add", "-f", str(titles), "--tag", "idea")
    assert [line.partition(" — ")[2] for line in ran.out.splitlines()] == [
        "One",
        "Two",
        "Three, too",
    ]
    assert [item["tags"] for item in desk.items()] == [["idea"]] * 3
    lines = '{"title": "A", "key": "a"}\n\n{"title": "B", "needs": ["a"], "size": "large"}\n'
    one, two = desk.say("add", "-f", "-", stdin=lines)["items"]
    assert (two["needs"], two["ratings"]["size"]) == ([one["id"]], "large")
    as_list = json.dumps([{"title": "C"}, {"title": "D", "parent": one["id"]}], indent=1)
    assert len(desk.say("add", "-f", "-", stdin=as_list)["items"]) == 2
    assert len(desk.items()) == 7
    half = '{"title": "E"}\n{"title": "F", "needs": ["nothing"]}\n'
    assert desk.orc("add", "-f", "-", stdin=half).code == 2
    assert len(desk.items()) == 7


def test_items_are_listed_in_order_with_what_they_wait_for(desk: Desk) -> None:
    low, high, blocked = (desk.add(title) for title in ("Low", "High", "Blocked"))
    needing = desk.add("Needing", "--needs", low)
    desk.orc("edit", high, "--priority", "5", "--impact", "high")
    desk.orc("hold", blocked, "--reason", "Wait for Ann")
    desk.orc("claim", low, "--by", "Bob")
    assert [item["title"] for item in desk.items()] == ["Blocked", "High", "Low", "Needing"]
    assert [item["title"] for item in desk.items("--ready")] == ["High"]
    assert [item["id"] for item in desk.items("--only", "impact=h,m")] == [high]
    text = desk.orc("list").out
    assert "asks: Wait for Ann" in text
    assert f"needs {low}" in text
    assert "claimed by Bob" in text
    assert f"{CHANGE}" in text  # the spec's changes follow
    assert desk.orc("close", low, "--reason", "no use").code == 0
    assert low not in {item["id"] for item in desk.items()}
    assert low in {item["id"] for item in desk.items("--all")}
    assert {item["id"] for item in desk.items("--ready")} == {high, needing}
    wrong = desk.orc("list", "--only", "imapct=high")
    assert (wrong.code, "did you mean impact?" in wrong.err) == (2, True)


@pytest.mark.parametrize("columns", ["40", "61", "100"])
def test_no_line_is_wider_than_the_terminal_and_no_colour_is_in_a_pipe(
    desk: Desk, columns: str
) -> None:
    id = desk.add("A title that is quite long and has 漢字 in it, so that it has to be cut " * 2)
    desk.add("Second", "--needs", id, "--size", "small", "--risk", "low", "--impact", "high")
    desk.orc("hold", id, "--reason", "A reason that is long as well, and has to be cut too " * 3)
    for command in (["list"], ["status"], ["show", id, "--history"]):
        ran = desk.orc(*command, env={"COLUMNS": columns, "NO_COLOR": "1"})
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out
        lines = ran.out.splitlines()
        assert lines
        if command != ["list"]:
            lines = [line for line in lines if "orc " not in line]  # commands are to be copied
        assert all(len(line) <= int(columns) for line in lines), ran.out


def test_an_item_is_edited_and_only_what_was_named_changes(desk: Desk) -> None:
    one, two = desk.add("One", "--tag", "t"), desk.add("Two")
    item = desk.say(
        "edit", two, "--title", "Second", "--needs", one, "--parent", one, "--size", "large",
        "--review", "-d", "Because.",
    )  # fmt: skip
    assert (item["title"], item["needs"], item["parent"]) == ("Second", [one], one)
    assert (item["ratings"]["size"], item["needs_review"]) == ("large", True)
    item = desk.say("edit", two, "--needs", "none", "--parent", "none")
    assert (item["needs"], item["parent"], item["title"]) == ([], None, "Second")
    assert desk.say("edit", two, "--no-review")["needs_review"] is False
    assert desk.say("edit", one, "--tag", "none")["tags"] == []
    assert "Because." in desk.orc("show", two).out


def test_an_item_is_moved_answered_and_completed_by_a_person(desk: Desk) -> None:
    id = desk.add("Thing", "--review")
    moved = desk.orc("move", id)
    assert f"orc answer {id} --yes" in moved.out
    assert desk.orc("answer", id, "some words").code == 2
    assert desk.say("answer", id, "--yes")["status"] == "ready"
    assert desk.say("move", id, "--to", "build")["phase"] == "build"
    assert desk.say("advance", id)["phase"] == "review"
    assert desk.say("hold", id, "--reason", "Ask Ann")["status"] == "blocked"
    held = desk.orc("status")
    assert "Ask Ann" in held.out
    assert f"orc retry {id}" in held.out
    answered = desk.say("unblock", id, "--notes", "Ann says yes")
    assert (answered["status"], answered["answer"]) == ("in_progress", "Ann says yes")
    assert desk.orc("hold", id, "--reason", "Again").code == 0
    assert desk.say("retry", id)["status"] == "in_progress"
    done = desk.say("complete", id, "--summary", "I did the rest")
    assert (done["status"], done["reason"]) == ("done", "I did the rest")
    told = desk.orc("worklog").out
    assert f"— {id} (Thing)" in told
    assert "- **Summary:** I did the rest" in told
    assert desk.orc("worklog", "--month", "2001-01").out == ""
    whats = [row["what"] for row in desk.say("show", id)["history"]]
    assert whats[0] == "added"
    assert whats[-1] == "completed"


def test_force_takes_a_reason_and_who_approved_it(desk: Desk) -> None:
    id = desk.add("Thing", "--review")
    assert desk.orc("move", id, "--to", "build", "--force").code == 2
    forced = desk.say(
        "move", id, "--to", "build", "--force", "--reason", "It burns", "--approved-by", "Eve",
    )  # fmt: skip
    assert forced["status"] == "in_progress"
    assert "approved by Eve: It burns" in desk.orc("show", id, "--history").out


def test_a_claimed_item_is_given_back(desk: Desk) -> None:
    id = desk.add("Thing")
    assert desk.say("claim", id, env={"ORC_AUTHOR": "Ann"})["claim"]["by"] == "Ann"
    assert "claimed by Ann" in desk.orc("claim", id, "--by", "Bob").err
    assert desk.say("claim", id, "--release")["claim"] is None


def test_a_duplicate_goes_into_the_other_one(desk: Desk) -> None:
    one, two = desk.add("One"), desk.add("Two", "-d", "Two things.")
    closed = desk.say("close", two, "--duplicate-of", one)
    assert (closed["status"], one in closed["reason"]) == ("closed", True)
    assert "Two things." in json.dumps(desk.say("show", one)["description"])


def test_a_unique_beginning_is_enough_and_anything_less_is_refused(desk: Desk) -> None:
    lines = "".join(
        json.dumps({"id": id, "title": id, "created": 1, "updated": 1}) + "\n"
        for id in ("WRK-001", "WRK-0012", "tg-1rh14")
    )
    (desk.home / "old.jsonl").write_text(lines)
    taken = desk.say("import", str(desk.home / "old.jsonl"))
    assert sorted(taken["imported"]) == ["WRK-001", "WRK-0012", "tg-1rh14"]
    assert desk.say("show", "TG")["id"] == "tg-1rh14"
    assert desk.say("edit", "1rh", "--priority", "1")["id"] == "tg-1rh14"
    assert desk.say("show", "WRK-001")["id"] == "WRK-001"
    ambiguous = desk.orc("hold", "WRK-00", "--reason", "x")
    assert (ambiguous.code, "WRK-001, WRK-0012" in ambiguous.err) == (2, True)
    near = desk.orc("hold", "WRK-0013", "--reason", "x", "--json")
    assert json.loads(near.out)["code"] == "unknown-item"
    assert json.loads(near.out)["fix"] == "did you mean WRK-001 or WRK-0012?"


@pytest.mark.processes
@pytest.mark.timeout(300)
@pytest.mark.parametrize("many", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_none_is_lost_when_many_add_at_the_same_time(desk: Desk, many: int) -> None:
    adding = [
        subprocess.Popen(
            desk.command("add", f"Item {number}"),
            cwd=desk.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(many)
    ]
    for process in adding:
        out, err = process.communicate(timeout=280)
        assert (process.returncode, out.startswith("Added WRK-")) == (0, True), err
    assert {item["title"] for item in desk.items()} == {f"Item {n}" for n in range(many)}


def test_a_repository_without_a_spec_has_a_backlog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_desk(tmp_path, capsys, monkeypatch, spec=False) as desk:
        assert desk.orc("list").code == 2
        desk.add("Thing")
        ran = desk.orc("list")
        assert (ran.code, "Thing" in ran.out) == (0, True), ran.err


@pytest.mark.processes
def test_what_is_said_while_a_run_goes_on_is_done_by_its_engine(desk: Desk) -> None:
    desk.worker(
        "arrive()\nwhile not Path(os.environ['HOME'], '.cache', 'go').exists():\n"
        "    time.sleep(0.02)\n" + GOOD
    )
    engine = desk.start("run", CHANGE)
    try:
        wait_for(lambda: desk.arrived("1") or engine.poll() is not None)
        id = desk.add("Thing", "-d", "Said meanwhile.")
        assert desk.say("hold", id, "--reason", "Ask Ann")["status"] == "blocked"
        wrong = desk.orc("add", "x", "--needs", "WRK-nothing", "--json")
        assert (wrong.code, json.loads(wrong.out)["code"]) == (2, "unknown-item")
        items = {item["id"]: item["kind"] for item in desk.say("status")["items"]}
        assert items == {id: "item", CHANGE: "change"}
        assert engine.poll() is None
        (Path(os.environ["HOME"]) / ".cache" / "go").touch()
        assert engine.wait(timeout=60) == 0
    finally:
        engine.kill()
        engine.wait()
    assert [item["id"] for item in desk.items()] == [id]


def test_status_counts_what_was_not_begun_and_finds_it_by_name(desk: Desk) -> None:
    assert "nothing has been run here yet" in desk.orc("status").out
    id = desk.add("Thing")
    assert desk.orc("status").out == "backlog: 1 new.  orc list\n"
    document = desk.say("status")
    assert (document["items"], document["backlog"]["new"]) == ([], 1)
    (item,) = desk.say("status", id[4:])["items"]
    wanted = "id title kind status phase story attempt branch blocked"
    assert set(wanted.split()) <= item.keys()
    assert (item["id"], item["kind"], item["status"]) == (id, "item", "new")


def test_why_says_what_stops_an_item_and_what_to_say(desk: Desk) -> None:
    need = desk.add("Need")
    id = desk.add("Thing", "--needs", need)
    waiting = desk.say("why", id)
    assert need in waiting["because"]
    assert waiting["say"][0]["command"] == f"orc why {need}"
    desk.orc("hold", need, "--reason", "Ask Ann")
    held = desk.say("why", need)
    assert "Ask Ann" in held["because"]
    commands = [row["command"] for row in held["say"]]
    assert f"orc retry {need}" in commands
    assert "Ask Ann" in desk.orc("why", need).out
    assert "not started" in desk.orc("why", CHANGE).out


def test_what_was_imported_is_exported_and_known_the_second_time(desk: Desk) -> None:
    ids = [desk.add(f"Item {number}") for number in range(3)]
    desk.orc("hold", ids[0], "--reason", "Ask Ann")
    out = desk.home / "out.jsonl"
    assert desk.say("export", str(out))["items"] == 3
    assert desk.orc("export").out == out.read_text()
    again = desk.say("import", str(out))
    assert (again["imported"], sorted(again["known"])) == ([], sorted(ids))
    with open_desk(desk.home / "other", desk.capsys, desk.monkeypatch) as other:
        dry = other.say("import", str(out), "--dry-run")
        assert (sorted(dry["imported"]), other.items()) == (sorted(ids), [])
        assert sorted(other.say("import", str(out))["imported"]) == sorted(ids)
        assert other.items() == desk.items()
        place = desk.home / "golem"
        place.mkdir()
        files = desk.say("export", str(place), "--format", "task-golem")["files"]
        assert [Path(file).name for file in files] == ["tasks.jsonl", "archive.jsonl"]
        assert sorted(other.say("import", str(place))["known"]) == sorted(ids)


def test_nothing_of_a_malformed_backlog_is_imported(desk: Desk) -> None:
    desk.add("Thing")
    out = desk.home / "out.jsonl"
    assert desk.orc("export", str(out)).code == 0
    lines = out.read_text().replace("Thing", "Another").replace("WRK-", "XYZ-")
    out.write_text(lines + '{"id": "XYZ-1", "title": 3}\n')
    ran = desk.orc("import", str(out))
    assert (ran.code, "line 3" in ran.err) == (2, True), ran.err
    assert [item["title"] for item in desk.items()] == ["Thing"]


def test_more_is_imported_than_one_frame_holds(desk: Desk) -> None:
    out = desk.home / "many.jsonl"
    text = "é" * 200
    out.write_text(
        "".join(
            json.dumps({"id": f"M-{n}", "title": text, "created": 1, "updated": 1}) + "\n"
            for n in range(2_000)
        )
    )
    assert len(desk.say("import", str(out))["imported"]) == 2_000


def test_completion_offers_the_ids_of_open_items(desk: Desk) -> None:
    one, two = desk.add("One"), desk.add("Two")
    desk.orc("close", two, "--reason", "no")
    assert desk.orc("completion", "--list", "items").out.split() == [one]
    assert desk.orc("completion", "--list", "both").out.split() == [one, CHANGE]
    script = desk.orc("completion", "bash").out
    assert "answer)" in script
    assert "unblock" not in script
