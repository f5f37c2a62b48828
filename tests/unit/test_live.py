"""Promise: the live line never garbles the lines that stay, whatever is drawn and however wide."""

from __future__ import annotations

import io
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.live import BottomLine, LiveLines, Status, can_be_live, cells, cut
from orchestrator.cli.output import Quiet
from orchestrator.cli.render import PlainLines
from orchestrator.run.events import (
    AttemptFailed,
    AttemptStarted,
    CheckRunning,
    RunEnded,
    RunStarted,
    StoryVerified,
    Warned,
    WorkerActed,
)
from orchestrator.runtime import StopRequested
from orchestrator.stop import StopLevel
from orchestrator.work.worker import Usage
from tests.terminal import Screen


def started(item: str) -> RunStarted:
    return RunStarted(
        run="r",
        item=item,
        title="T",
        branch="orchestrator/i",
        base="0" * 40,
        base_name="main",
        agent="mine",
        stories=3,
        carried=(),
        left_behind=(),
        continued=False,
    )


def ended(item: str) -> RunEnded:
    return RunEnded(
        run="r",
        item=item,
        change=item,
        state="done",
        reason="",
        done=3,
        stories=3,
        attempts=3,
        cost=0.0,
        verified=True,
        advice="",
        branch="orchestrator/i",
        target="main",
    )


printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF).filter(str.isprintable))


@given(printable, st.integers(0, 40))
def test_cut_fits_and_says_that_it_was_cut(text: str, room: int) -> None:
    shown = cut(text, room)
    assert cells(shown) <= room
    assert shown == text or not room or shown.endswith("…")


def test_wide_and_combining_characters_count_as_they_are_shown() -> None:
    assert cells("ab") == 2
    assert cells("日本") == 4
    assert cells("e\u0301") == 1
    assert cut("日本語", 4) == "日…"


narrow = st.text("abc ", max_size=30)


@given(
    st.lists(st.tuples(st.lists(narrow, max_size=2), narrow, st.integers(2, 30)), max_size=8),
    st.integers(2, 30),
)
def test_screen_holds_the_lines_that_stay_and_one_line_below(
    frames: list[tuple[list[str], str, int]], columns: int
) -> None:
    terminal = Screen(columns)
    bottom = BottomLine(lambda: terminal.columns, lambda text: f"\x1b[2m{text}\x1b[0m")
    reference = Screen(columns)
    for above, line, width in [*frames, ([], "", columns)]:
        terminal.resize(width)
        reference.resize(width)
        text = "".join(f"{row}\n" for row in above)
        terminal.write(bottom.frame(text, line))
        reference.write(text)
        assert terminal.rows[: len(reference.rows) - 1] == reference.rows[:-1]
        assert terminal.rows[-1] == cut(line, width - 1)
        assert len(terminal.rows) == len(reference.rows)


def attempt(number: int = 1) -> AttemptStarted:
    return AttemptStarted(
        item="i",
        story="2",
        title="Login",
        done=0,
        position=2,
        stories=3,
        number=number,
        attempt="a",
    )


def test_status_tells_story_try_time_cost_and_what_happens() -> None:
    status = Status()
    assert status.text(0.0) == ""
    status.update(started("item"), 0.0)
    assert status.text(5.0) == "item  preparing  5s"
    status.update(attempt(), 10.0)
    status.update(WorkerActed(attempt="a", kind="Edit", text="src/x.ts"), 11.0)
    assert status.text(71.0) == "2/3 Login  try 1  1m01s  Edit: src/x.ts"
    usage = Usage(cost=0.5)
    common: dict[str, Any] = {
        "story": "2",
        "title": "Login",
        "position": 2,
        "stories": 3,
        "number": 1,
    }
    status.update(
        AttemptFailed(
            **common, attempt="a", state="failed", reason="", evidence="", ref="", seconds=1,
            usage=usage,
        ),
        80.0,
    )  # fmt: skip
    status.update(attempt(2), 80.0)
    status.update(CheckRunning(command="make test", seconds=0), 81.0)
    assert status.text(90.0) == "2/3 Login  try 2  10s  $0.50  runs: make test"
    status.update(
        StoryVerified(
            **common, done=2, attempt="a", commit="c", verified=True, seconds=1, usage=usage
        ),
        91.0,
    )
    assert "$1.00" in status.text(92.0)
    status.update(StopRequested(level=StopLevel.POLITE), 93.0)
    assert status.text(93.0)
    status.update(StopRequested(level=StopLevel.CANCEL), 93.0)
    assert status.text(93.0) == ""


class Written(io.StringIO):
    """A terminal that remembers how often something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.terminal = Screen(60)
        self.writes = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes += 1
        self.terminal.write(text)
        return len(text)


async def test_line_is_redrawn_at_most_ten_times_a_second_and_taken_away_at_the_end() -> None:
    screen = Written()
    lines = PlainLines(Quiet(screen), acts=False, starts=False)
    live = LiveLines(lines, BottomLine(lambda: 60, str))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(live.run)
        await live.emit([started("item"), attempt()])
        begun, before = trio.current_time(), screen.writes
        for number in range(200):
            await live.emit([WorkerActed(attempt="a", kind="says", text=f"word {number}")])
        seconds = trio.current_time() - begun
        assert screen.writes - before <= 1 + seconds / 0.1
        await live.emit([Warned(message="odd")])
        assert [row[:9] for row in screen.terminal.rows][-2:] == ["    odd", "2/3 Login"]
        await live.emit([ended("item")])
        assert screen.terminal.rows[-1] == ""
        nursery.cancel_scope.cancel()
    assert screen.terminal.rows[-1] == ""


@pytest.mark.parametrize(("term", "wanted"), [("xterm", True), ("dumb", False), (None, False)])
def test_live_only_where_a_line_can_be_drawn_again(
    monkeypatch: pytest.MonkeyPatch, term: str | None, wanted: bool
) -> None:
    if term is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", term)
    assert can_be_live(Written()) is wanted
    assert not can_be_live(io.StringIO())
    assert not can_be_live(None)
