"""Runs where the spec lies below the root, or in a submodule or a linked worktree."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from tests.gitrepo import git
from tests.scratch import CHANGE, GOOD, TASKS, Scratch, alive_with, make_scratch

pytestmark = pytest.mark.processes


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Scratch, None, None]:
    """A scratch repository; nothing may run from its directory, or with its home, at the end."""
    made = make_scratch(tmp_path)
    yield made
    assert alive_with(str(made.home)) == []


def add_spec(scratch: Scratch, below: str) -> None:
    """Commit the scratch change below another directory."""
    change = scratch.path / below / "openspec" / "changes" / CHANGE
    change.mkdir(parents=True)
    (change / "proposal.md").write_text("# Add things\n\nBecause.\n")
    (change / "tasks.md").write_text(TASKS)
    scratch.git("add", "--", below)
    scratch.git("commit", "-qm", f"Spec in {below}")


def test_set_up_verify_and_workers_run_where_the_spec_lies(scratch: Scratch) -> None:
    (scratch.path / "openspec").rename(scratch.home / "away")
    add_spec(scratch, "-web app")
    add_spec(scratch, "api")
    scratch.configure(verify=["test -d openspec", "! grep -rq bad --include='*.txt' ."])
    several = scratch.orc("run", CHANGE)
    assert several.code == 2
    assert "-web app" in several.err
    assert "api" in several.err
    scratch.worker("assert Path('openspec').is_dir()\n" + GOOD)
    inside = scratch.path / "-web app" / "deep"
    inside.mkdir()
    ran = scratch.orc("-C", str(inside), "run", CHANGE)
    assert ran.code == 0, ran.err
    changed = scratch.git("diff", "--name-only", f"main..orchestrator/{CHANGE}").splitlines()
    assert set(changed) == {
        "-web app/one.txt",
        "-web app/two.txt",
        f"-web app/openspec/changes/{CHANGE}/tasks.md",
    }
    finished = scratch.orc("finish", CHANGE, "--merge")
    assert finished.code == 0, finished.err
    assert (scratch.path / "-web app/two.txt").exists()


def test_a_linked_worktree_is_a_checkout_like_any_other(scratch: Scratch) -> None:
    linked = scratch.home / "linked"
    scratch.git("worktree", "add", "-q", "-b", "side", str(linked))
    (scratch.path / "openspec").rename(linked / "openspec")
    (scratch.path / "orchestrator.toml").rename(linked / "orchestrator.toml")
    there = attrs.evolve(scratch, path=linked)
    head = scratch.git("rev-parse", "main")
    ran = there.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert "side@" in ran.err
    assert f"{CHANGE}" in scratch.orc("status").out
    finished = there.orc("finish", CHANGE, "--merge")
    assert finished.code == 0, finished.err
    assert (linked / "two.txt").read_text() == "good\n"
    assert scratch.git("rev-parse", "main") == head
    assert there.git("status", "--porcelain") == "?? orchestrator.toml\n"


@pytest.mark.parametrize("mode", ["clone", "worktree", "in-place"])
def test_a_submodule_is_a_repository_of_its_own(scratch: Scratch, mode: str) -> None:
    outer = scratch.home / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    allow = ("-c", "protocol.file.allow=always")
    git(outer, *allow, "submodule", "add", "-q", str(scratch.path), "libs/inner")
    git(outer, "commit", "-qm", "Outer")
    inner = outer / "libs/inner"
    for name in ("openspec", "orchestrator.toml"):
        os.rename(scratch.path / name, inner / name)
    with (inner / "orchestrator.toml").open("a") as file:
        file.write(f'[workspace]\nmode = "{mode}"\n')
    there = attrs.evolve(scratch, path=inner)
    ran = there.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert git(inner, "symbolic-ref", "HEAD") == "refs/heads/main"
    finished = there.orc("finish", CHANGE, "--merge")
    assert finished.code == 0, finished.err
    assert (inner / "two.txt").read_text() == "good\n"
    assert there.git("status", "--porcelain") == "?? orchestrator.toml\n"
    assert git(outer, "status", "--porcelain", "--ignore-submodules=untracked") == "M libs/inner"
    assert not (outer / ".git/orchestrator").exists()
