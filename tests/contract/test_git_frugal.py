"""Promise: a step of a run starts no more git processes than it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters import process
from orchestrator.adapters.git import runner
from orchestrator.adapters.git.repository import Repository
from orchestrator.store.store import open_store
from tests.gitrepo import make_repository
from tests.steps import Steps

pytestmark = pytest.mark.processes


def test_a_story_starts_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repo = Repository.open(make_repository(tmp_path / "repo"))
    with open_store(repo.state_dir) as store:
        steps = Steps(repo, store)
        opened = steps.open()
        commands: list[str] = []

        def counted(argv: Sequence[str], **more: Any) -> process.Completed:
            commands.append(" ".join(argv[4:]))
            return process.run(argv, **more)

        monkeypatch.setattr(runner, "run", counted)
        attempt = steps.begin(opened)
        assert commands == []
        (opened.workspace.path / "a.txt").write_text("changed\n")
        (opened.workspace.path / "new.txt").write_text("new\n")
        steps.verify(opened, attempt)
    assert len(commands) <= 10, commands
