"""Promise: bad input gets a clear error with a way on, the right exit code, and no traceback."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scratch import CHANGE, GOOD, Scratch, alive_with, make_scratch, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return make_scratch(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "add-thing"], CHANGE),
        (["run", "../x"], "cannot be the name"),
        (["run", CHANGE, "--agent", "nobody"], "no agent nobody"),
        (["run", CHANGE, "--max-attempts", "0"], "max-attempts"),
        (["run", CHANGE, "--max-cost", "nan"], "max-cost"),
        (["run", CHANGE, "--attempt-timeout", "soon"], "soon"),
        (["-c", "missing.toml", "run", CHANGE], "no such file"),
        (["-C", "missing", "run", CHANGE], "no such directory"),
        (["run", "--frob"], "--frob"),
        (["finish", CHANGE, "--merge"], "no item"),
        (["diff", CHANGE], "no item"),
        (["logs", "x"], "no attempt"),
        (["show", CHANGE, "--prompt", "9"], "no story 9"),
        (["frob"], "frob"),
    ],
)
def test_usage_errors_are_exit_2(scratch: Scratch, arguments: list[str], said: str) -> None:
    ran = scratch.orc(*arguments)
    assert ran.code == 2, ran.err
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [["run", "nope"], ["run", "--frob"], ["show", "nope"]])
def test_errors_are_documents_under_json(scratch: Scratch, arguments: list[str]) -> None:
    ran = scratch.orc(*arguments, "--json")
    assert ran.code == 2
    assert json.loads(ran.out).keys() == {"version", "code", "message", "where", "fix"}


def test_repository_states_that_cannot_be_worked_on(tmp_path: Path, scratch: Scratch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "git repository" in scratch.orc("-C", str(empty), "run").err
    subprocess.run(["git", "init", "-q", str(empty)], check=True)
    unborn = scratch.orc("-C", str(empty), "run")
    assert unborn.code == 2
    assert "commit" in unborn.err
    (scratch.path / ".git" / "MERGE_HEAD").write_text(scratch.git("rev-parse", "HEAD"))
    merging = scratch.orc("run", CHANGE)
    assert merging.code == 2
    assert "merge" in merging.err
    for reading in (["list"], ["show", CHANGE], ["recover"], ["status"]):
        assert scratch.orc(*reading).code == 0


@pytest.mark.parametrize("tasks", [None, "", "# nothing\n", "## 1. Empty\n\ntext\n"])
def test_change_without_tasks(scratch: Scratch, tasks: str | None) -> None:
    path = scratch.path / "openspec" / "changes" / CHANGE / "tasks.md"
    path.unlink()
    if tasks is not None:
        path.write_text(tasks)
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 2
    assert "tasks.md" in ran.err
    assert "- [ ]" in ran.err


def test_detached_head_runs_and_says_where_it_cannot_merge(scratch: Scratch) -> None:
    scratch.git("checkout", "-q", "--detach")
    assert scratch.orc("run", CHANGE).code == 0
    ran = scratch.orc("finish", CHANGE, "--merge")
    assert ran.code == 2
    assert "detached" in ran.err


def test_no_identity_is_a_warning(scratch: Scratch) -> None:
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "EMAIL": ""}
    for role in ("AUTHOR", "COMMITTER"):
        nobody |= {f"GIT_{role}_NAME": "", f"GIT_{role}_EMAIL": ""}
    ran = scratch.orc("run", CHANGE, env=nobody)
    assert ran.code == 0, ran.err
    author = scratch.git("log", "-1", "--format=%an <%ae>", f"orchestrator/{CHANGE}")
    assert author.strip() == "Orchestrator <orchestrator@localhost>"


def test_branch_in_the_way_is_named_and_kept(scratch: Scratch) -> None:
    scratch.git("branch", "orchestrator")
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 2
    assert "orchestrator" in ran.err
    scratch.git("branch", "-d", "orchestrator")
    scratch.git("branch", f"orchestrator/{CHANGE}")
    tip = scratch.git("rev-parse", f"orchestrator/{CHANGE}")
    assert scratch.orc("run", CHANGE).code == 2
    assert scratch.git("rev-parse", f"orchestrator/{CHANGE}") == tip


@pytest.mark.slow
def test_command_that_answers_and_never_exits_is_ended(scratch: Scratch) -> None:
    scratch.worker(
        "write(); tick()\n"
        "Path(os.environ['ORCHESTRATOR_RESULT']).write_text('{\"status\": \"complete\"}')\n"
        "if story == '1': time.sleep(600)\n"
    )
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err


def test_run_goes_on_when_nobody_reads_it(scratch: Scratch) -> None:
    scratch.worker(GOOD)
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        scratch.command("run", CHANGE, "--json"),
        cwd=scratch.path,
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert scratch.log()[-1] == f"{CHANGE}: 2 Second"


def test_state_that_cannot_be_written_is_an_error_not_a_traceback(scratch: Scratch) -> None:
    ran = scratch.orc("run", CHANGE, env={"XDG_STATE_HOME": "/proc/nope"})
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "/proc/nope" in ran.err


def hanging_git(directory: Path, command: str) -> dict[str, str]:
    """Return a PATH on which git hangs at ``command``, or always when that is ""."""
    directory.mkdir()
    script = (
        f'#!/bin/sh\n[ -z "{command}" ] && exec sleep 600\n'
        f'for word in "$@"; do [ "$word" = "{command}" ] && exec sleep 600; done\n'
        f'exec {shutil.which("git")} "$@"\n'
    )
    (directory / "git").write_text(script)
    (directory / "git").chmod(0o755)
    return {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


def test_git_that_hangs_is_ended_before_anything_is_planned(
    scratch: Scratch, tmp_path: Path
) -> None:
    env = hanging_git(tmp_path / "hanging", "")
    ran = scratch.orc("run", CHANGE, "--command-timeout", "1s", env=env, timeout=30)
    assert ran.code == 1
    assert "did not finish within 1 s" in ran.err


@pytest.mark.parametrize("command", ["update-ref", "merge-tree", "read-tree"])
def test_git_that_hangs_in_finish_is_ended_and_the_next_finish_delivers(
    scratch: Scratch, tmp_path: Path, command: str
) -> None:
    assert scratch.orc("run", CHANGE).code == 0
    (scratch.path / "other.md").write_text("other\n")
    scratch.git("add", "other.md")
    scratch.git("commit", "-q", "-m", "Other")
    arguments = ("finish", CHANGE, "--merge", "--command-timeout", "1s")
    ran = scratch.orc(*arguments, env=hanging_git(tmp_path / "hanging", command), timeout=60)
    assert ran.code == 1, ran.out + ran.err
    assert "did not finish within 1 s" in ran.err
    again = scratch.orc("finish", CHANGE, "--merge")
    assert again.code == 0, again.err
    assert (scratch.path / "two.txt").exists()
    assert scratch.git("status", "--porcelain") == "?? orchestrator.toml\n"


def test_second_finish_says_it_is_delivered(scratch: Scratch) -> None:
    assert scratch.orc("run", CHANGE).code == 0
    assert scratch.orc("finish", CHANGE, "--merge").code == 0
    again = scratch.orc("finish", CHANGE, "--merge")
    assert again.code == 0
    assert "already delivered: main is at" in again.out
    assert "delivered" in scratch.orc("status").out


def test_what_a_person_added_to_the_branch_is_verified_before_it_lands(scratch: Scratch) -> None:
    assert scratch.orc("run", CHANGE).code == 0
    scratch.git("worktree", "add", "-q", "../side", f"orchestrator/{CHANGE}")
    side = scratch.home / "side"
    (side / "worse.txt").write_text("bad\n")
    scratch.git("-C", str(side), "add", "worse.txt")
    scratch.git("-C", str(side), "commit", "-q", "-m", "Worse")
    scratch.git("worktree", "remove", str(side))
    ran = scratch.orc("finish", CHANGE, "--merge")
    assert ran.code == 4
    assert "fails" in ran.err
    assert scratch.git("log", "--format=%s", "main").splitlines() == ["Start"]


def test_demo_does_not_touch_the_repository_of_an_inherited_git_dir(scratch: Scratch) -> None:
    before = scratch.git("log", "--all", "--format=%H")
    ran = scratch.orc("demo", env={"GIT_DIR": str(scratch.path / ".git")}, timeout=90)
    assert ran.code == 0, ran.err
    assert scratch.git("log", "--all", "--format=%H") == before


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_demo_leaves_nothing(tmp_path: Path, stop: signal.Signals) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    demo = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "demo"],
        env={**os.environ, "TMPDIR": str(place)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "story 1, try 1" in line:
            break
    demo.send_signal(stop)
    _, err = demo.communicate(timeout=40)
    assert demo.returncode == 130, err
    assert "Traceback" not in err
    assert list(place.glob("orchestrator-demo-*")) == []
    wait_for(lambda: not alive_with(str(place)))


def test_answer_in_the_spec_reaches_a_blocked_story(scratch: Scratch) -> None:
    scratch.worker(
        "notes = Path('openspec/changes/add-things/proposal.md').read_text()\n"
        "if story == '2' and 'blue' not in notes:\n"
        "    print('<promise>BLOCKED: which colour?</promise>')\n"
        "else:\n    " + GOOD
    )
    assert scratch.orc("run", CHANGE).code == 4
    proposal = scratch.path / "openspec" / "changes" / CHANGE / "proposal.md"
    proposal.write_text("# Add things\n\nIn blue.\n")
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert scratch.log()[-2:] == [f"{CHANGE}: carry the changed spec", f"{CHANGE}: 2 Second"]


def test_failed_attempt_can_be_brought_back(scratch: Scratch, tmp_path: Path) -> None:
    scratch.worker("write('bad\\n'); Path('a b').write_text('odd'); tick(); complete()\n")
    assert scratch.orc("run", CHANGE, "--max-attempts", "1").code == 1
    (attempt,) = scratch.attempts()
    target = tmp_path / "back"
    ran = scratch.orc("recover", attempt["id"], "--to", str(target))
    assert ran.code == 0, ran.err
    assert (target / "one.txt").read_text() == "bad\n"
    assert (target / "a b").read_text() == "odd"
    assert scratch.orc("recover", attempt["id"], "--to", str(target)).code == 2


def test_full_disk_is_an_error_and_nothing_is_lost(scratch: Scratch, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user cannot mount a small disk")
    try:
        scratch.worker("Path('fill').write_bytes(b'x' * 2_000_000); tick(); complete()\n")
        env = {"XDG_STATE_HOME": str(small)}
        ran = scratch.orc("run", CHANGE, "--max-attempts", "1", env=env)
        assert ran.code == 1
        assert "Traceback" not in ran.err
        scratch.worker(GOOD)
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        again = scratch.orc("run", CHANGE, "--max-attempts", "3", env=env)
        assert again.code == 0, again.err
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_gigabyte_without_a_newline_costs_no_memory(scratch: Scratch) -> None:
    scratch.worker(
        "if story == '1':\n"
        "    for _ in range(1024): sys.stdout.buffer.write(b'x' * (1 << 20))\n"
        "    print()\n" + GOOD
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    ran = scratch.orc("run", CHANGE, timeout=240)
    assert ran.code == 0, ran.err
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(used, 150_000)
