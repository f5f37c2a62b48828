"""Promises of the engine lock: one owner at a time, and work comes before connected clients."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from orchestrator.errors import BusyError
from orchestrator.run import lock
from orchestrator.run.lock import BACKLOG, BRIEF, SESSION, engine_lock, running_item, worked_on
from tests.scratch import wait_for


@pytest.mark.parametrize("item", ["add-login", BACKLOG, BRIEF, SESSION])
def test_who_owns_the_repository_is_known_and_nobody_else_does(tmp_path: Path, item: str) -> None:
    assert running_item(tmp_path) is None
    with engine_lock(tmp_path, item):
        assert running_item(tmp_path) == item
        assert worked_on(item) == (None if item in (BRIEF, SESSION) else item)
        for other in (BRIEF, SESSION):
            with (
                pytest.raises(BusyError, match=r"another orchestrator works .+ \(process \d+\)"),
                engine_lock(tmp_path, other),
            ):
                pass
    assert running_item(tmp_path) is None


@pytest.mark.parametrize("item", [SESSION, BRIEF])
def test_work_waits_for_who_only_answers_to_make_way_and_comes_before_clients(
    tmp_path: Path, item: str
) -> None:
    got: list[str] = []

    def work() -> None:
        with engine_lock(tmp_path, BACKLOG):
            got.append(BACKLOG)
            wait_for(lambda: SESSION in got)

    with engine_lock(tmp_path, item):
        thread = threading.Thread(target=work)
        thread.start()
        wait_for((tmp_path / "engine.wanted").exists)
        time.sleep(0.7)
        assert got == []
        with pytest.raises(BusyError, match="come first"), engine_lock(tmp_path, SESSION):
            pass
    wait_for(lambda: running_item(tmp_path) == BACKLOG)
    got.append(SESSION)
    thread.join()
    with engine_lock(tmp_path, SESSION):
        pass


@pytest.mark.parametrize(
    ("item", "what"), [(SESSION, "a command of a connected client"), (BRIEF, "another command")]
)
def test_work_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str, what: str
) -> None:
    monkeypatch.setattr(lock, "HAND_OVER", 1.0)
    with (
        engine_lock(tmp_path, item),
        pytest.raises(BusyError, match=rf"^{what} is still under way \(process \d+\)"),
        engine_lock(tmp_path, BACKLOG),
    ):
        pass
