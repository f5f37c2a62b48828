"""Promise: `run` drives a change to done, checks every result itself, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.gitrepo import fingerprint
from tests.scratch import CHANGE, GOOD, Scratch, alive_with, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Scratch, None, None]:
    """A scratch repository whose checkout must be the same afterwards."""
    made = make_scratch(tmp_path)
    before = fingerprint(made.path)
    yield made
    settings = f"file {os.fsencode(made.path / 'orchestrator.toml')!r}"
    after = fingerprint(made.path)
    assert {**after, settings: None} == {**before, settings: None}
    wait_for(lambda: not alive_with(str(made.home / "worker.py")))


def test_change_is_driven_to_done_story_by_story(scratch: Scratch) -> None:
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert scratch.log() == [
        "Start",
        f"{CHANGE}: carry the uncommitted spec",
        f"{CHANGE}: 1 First",
        f"{CHANGE}: 2 Second",
    ]
    body = scratch.git("log", "-1", "--format=%B", f"orchestrator/{CHANGE}")
    for trailer in (f"Item: {CHANGE}", "Phase: build", "Story: 2", "Verified: yes"):
        assert f"Orchestrator-{trailer}" in body
    assert scratch.git("show", f"orchestrator/{CHANGE}:two.txt") == "good\n"
    assert "done 2/2 verified" in ran.out
    assert scratch.git("status", "--porcelain") == "?? openspec/\n?? orchestrator.toml\n"


def test_run_as_json_lines(scratch: Scratch) -> None:
    ran = scratch.orc("run", CHANGE, "--json")
    assert ran.code == 0, ran.err
    names = [event["event"] for event in ran.events]
    assert names[0] == "run_started"
    assert names.count("story_verified") == 2
    assert ran.events[-1]["event"] == "run_ended"
    assert ran.events[-1]["state"] == "done"


def test_failed_verification_is_fed_back_restored_and_pinned(scratch: Scratch) -> None:
    scratch.worker(
        "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
        "assert not Path('two.txt').exists() or story == '1'\n"
        "if story == '2' and 'The last attempt failed' not in prompt:\n"
        "    write('bad\\n'); Path('junk.bin').write_bytes(b'\\0' * 10); tick(); complete()\n"
        "else:\n    " + GOOD
    )
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    failed = [entry for entry in scratch.attempts() if entry["state"] == "failed"]
    assert [entry["story"] for entry in failed] == ["2"]
    assert "verify failed" in failed[0]["reason"]
    assert scratch.git("show", f"{failed[0]['commit']}:two.txt") == "bad\n"
    assert scratch.git("show", f"{failed[0]['commit']}:junk.bin") == "\0" * 10
    tree = scratch.git("ls-tree", "--name-only", f"orchestrator/{CHANGE}")
    assert "junk.bin" not in tree


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("write(); complete()\n", "1.1"),
        ("complete()\n", "changed nothing"),
        ("write(); tick(); print('<promise>FAILED: no idea</promise>')\n", "no idea"),
        ("write(); tick(); sys.exit(3)\n", "3"),
        ("raise SystemExit(0)\n", "changed nothing"),
        (
            "write(); tick(); p = Path('openspec/changes/add-things/tasks.md')\n"
            "p.write_text(p.read_text().replace('Write one', 'Skip one')); complete()\n",
            "1.1",
        ),
        (
            "write(); tick(); p = Path('openspec/changes/add-things/tasks.md')\n"
            "p.write_text(p.read_text().replace('[ ]', '[x]')); complete()\n",
            "another story",
        ),
        ("write(); tick(); subprocess.run(['git', 'init', '-q', 'inner'])\ncomplete()\n", "inner"),
    ],
)
def test_claim_without_proof_fails_and_is_bounded(scratch: Scratch, body: str, reason: str) -> None:
    scratch.worker(body)
    ran = scratch.orc("run", CHANGE, "--max-attempts", "2", "--json")
    assert ran.code == 1, ran.err
    failures = [event for event in ran.events if event["event"] == "attempt_failed"]
    assert len(failures) == 2
    assert all(reason in event["reason"] for event in failures), failures
    assert scratch.log()[-1] == f"{CHANGE}: carry the uncommitted spec"


@pytest.mark.parametrize(
    "body",
    [
        "subprocess.run(['git', 'add', '-A'])\nwrite(); tick()\n"
        "subprocess.run('git -c user.name=a -c user.email=b commit -qam m', shell=True)\n"
        "complete()\n",
        "subprocess.run(['git', 'checkout', '-q', '-b', 'elsewhere'])\n" + GOOD,
        "import shutil; shutil.rmtree('.git')\n" + GOOD,
        "print('\\x1b]0;owned\\x07' * 1000)\n" + GOOD,
    ],
    ids=["commits", "switches branch", "deletes .git", "prints escapes"],
)
def test_odd_but_honest_workers_still_deliver(scratch: Scratch, body: str) -> None:
    scratch.worker(body)
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.err + ran.out
    assert scratch.log()[-2:] == [f"{CHANGE}: 1 First", f"{CHANGE}: 2 Second"]


def test_blocked_worker_parks_the_run_and_a_new_run_goes_on(scratch: Scratch) -> None:
    scratch.worker("write(); print('<promise>BLOCKED: which colour?</promise>')\n")
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 4
    assert "which colour?" in ran.out
    status = json.loads(scratch.orc("status", "--json").out)
    assert status["items"][0]["blocked"] == "which colour?"
    scratch.worker(GOOD)
    assert scratch.orc("run", CHANGE).code == 0


def test_what_one_story_learned_is_told_to_the_next(scratch: Scratch) -> None:
    scratch.worker(
        "import json\n"
        "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
        "if story == '2': Path('seen.txt').write_text(str('mind the gap' in prompt))\n"
        "write(); tick()\n"
        "result = {'status': 'complete', 'learnings': 'mind the gap'}\n"
        "Path(os.environ['ORCHESTRATOR_RESULT']).write_text(json.dumps(result))\n"
    )
    assert scratch.orc("run", CHANGE).code == 0
    assert scratch.git("show", f"orchestrator/{CHANGE}:seen.txt") == "True"
    assert "mind the gap" in scratch.orc("show", CHANGE, "--prompt", "2").out


def test_commit_of_a_person_during_the_run_is_adopted(scratch: Scratch) -> None:
    scratch.worker(
        "if story == '1': arrive()\n"
        "while story == '1' and not Path(os.environ['HOME'], '.cache', 'go').exists():\n"
        "    time.sleep(0.05)\n" + GOOD
    )
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.arrived("1"))
    tip = f"orchestrator/{CHANGE}"
    mine = scratch.git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "Mine").strip()
    scratch.git("update-ref", f"refs/heads/{tip}", mine)
    (Path(os.environ["HOME"]) / ".cache" / "go").touch()
    assert engine.wait(timeout=30) == 0
    assert scratch.log()[-3:] == ["Mine", f"{CHANGE}: 1 First", f"{CHANGE}: 2 Second"]


def test_attempt_timeout_kills_and_counts(scratch: Scratch) -> None:
    scratch.worker("subprocess.Popen(['setsid', 'sleep', '300']); time.sleep(300)\n")
    ran = scratch.orc("run", CHANGE, "--attempt-timeout", "1s", "--max-attempts", "1")
    assert ran.code == 1
    assert "longer than 1 s" in ran.err + ran.out


def test_kill_9_then_the_same_command_carries_on(scratch: Scratch) -> None:
    scratch.worker(
        "arrive()\nif story == '2' and number == 1:\n    write('half'); time.sleep(300)\n" + GOOD
    )
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.arrived("2"))
    kill9(engine)
    wait_for(lambda: not alive_with(str(scratch.home / "worker.py")))
    ran = scratch.orc("run", CHANGE, "--json")
    assert ran.code == 0, ran.err
    assert ran.events[0]["continued"] is True
    assert scratch.log()[-2:] == [f"{CHANGE}: 1 First", f"{CHANGE}: 2 Second"]
    lost = [entry for entry in scratch.attempts() if entry["state"] == "lost"]
    assert [entry["story"] for entry in lost] == ["2"]
    assert scratch.git("show", f"{lost[0]['commit']}:two.txt") == "half"


def test_second_instance_is_refused(scratch: Scratch) -> None:
    scratch.worker("arrive(); time.sleep(300)\n")
    engine = scratch.start("run", CHANGE)
    try:
        wait_for(lambda: scratch.arrived("1"))
        ran = scratch.orc("run", CHANGE)
        assert ran.code == 2
        assert "another orchestrator" in ran.err
        status = json.loads(scratch.orc("status", "--json").out)
        assert status["items"][0]["status"] == "in progress"
        assert status["items"][0]["story"] == "1"
    finally:
        kill9(engine)


def test_second_request_cancels_and_counts_nothing(scratch: Scratch) -> None:
    scratch.worker("arrive()\nif story + str(number) == '11': time.sleep(300)\n" + GOOD)
    engine = scratch.start("run", CHANGE, "--max-attempts", "1")
    wait_for(lambda: scratch.arrived("1"))
    engine.send_signal(signal.SIGINT)
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(timeout=20) == 130
    assert [entry["state"] for entry in scratch.attempts()] == ["interrupted"]
    ran = scratch.orc("run", CHANGE, "--max-attempts", "1")
    assert ran.code == 0, ran.err


def test_first_request_interrupts_after_its_grace_and_counts_nothing(scratch: Scratch) -> None:
    scratch.worker("arrive()\nif story + str(number) == '11': time.sleep(300)\n" + GOOD)
    engine = scratch.start("run", CHANGE, "--max-attempts", "1")
    wait_for(lambda: scratch.arrived("1"))
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=40) == 130
    assert [entry["state"] for entry in scratch.attempts()] == ["interrupted"]
    assert scratch.orc("run", CHANGE, "--max-attempts", "1").code == 0


def test_what_verify_leaves_is_told_and_not_committed(scratch: Scratch) -> None:
    scratch.configure(verify=["echo trace > left.txt; echo more >> README.md"])
    ran = scratch.orc("run", CHANGE, "--baseline", "skip")
    assert ran.code == 0, ran.err
    assert "left.txt" in ran.err
    assert "left.txt" not in scratch.git("ls-tree", "--name-only", f"orchestrator/{CHANGE}")
    assert scratch.git("show", f"orchestrator/{CHANGE}:README.md") == "# Project\n"


@pytest.mark.slow
@pytest.mark.parametrize("when", ["baseline", "verify"])
def test_one_request_ends_checks_after_its_grace(scratch: Scratch, when: str) -> None:
    mark = Path(os.environ["HOME"]) / ".cache" / "checking"
    scratch.configure(verify=[f"touch {mark}; sleep 300"])
    more = ["--baseline", "skip"] if when == "verify" else []
    engine = scratch.start("run", CHANGE, *more)
    wait_for(mark.exists)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=25) == 130
    states = [entry["state"] for entry in scratch.attempts()]
    assert states == (["interrupted"] if when == "verify" else [])


def test_directory_that_a_worker_made_read_only_wedges_nothing(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    if os.geteuid() == 0:
        # The superuser may write anywhere: what an ordinary user meets shows only without that.
        scratch.prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    scratch.worker(
        "if story == '1':\n"
        "    os.makedirs('cache/ro', exist_ok=True); Path('cache/ro/f').write_text('x')\n"
        "    os.chmod('cache/ro', 0o555)\n"
        "    if number == 1: sys.exit(1)\n" + GOOD
    )
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert scratch.git("show", f"orchestrator/{CHANGE}:cache/ro/f") == "x"
    scratch.orc("finish", CHANGE, "--merge")
    assert json.loads(scratch.orc("status", "--json").out)["items"][0]["status"] == "delivered"


def test_run_that_merges_says_so_once(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    ran = scratch.orc("run", CHANGE, "--finish", "merge")
    assert ran.code == 0, ran.err
    assert "untouched" not in ran.out
    assert ran.out.count("; main +") == 1
    assert (scratch.path / "two.txt").exists()
    assert scratch.orc("status", "--json").out.count('"delivered"') == 1


def test_failing_baseline_starts_no_agent(scratch: Scratch) -> None:
    scratch.configure(verify=["echo broken project; exit 7"])
    scratch.worker("arrive()\n")
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 2
    assert "broken project" in ran.err
    assert not scratch.arrived("1")


def test_editable_install_in_the_active_environment_gives_no_false_green(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path, commit_spec=True)
    package = scratch.path / "src" / "thing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("answer = 42\n")
    scratch.git("add", "src")
    scratch.git("commit", "-q", "-m", "Thing")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python3*/site-packages"))
    (site / "__editable__.thing.pth").write_text(f"{scratch.path / 'src'}\n")
    check = (
        "python3 -c 'import sys; sys.path.append(\"src\"); import thing; assert thing.answer == 42'"
    )
    scratch.configure(verify=[check])
    scratch.worker("Path('src/thing/__init__.py').write_text('answer = 41\\n')\n" + GOOD)
    active = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    ran = scratch.orc("run", CHANGE, "--max-attempts", "1", env=active)
    assert ran.code == 1, ran.err
    assert "verify failed" in ran.err + ran.out


def test_finish_merges_into_the_checkout_it_came_from(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    (scratch.path / "mine.txt").write_text("not finished\n")
    assert scratch.orc("run", CHANGE).code == 0
    ran = scratch.orc("finish", CHANGE, "--merge")
    assert ran.code == 0, ran.err
    assert (scratch.path / "two.txt").read_text() == "good\n"
    assert scratch.git("status", "--porcelain") == "?? mine.txt\n?? orchestrator.toml\n"
    assert "- [x] 2.1" in (scratch.path / f"openspec/changes/{CHANGE}/tasks.md").read_text()
    assert "orchestrator/" not in scratch.git("branch", "--list")


def test_branch_that_a_person_has_checked_out_is_left_alone(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    assert scratch.orc("run", CHANGE).code == 0
    scratch.git("worktree", "add", "-q", "../side", f"orchestrator/{CHANGE}")
    again = scratch.orc("run", CHANGE)
    assert again.code == 2
    assert "side" in again.err
    assert scratch.orc("finish", CHANGE, "--merge").code == 0
    assert scratch.git("-C", "../side", "status", "--porcelain") == ""
    assert f"orchestrator/{CHANGE}" in scratch.git("branch", "--list")
    assert scratch.orc("finish", CHANGE, "--merge").code == 0


def test_finish_that_conflicts_changes_nothing(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    assert scratch.orc("run", CHANGE).code == 0
    (scratch.path / "one.txt").write_text("theirs\n")
    scratch.git("add", "one.txt")
    scratch.git("commit", "-q", "-m", "Theirs")
    before = fingerprint(scratch.path)
    ran = scratch.orc("finish", CHANGE, "--merge")
    assert ran.code == 4
    assert "one.txt" in ran.err
    assert fingerprint(scratch.path) == before


def test_diff_logs_show_and_list(scratch: Scratch) -> None:
    scratch.worker("print('this is story', story)\n" + GOOD)
    assert scratch.orc("run", CHANGE).code == 0
    assert "+good" in scratch.orc("diff", CHANGE).out
    assert "two.txt" in scratch.orc("diff", CHANGE, "--stat").out
    unknown = scratch.orc("status", "nope")
    assert (unknown.code, f"known: {CHANGE}" in unknown.err) == (2, True)
    assert "this is story 2\n" in scratch.orc("logs").out
    assert "this is story 2\n" in scratch.orc("logs", CHANGE).out
    shown = json.loads(scratch.orc("show", CHANGE, "--json").out)
    assert [story["id"] for story in shown["stories"]] == ["1", "2"]
    assert "Write one.txt" in scratch.orc("show", CHANGE, "--prompt", "1").out
    listed = json.loads(scratch.orc("list", "--json").out)
    assert listed["changes"][0]["id"] == CHANGE
