"""Reads an attempt's log while it grows and is shortened, with bounded memory. Light."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from orchestrator.run.records.paths import attempt_log, tail_files

_CHUNK = 1 << 16
_LONGEST = 1 << 16


class LogReader:
    """One reader's place in the log of one attempt, for as long as the block lasts.

    The log need not exist yet.
    """

    def __init__(self, state_dir: Path, attempt: str) -> None:
        head = attempt_log(state_dir, attempt)
        self._parts = (head, *tail_files(head))
        self._file: BinaryIO | None = None
        self._is_final = False
        self._line = bytearray()
        self._is_midway = False

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def read(self, *, to_end: bool = False) -> Iterator[str]:
        """Yield what has come since the last call, line by line, a very long one in pieces.

        Args:
          to_end: the log does not grow any more: yield a last line without its newline too.
        """
        while True:
            if data := self._file.read(_CHUNK) if self._file is not None else b"":
                yield from self._lines(data)
            elif (following := self._following()) is None:
                break
            elif self._file is not None and not self._is_final:
                # It may have grown between the read and the look for what follows.
                self._is_final = True
            else:
                path, dropped = following
                if dropped:
                    yield "[part of the output was dropped]\n"
                self._open(path)
        if to_end and (self._line or self._is_midway):
            yield from self._lines(b"\n")

    def _lines(self, data: bytes) -> Iterator[str]:
        self._line += data
        *lines, self._line = self._line.split(b"\n")
        for line in lines:
            yield line.decode(errors="replace") + "\n"
            self._is_midway = False
        if len(self._line) > _LONGEST:
            yield self._line.decode(errors="replace")
            self._line, self._is_midway = bytearray(), True

    def _following(self) -> tuple[Path, bool] | None:
        """Return the part that comes after this one, and whether others were dropped before it."""
        there = {inode: path for path in self._parts if (inode := _inode(path)) is not None}
        paths = list(there.values())
        if self._file is None:
            return (paths[0], False) if paths else None
        here = there.get(os.fstat(self._file.fileno()).st_ino)
        later = paths[paths.index(here) + 1 :] if here is not None else paths[1:]
        return (later[0], here is None) if later else None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, path: Path) -> None:
        self._close()
        self._is_final = False
        try:
            self._file = path.open("rb", buffering=0)
        except FileNotFoundError:
            self._file = None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
