"""Promise: a command is for the work tree that it is given in, whoever owns the repository."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from tests.by_hand import engine, scratch
from tests.gitrepo import git
from tests.scratch import Scratch

pytestmark = pytest.mark.processes


async def test_a_command_for_another_checkout_is_refused(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo = scratch(tmp_path / "repo")
    beside = tmp_path / "beside"
    git(repo, "worktree", "add", "-q", "-b", "feature/2-b", str(beside))
    (repo / "mine").write_text("mine")
    async with engine(repo):
        there = Scratch(home=tmp_path_factory.mktemp("home"), path=beside)
        run = partial(there.orc, "git", "status")
        refused = await trio.to_thread.run_sync(run)
        assert refused.code == 2
        assert f"works in {repo}, not in {beside}" in refused.err
    alone = await trio.to_thread.run_sync(run)
    assert "feature/2-b" in alone.out, alone.err
