"""Whole runs in the other kinds of workspaces, and with everything carried along."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from orchestrator.guardian import landlock
from tests.gitrepo import fingerprint, git
from tests.scratch import CHANGE, GOOD, Scratch, alive_with, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Scratch, None, None]:
    """A scratch repository; nothing may run from its directory, or with its home, at the end."""
    made = make_scratch(tmp_path)
    yield made
    assert alive_with(str(made.home)) == []


def workspace_settings(scratch: Scratch, text: str) -> None:
    """Add a ``[workspace]`` table to the configuration."""
    with (scratch.path / "orchestrator.toml").open("a") as file:
        file.write(f"[workspace]\n{text}\n")


def test_filtered_files_need_a_worktree_which_survives_kill_9(scratch: Scratch) -> None:
    for kind in ("clean", "smudge"):
        git(scratch.path, "config", "--global", f"filter.rot.{kind}", "tr a-z n-za-m")
    (scratch.path / ".gitattributes").write_text("*.bin filter=rot\n")
    (scratch.path / "x.bin").write_text("secret\n")
    scratch.git("add", ".gitattributes", "x.bin")
    scratch.git("commit", "-qm", "Filtered")
    refused = scratch.orc("run", CHANGE)
    assert refused.code == 2
    assert "'x.bin'" in refused.err
    assert 'mode = "worktree"' in refused.err

    workspace_settings(scratch, 'mode = "worktree"')
    (scratch.path / "README.md").write_text("stashed")
    scratch.git("stash")
    before = fingerprint(scratch.path)
    denied = "for c in ('update-ref refs/heads/main HEAD', 'config a.b c', 'stash clear'):\n"
    denied += "    subprocess.run(['git', *c.split()])\n"
    scratch.worker(
        (denied if landlock.abi() else "") + "assert Path('x.bin').read_text().islower()\n"
        "subprocess.run(['git', 'commit', '-q', '--allow-empty', '-m', 'Mine'], check=True)\n"
        "arrive()\nif story == '1' and number == 1: time.sleep(300)\n"
        "Path('x.bin').write_text('changed ' + story + chr(10))\n" + GOOD
    )
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.arrived("1"))
    kill9(engine)
    listed = scratch.git("worktree", "list")
    assert "detached" in listed
    assert scratch.orc("status").code == 0
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert "weaker boundary" in ran.err
    assert fingerprint(scratch.path) == before
    assert scratch.git("show", f"orchestrator/{CHANGE}:x.bin") == "punatrq 2\n"
    assert "weaker boundary" in scratch.orc("doctor").out
    (lost,) = [a for a in scratch.attempts() if a["state"] == "lost"]
    assert scratch.orc("recover", lost["id"], "--to", str(scratch.home / "kept")).code == 0

    finished = scratch.orc("finish", CHANGE, "--merge")
    assert finished.code == 0, finished.err
    assert (scratch.path / "x.bin").read_text() == "changed 2\n"
    assert scratch.git("status", "--porcelain") == "?? orchestrator.toml\n"
    assert len(scratch.git("worktree", "list").splitlines()) == 1
    assert "worktrees" not in [path.name for path in (scratch.path / ".git").iterdir()] or not any(
        (scratch.path / ".git/worktrees").iterdir()
    )


def test_everything_uncommitted_can_be_carried_and_is_no_conflict_at_the_end(
    scratch: Scratch,
) -> None:
    (scratch.path / ".gitignore").write_text("*.log\n")
    (scratch.path / "old.txt").write_text("old\n")
    scratch.git("add", ".gitignore", "old.txt")
    scratch.git("commit", "-qm", "More")
    (scratch.path / "README.md").write_text("# Edited\n")
    (scratch.path / "old.txt").unlink()
    (scratch.path / "new\nname").write_text("new\n")
    (scratch.path / "x.log").write_text("ignored\n")
    scratch.git("config", "core.autocrlf", "input")
    (scratch.path / "crlf.txt").write_bytes(b"one\r\n")
    (scratch.path / "staged.txt").write_text("staged\n")
    scratch.git("add", "staged.txt")
    scratch.worker(
        "assert not Path('old.txt').exists() and not Path('x.log').exists()\n"
        "Path('README.md').write_text('# Edited' + chr(10) + story + chr(10))\n" + GOOD
    )
    ran = scratch.orc("run", CHANGE, "--carry")
    assert ran.code == 0, ran.err
    assert "left behind" not in ran.err
    first = scratch.git("rev-list", "--reverse", f"main..orchestrator/{CHANGE}").split()[0]
    carried = scratch.git("show", "--format=", "--name-status", "-z", first).split("\0")
    assert {"README.md", "old.txt", "new\nname", "staged.txt"} < set(carried)
    assert "x.log" not in carried
    assert scratch.git("show", f"{first}:crlf.txt") == "one\n"
    finished = scratch.orc("finish", CHANGE, "--merge")
    assert finished.code == 0, finished.err
    assert scratch.git("status", "--porcelain") == ""
    assert (scratch.path / "README.md").read_text() == "# Edited\n2\n"
    assert (scratch.path / "x.log").read_text() == "ignored\n"
    assert not (scratch.path / "old.txt").exists()


IN_PLACE = (
    "assert Path.cwd() == Path('PLACE') and Path('orchestrator.toml').exists()\n"
    "assert subprocess.run(['git', 'symbolic-ref', '-q', 'HEAD']).returncode == 1\n"
    "subprocess.run(['git', 'commit', '-q', '--allow-empty', '-m', 'Mine'], check=True)\n"
    "Path('.env').write_text('worker')\nPath('notes').write_text('worker')\n"
    "arrive()\nif story == '1' and number == 1: Path('half').touch(); time.sleep(300)\n" + GOOD
)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_checkout_worked_in_is_given_back_however_the_run_ends(
    scratch: Scratch, end: str
) -> None:
    (scratch.path / ".gitignore").write_text(".env\n")
    scratch.git("add", ".gitignore")
    scratch.git("commit", "-qm", "Ignore")
    (scratch.path / ".env").write_text("mine\n")
    (scratch.path / "notes").write_text("mine\n")
    workspace_settings(scratch, 'mode = "in-place"')
    scratch.worker(IN_PLACE.replace("PLACE", str(scratch.path)))
    before = fingerprint(scratch.path)
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: (scratch.path / "half").exists())
    if end == "kill":
        kill9(engine)
        assert scratch.orc("status").code == 0
        assert "borrowed this checkout" in scratch.orc("doctor").out
    else:
        engine.send_signal(signal.SIGINT)
        engine.send_signal(signal.SIGINT)
        assert engine.wait(60) == 130
        assert fingerprint(scratch.path) == before
    ran = subprocess.run(
        scratch.command("run", CHANGE), cwd=scratch.path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "in-place" in ran.stderr
    assert fingerprint(scratch.path) == before
    assert scratch.git("show", f"orchestrator/{CHANGE}:two.txt") == "good\n"
    assert "notes" not in scratch.git("ls-tree", "--name-only", f"orchestrator/{CHANGE}")
    (first, *_) = scratch.attempts()
    kept = scratch.git("ls-tree", "--name-only", first["commit"]).splitlines()
    assert first["state"] == ("lost" if end == "kill" else "interrupted")
    assert "half" in kept

    finished = scratch.orc("finish", CHANGE, "--merge")
    assert finished.code == 0, finished.err
    assert (scratch.path / "two.txt").read_text() == "good\n"
    assert (scratch.path / ".env").read_text() == "mine\n"
    assert (scratch.path / "notes").read_text() == "mine\n"


def test_a_failing_baseline_in_place_gives_the_checkout_back(scratch: Scratch) -> None:
    scratch.configure(verify=["touch made-by-verify; false"])
    workspace_settings(scratch, 'mode = "in-place"')
    assert scratch.orc("run", CHANGE).code == 2
    (scratch.path / "README.md").write_text("# Dirty\n")
    refused = scratch.orc("run", CHANGE)
    assert refused.code == 2
    assert "README.md" in refused.err
