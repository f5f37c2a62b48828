"""Promise: the branches that a reader sees without git are those that git has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.branches import our_branches
from orchestrator.adapters.git.repository import Repository

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_branches_are_found_wherever_git_keeps_them(tmp_path: Path, packed: bool) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "Start")
    repo = Repository.open(tmp_path)
    assert our_branches(repo.git) == frozenset()
    for name in ("orchestrator/a", "orchestrator/b.c", "other", "orchestrator/gone"):
        git("branch", name)
    if packed:
        git("pack-refs", "--all")
        git("branch", "orchestrator/later")
    git("branch", "-D", "orchestrator/gone")
    assert our_branches(repo.git) == frozenset(refs.read_refs(repo.git, refs.BRANCHES))
    assert len(our_branches(repo.git)) == (3 if packed else 2)
