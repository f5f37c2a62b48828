"""kill -9 anywhere in a command: the same one, or the one it then names, gets to the same end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.finished import BRANCH, make_finished, user_content
from tests.gitrepo import fingerprint, git
from tests.scratch import CHANGE, Scratch, alive_with, make_scratch, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.slow]

KILLS = 8
"""Points of a command at which it is killed, evenly spread."""

COMMANDS = [
    ("clone", "run", CHANGE),
    ("worktree", "run", CHANGE),
    ("in-place", "run", CHANGE),
    ("clone", "run", CHANGE, "--finish", "squash"),
    ("clone", "finish", CHANGE, "--merge"),
    ("clone", "finish", CHANGE, "--squash"),
    ("clone", "finish", CHANGE, "--apply"),
    ("clone", "finish", CHANGE, "--discard"),
    ("clone", "undo", CHANGE),
]


def prepare(directory: Path, cache: Path, mode: str, command: tuple[str, ...]) -> Scratch:
    """Make the repository that a command is given in, with work of its user in it."""
    if command[0] == "run":
        made = make_scratch(directory, commit_spec=True)
        if mode != "clone":
            config = made.path / "orchestrator.toml"
            config.write_text(f'{config.read_text()}[workspace]\nmode = "{mode}"\n')
    else:
        made = make_finished(directory, cache)
    (made.path / ".git/info/exclude").write_text("orchestrator.toml\nignored.txt\n")
    for name in ("mine.txt", "ignored.txt", "staged.txt", "stashed.txt"):
        (made.path / name).write_text(f"{name}\n")
    made.git("add", "stashed.txt")
    made.git("stash", "push", "-q", "--", "stashed.txt")
    if mode != "in-place":
        made.git("add", "staged.txt")
    if command[0] == "undo":
        ran = made.orc("finish", CHANGE, "--squash")
        assert ran.code == 0, ran.err
    return made


def copy(made: Scratch, directory: Path) -> Scratch:
    """Return the same repository at another place."""
    shutil.copytree(made.home, directory, symlinks=True)
    other = attrs.evolve(made, home=directory, path=directory / made.path.name)
    other.git("update-index", "-q", "--refresh")
    config = other.path / "orchestrator.toml"
    config.write_text(config.read_text().replace(str(made.home), str(directory)))
    return other


def killed(made: Scratch, step: int, command: tuple[str, ...]) -> list[str]:
    """Give a command that dies at a step, by its number; return the names of all it came to."""
    log = made.home / "steps.log"
    argv = [sys.executable, "-m", "tests.killing_anywhere", str(step), str(log), *command]
    done = subprocess.run(
        argv,
        cwd=made.path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    steps = log.read_text().splitlines()
    log.unlink()
    assert done.returncode == (-9 if step else 0), done.stderr
    return steps


def given(made: Scratch, *command: str) -> None:
    """Give a command as its user would, and the one that a refusal names."""
    argv = made.command(*command)
    done = subprocess.run(
        argv, cwd=made.path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    named = done.stderr.partition("complete it: orc ")[2].partition(";")[0].split()
    if done.returncode == 2 and named:
        given(made, *named)
    elif done.returncode != 0:
        assert (command[0], done.returncode) == ("undo", 2), done.stderr
        assert "no delivery" in done.stderr


def found(made: Scratch) -> dict[str, object]:
    """Return everything that has to be the same however often a command was killed."""
    root = repr(bytes(made.path))[:-1]
    content = {
        name.replace(root, ""): value
        for name, value in user_content(fingerprint(made.path)).items()
        if name.startswith("file ") and "orchestrator.toml" not in name
    }
    state = made.path / ".git" / "orchestrator"
    branch = made.git("for-each-ref", "--format=%(refname:short)", f"refs/heads/{BRANCH}")
    return {
        **content,
        "status": git(made.path, "status", "--porcelain", "-uall", "--ignored"),
        "stash": git(made.path, "stash", "list", "--format=%T"),
        "HEAD": git(made.path, "symbolic-ref", "HEAD"),
        "main": git(made.path, "log", "--format=%s %T", "main"),
        "branch": git(made.path, "log", "--format=%s %T", branch.strip()) if branch else "",
        "fsck": git(made.path, "fsck", "--no-dangling", "--no-progress"),
        "locks": {path.name for path in (made.path / ".git").rglob("*.lock")} - {"engine.lock"},
        "left": [name for name in ("landing.json", "borrowed", "commit.index", "commit.message")
                 if (state / name).exists()],
        "state": [item["status"] for item in json.loads(made.orc("status", "--json").out)["items"]],
    }  # fmt: skip


@pytest.mark.parametrize("named", COMMANDS, ids=" ".join)
def test_killed_anywhere_it_gets_to_the_same_end(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, named: tuple[str, ...]
) -> None:
    mode, *command = named
    argv = tuple(command)
    start = prepare(tmp_path / "start", tmp_path_factory.mktemp("finished"), mode, argv)
    undisturbed = copy(start, tmp_path / "undisturbed")
    steps = killed(undisturbed, 0, argv)
    wanted = found(undisturbed)
    points = range(1, len(steps) + 1, -(-len(steps) // KILLS))
    for step in points:
        made = copy(start, tmp_path / str(step))
        what = killed(made, step, argv)[-1]
        given(made, *argv)
        at = f"killed at step {step} of {len(steps)}: {what}"
        assert found(made) == wanted, at
        wait_for(lambda home=made.home: alive_with(f"{home}/") == [])
        shutil.rmtree(made.home)
    print(f"{' '.join(named)}: killed at {len(points)} of {len(steps)} steps")
