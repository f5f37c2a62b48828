"""Promise: a step of a run starts no more git processes than it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator.adapters import process
from orchestrator.adapters.git import checkpoint, runner
from orchestrator.adapters.git.repository import Repository
from orchestrator.run import ledger, opening
from orchestrator.work.records import AttemptState
from tests.gitrepo import make_repository

pytestmark = pytest.mark.processes


def test_a_story_starts_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repo = Repository.open(make_repository(tmp_path / "repo"))
    spec = opening.Spec(change="item", title="A", root=".", directory="spec", carried={})
    opened = opening.open_run(repo, "item", spec, 100)
    commands: list[str] = []

    def counted(argv: Sequence[str], **more: Any) -> process.Completed:
        commands.append(" ".join(argv[4:]))
        return process.run(argv, **more)

    monkeypatch.setattr(runner, "run", counted)
    attempt = ledger.begin_attempt(repo, opened.run, "1", 1, opened.tip, 200)
    (opened.workspace.path / "a.txt").write_text("changed\n")
    (opened.workspace.path / "new.txt").write_text("new\n")
    taken = checkpoint.take(repo, opened.workspace, opened.tip)
    ledger.keep_checkpoint(
        repo,
        attrs.evolve(attempt, state=AttemptState.VERIFIED),
        opened.workspace,
        tree=taken.tree,
        tip=opened.tip,
        title="1 First",
        verified=True,
        now=201,
    )
    assert len(commands) <= 21, commands
