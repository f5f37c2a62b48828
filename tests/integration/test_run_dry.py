"""Promise: a dry run says what the run would begin with, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk import open_desk

pytestmark = pytest.mark.timeout(120)


def test_the_first_target_that_can_be_worked_on_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_desk(tmp_path, capsys, monkeypatch, spec=False) as desk:
        over, held, new = desk.add("Over"), desk.add("Held"), desk.add("New")
        desk.say("close", over, "--reason", "not needed")
        desk.say("hold", held, "--reason", "later")
        before = desk.items("--all")
        dry = desk.say("run", over, held, new, "--dry-run")
        assert [(row["action"], row["item"]) for row in dry["actions"]] == [("Triage", new)]
        assert desk.say("run", over, "--dry-run")["actions"] == []
        twice = desk.orc("run", "--target", new, "--target", new, "--dry-run")
        assert (twice.code, "is there twice" in twice.err) == (2, True), twice.err
        assert desk.items("--all") == before
