"""Runs a program that is struck at the nth call by which it, or a git of its, changes a file.

The library that counts, `shim.c`, is compiled where it is needed. It shares one file with every
process it counts in: the plan, the count, and what each point was.
"""

from __future__ import annotations

import enum
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import pytest


class Mode(enum.IntEnum):
    """What happens at the point.

    KILL_ENGINE: SIGKILL to the engine; a git that it waits for goes on.
    KILL_ALL: the engine and every git of its are dead before their next change.
    KILL_CHILD: SIGKILL to the git that came to it; only the points of gits count.
    FAIL_ONCE, FAIL_ON: the call fails with an errno; FAIL_ON: so does every later one.
    TEAR: half of a write is done, then as KILL_ALL.
    """

    COUNT = 0
    KILL_ENGINE = 1
    KILL_ALL = 2
    KILL_CHILD = 3
    FAIL_ONCE = 4
    FAIL_ON = 5
    TEAR = 6


class Kind(enum.IntFlag):
    """Which calls are points."""

    CREATE = 1
    WRITE = 2
    RENAME = 4
    REMOVE = 8
    RESIZE = 16
    MODE = 32
    SYNC = 64


CHANGES = ~Kind.SYNC
"""What changes a file."""

EVERYTHING = CHANGES | Kind.SYNC
"""Syncs, too: to be killed before one is to be killed after all that it makes durable."""

NEEDS_ROOM = Kind.CREATE | Kind.WRITE | Kind.RENAME | Kind.RESIZE
"""What a full disk refuses."""

_ROOTS, _POINTS = 8, 16384
_HEAD = struct.Struct("=4i2q4i")
_ONLY = struct.Struct("=64s")
_ROOT = struct.Struct("=512s")
_POINT = struct.Struct("=2i16s48s184s")
_SIZE = _HEAD.size + _ONLY.size + _ROOTS * _ROOT.size + _POINTS * _POINT.size


@attrs.frozen(kw_only=True)
class Plan:
    """When to strike, and how.

    Attributes:
      at: counts from 1; 0: never.
      kinds: the calls that count; ``only``: those whose path holds this text.
      error: an errno.
    """

    mode: Mode = Mode.COUNT
    at: int = 0
    kinds: Kind = EVERYTHING
    only: str = ""
    error: int = 0

    def counts(self, point: Point) -> bool:
        """Say whether a point of a count of everything is one of this plan's."""
        if self.mode is Mode.KILL_CHILD and not point.by.startswith("git"):
            return False
        return bool(point.kind & self.kinds) and self.only in point.path


@attrs.frozen
class Point:
    """A call that changed something, or was about to; ``path`` is below the root."""

    kind: Kind
    by: str
    call: str
    path: str

    def __str__(self) -> str:
        return f"{self.by}: {self.call} {self.path}"


@attrs.frozen(kw_only=True)
class Struck:
    """How a program ended. ``points`` are those it came to, in order; ``struck``: the plan's was
    among them."""

    code: int
    out: str
    err: str
    points: tuple[Point, ...]
    struck: bool


@attrs.frozen
class Shim:
    """The compiled library."""

    library: Path

    @classmethod
    def compiled(cls, directory: Path) -> Shim:
        """Compile it there; without a C compiler the test is skipped, with CI=true it fails."""
        if shutil.which("cc") is None:
            missing = "no C compiler: cc is not on PATH"
            if os.environ.get("CI", "").lower() in {"1", "true"}:
                pytest.fail(f"{missing}; with CI=true that is a failure", pytrace=False)
            pytest.skip(missing)
        library = directory / "shim.so"
        source = Path(__file__).with_name("shim.c")
        argv = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*argv, "-o", str(library), str(source), "-ldl"], check=True)
        return cls(library)

    def run(
        self,
        argv: Sequence[str],
        plan: Plan,
        *,
        cwd: Path,
        roots: Sequence[Path],
        control: Path,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Struck:
        """Run a program to its end by that plan.

        Args:
          roots: where changes count.
          control: the file that is shared meanwhile; made, and removed again.
          env: variables in addition to ours.
        """
        head = _HEAD.pack(
            plan.mode, plan.error, plan.kinds, 0, plan.at, 0, 0, 0, 0, len(roots)
        )  # fmt: skip
        names = b"".join(_ROOT.pack(os.fsencode(root.resolve())) for root in roots)
        with control.open("wb") as file:
            file.write(head + _ONLY.pack(plan.only.encode()) + names)
            file.truncate(_SIZE)
        try:
            done = subprocess.run(
                argv,
                cwd=cwd,
                env={
                    **os.environ,
                    **(env or {}),
                    "LD_PRELOAD": str(self.library),
                    "CRASH_CONTROL": str(control),
                },
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
            )
            count, struck, points = _read(control)
        finally:
            control.unlink()
        assert count <= _POINTS, f"{count} points are more than the control file holds"
        return Struck(
            code=done.returncode, out=done.stdout, err=done.stderr, points=points, struck=struck
        )


def _read(control: Path) -> tuple[int, bool, tuple[Point, ...]]:
    with control.open("rb") as file:
        fields = _HEAD.unpack(file.read(_HEAD.size))
        count, struck = fields[5], bool(fields[8])
        file.seek(_ONLY.size + _ROOTS * _ROOT.size, os.SEEK_CUR)
        data = file.read(min(count, _POINTS) * _POINT.size)
    points = []
    for _, kind, call, by, path in _POINT.iter_unpack(data):
        texts = (field.partition(b"\0")[0].decode(errors="replace") for field in (by, call, path))
        points.append(Point(Kind(kind), *texts))
    return count, struck, tuple(points)
