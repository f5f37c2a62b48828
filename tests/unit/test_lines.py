"""Lines come out whole, and a line without end costs no memory."""

from __future__ import annotations

import tracemalloc

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.lines import iter_lines
from orchestrator.work.worker import OversizedLine


class Chunks(trio.abc.ReceiveStream):
    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter(chunks)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return next(self._chunks, b"")

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class Endless(Chunks):
    def __init__(self, size: int) -> None:
        self._left = size

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        size = min(self._left, max_bytes or 1)
        self._left -= size
        return b"x" * size


async def collect(chunks: list[bytes], limit: int) -> list[bytes | OversizedLine]:
    return [line async for line in iter_lines(Chunks(chunks), limit)]


@given(st.lists(st.text(alphabet="ab\n", min_size=1, max_size=9)), st.integers(1, 5))
def test_however_it_is_cut_the_lines_are_those_of_the_whole(cuts: list[str], limit: int) -> None:
    chunks = [cut.encode() for cut in cuts]
    lines = b"".join(chunks).split(b"\n")
    if not lines[-1]:
        lines.pop()

    got = trio.run(collect, chunks, limit)

    assert got == [x if len(x) <= limit else OversizedLine(size=len(x)) for x in lines]


async def test_a_line_without_end_is_counted_and_not_kept() -> None:
    tracemalloc.start()

    got = [line async for line in iter_lines(Endless(64 << 20))]

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got == [OversizedLine(size=64 << 20)]
    assert peak < 4 << 20


@pytest.mark.parametrize("limit", [3, 100])
async def test_what_follows_an_oversized_line_is_read(limit: int) -> None:
    got = await collect([b"x" * 200, b"\nyes\n"], limit)

    assert got == [OversizedLine(size=200), b"yes"]
