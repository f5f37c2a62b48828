"""Promises of progress notes: they only grow, never block, and end with their call."""

from __future__ import annotations

import itertools
import math

import trio
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.mcp.notes import WAITING, Notes

Told = list[tuple[float, float | None, str | None]]


async def pump(notes: list[tuple[float | None, str]]) -> Told:
    told: Told = []

    async def send(done: float, total: float | None, text: str | None) -> None:
        await trio.lowlevel.checkpoint()
        told.append((done, total, text))

    under_test = Notes(str.upper, send)
    for note in notes:
        under_test.take(*note)
    under_test.close()
    under_test.take(1.0, "too late")
    await under_test.pump()
    under_test.take(1.0, "much too late")
    return told


async def test_steps_are_counted_until_somebody_knows_the_whole() -> None:
    assert await pump([(None, "a"), (None, "b"), (0.5, "c"), (0.25, "d"), (2.0, "e")]) == [
        (0.0, None, "A"),
        (1.0, None, "B"),
        (50.0, 100.0, "C"),
        (50.001, 100.0, "D"),
        (100.0, 100.0, "E"),
    ]


@given(st.lists(st.none() | st.floats(), max_size=20))
def test_progress_only_grows(fractions: list[float | None]) -> None:
    told = trio.run(pump, [(fraction, "x") for fraction in fractions])
    done = [each[0] for each in told]
    assert len(done) == len(fractions)
    assert all(math.isfinite(each) for each in done)
    assert all(before < after for before, after in itertools.pairwise(done))


async def test_what_nobody_takes_is_dropped() -> None:
    assert len(await pump([(None, "x")] * (WAITING + 10))) == WAITING
