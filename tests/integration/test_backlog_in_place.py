"""Promise: a backlog that is worked on in the checkout gives it back after every phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backlog_scratch import make_backlog

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


def test_the_checkout_is_given_back_when_an_item_is_done(tmp_path: Path) -> None:
    scratch = make_backlog(
        tmp_path,
        ["plan", "build"],
        finish="keep",
        tables={"workspace": {"mode": "in-place"}},
    )
    scratch.script({})
    scratch.git("add", "orchestrator.toml")
    scratch.git("commit", "-qm", "Configure")
    scratch.add("One", "Two")
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.statuses() == {"One": "done", "Two": "done"}
    assert not (scratch.path / "One-build.txt").exists()
    assert scratch.git("status", "--porcelain") == ""
    assert scratch.subjects("Two") == ["[ID][plan] Do plan", "[ID][build] Do build"]
