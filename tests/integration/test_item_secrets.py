"""Promise: no secret that a person types into the backlog reaches the store, a prompt or a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.desk import open_desk

pytestmark = pytest.mark.timeout(120)

SECRET = "ghp_" + "a1B2" * 9


def test_what_a_person_says_is_kept_without_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_desk(tmp_path, capsys, monkeypatch, spec=False) as desk:
        first, second = desk.add(f"Use {SECRET}"), desk.add("Other", "--description", SECRET)
        desk.say("hold", first, "--reason", f"ask for {SECRET}")
        desk.say("answer", first, f"it is {SECRET}")
        desk.say("complete", first, "--summary", f"used {SECRET}")
        desk.say("edit", second, "--title", f"Take {SECRET}")
        desk.say("close", second, "--reason", f"{SECRET} is gone")
        for id in (first, second):
            told = json.dumps(desk.say("show", id, "--history"))
            assert SECRET not in told
            assert "[redacted" in told
