"""The raw output of one attempt on disk, bounded: its head and its tail."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from orchestrator.run.records.paths import tail_files

LIMIT = 64 << 20


class AttemptLog:
    """Keeps the first half of ``limit`` bytes, and at least the last quarter.

    The head is written as it comes. What follows goes to a second file; when that has grown to a
    quarter of the limit it becomes the older of two, and the one before is dropped.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path = path
        self._room = limit // 2
        self._quarter = limit // 4
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> AttemptLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append ``data``; what a full disk does not take is lost, and the work goes on."""
        with suppress(OSError):
            self._write(data[-self._quarter :])

    def _write(self, data: bytes) -> None:
        if len(data) > self._room:
            self._file.close()
            older, newer = tail_files(self._path)
            if newer.exists():
                newer.replace(older)
            self._file = newer.open("wb", buffering=0)
            self._room = self._quarter
        self._file.write(data)
        self._room -= len(data)
