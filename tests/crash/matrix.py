"""Lives through the product again and again, struck at another point each time, and compares.

A `Life` is what a person does with a repository: some commands, and how he goes on until there is
nothing more to do, whatever state it is in. So what gets to the end undisturbed gets there after a
crash. The state before each command is kept: a life that is struck in the fifth begins there.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import attrs

from tests.crash.shim import Mode, Plan, Point, Shim
from tests.scratch import Ran, Scratch, alive_with, wait_for

ROOT = Path(__file__).resolve().parents[2]
HANDS = 2
"""Lives that go on side by side."""

_MISTAKES = ("Traceback", "a mistake in the orchestrator")
_DEADLINE = 120.0

Give = Callable[..., Ran]
"""Gives a command of the product, and returns how it ended."""


class Life(Protocol):
    """One way to use the product, from a repository to the end.

    Attributes:
      roots: where changes count, below the scratch repository's home.
      commands: those that are struck, in their order; each succeeds when nothing strikes it.
      detours: the parts of the document that may differ when a call or a git failed: what failed
        is tried again, or a person is asked.
    """

    @property
    def name(self) -> str: ...
    @property
    def roots(self) -> tuple[str, ...]: ...
    @property
    def commands(self) -> tuple[tuple[str, ...], ...]: ...
    @property
    def detours(self) -> frozenset[str]: ...

    def begin(self, directory: Path) -> Scratch:
        """Make the repository that the first command is given in."""
        ...

    def go_on(self, scratch: Scratch, give: Give) -> None:
        """Give commands until there is nothing more to do, from wherever it is by now."""
        ...

    def document(self, scratch: Scratch) -> dict[str, object]:
        """Return everything that has to be the same however often it was struck."""
        ...


@attrs.frozen
class Meddling:
    """What a user does in his repository after a crash.

    Attributes:
      do: does it, and returns the commit that he made, "" when he made none.
      varies: the parts of the document that it changes; files that are there at the end of an
        undisturbed life have to be there all the same.
    """

    name: str
    do: Callable[[Scratch], str]
    varies: frozenset[str] = frozenset()


@attrs.frozen(kw_only=True)
class Case:
    """A life that is struck.

    Attributes:
      command: number of the command that is struck first.
      plans: how that is struck, and each command that is given next.
      meddle: what the user does after the first strike.
      variant: a deliberately wrong variant that the product is, "" for none; see `variants`.
    """

    command: int
    plans: tuple[Plan, ...]
    meddle: Meddling | None = None
    variant: str = ""

    def __str__(self) -> str:
        struck = ", then ".join(_said(plan) for plan in self.plans)
        did = f", then its user {self.meddle.name}" if self.meddle is not None else ""
        return f"{struck} of command {self.command}{did}"


@attrs.frozen(kw_only=True)
class Lived:
    """How a case went.

    Attributes:
      at: the commands and points where it was struck.
      wrong: what is not as it has to be, "" when all is well.
    """

    case: Case
    at: tuple[str, ...] = ()
    wrong: str = ""


def _said(plan: Plan) -> str:
    error = f" {errno.errorcode[plan.error]}" if plan.error else ""
    return f"{plan.mode.name.lower().replace('_', ' ')}{error} at {plan.at}"


@attrs.define
class _Person:
    """Gives commands, by the plans as long as there are some."""

    shim: Shim
    life: Life
    scratch: Scratch
    plans: list[Plan]
    variant: str = ""
    points: tuple[Point, ...] = ()
    at: list[str] = attrs.field(factory=list)
    complaints: list[str] = attrs.field(factory=list)
    made: str = ""

    def give(self, *arguments: str) -> Ran:
        module = ("tests.crash.variants", self.variant) if self.variant else ("orchestrator",)
        argv = [sys.executable, "-m", *module, *arguments]
        env = environment(self.scratch)
        if self.plans:
            plan = self.plans.pop(0)
            struck = self.shim.run(
                argv,
                plan,
                cwd=self.scratch.path,
                roots=[self.scratch.home / root for root in self.life.roots],
                control=self.scratch.home / "control",
                env=env,
                timeout=_DEADLINE,
            )
            ran = Ran(code=struck.code, out=struck.out, err=struck.err)
            self.points = struck.points
            if struck.struck:
                self.at.append(f"{' '.join(arguments)}, at {struck.points[plan.at - 1]}")
        else:
            done = subprocess.run(
                argv,
                cwd=self.scratch.path,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_DEADLINE,
            )
            ran = Ran(code=done.returncode, out=done.stdout, err=done.stderr)
        if any(word in ran.err for word in _MISTAKES):
            self.complaints.append(f"{' '.join(arguments)}: {ran.err[-1500:]}")
        if self.made and not self.scratch.git("for-each-ref", f"--contains={self.made}"):
            self.complaints.append(f"{' '.join(arguments)}: the user's {self.made} is lost")
        # What is asked of him then is his own decision.
        self.made = ""
        return ran


def environment(scratch: Scratch) -> dict[str, str]:
    """Return the variables that keep a scratch repository's state below its own home."""
    return {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(scratch.home / "state")}


@attrs.frozen(kw_only=True)
class _Hand:
    """Lives one life after another at one place: what was made there is valid only there.

    Attributes:
      kept: the state before each command.
    """

    shim: Shim
    life: Life
    scratch: Scratch
    kept: tuple[Path, ...]
    points: tuple[tuple[Point, ...], ...]
    wanted: dict[str, object]

    @classmethod
    def taught(cls, shim: Shim, life: Life, directory: Path) -> _Hand:
        """Live undisturbed once, to know the states, the points and the end."""
        scratch = life.begin(directory / "home")
        kept, points = [], []
        for number, command in enumerate(life.commands):
            kept.append(directory / f"before-{number}")
            _copy(scratch.home, kept[-1])
            person = _Person(shim, life, scratch, [Plan()])
            ran = person.give(*command)
            assert ran.code == 0, f"{' '.join(command)}: {ran.code} {ran.err[-2000:]}"
            points.append(person.points)
        life.go_on(scratch, _Person(shim, life, scratch, []).give)
        return cls(
            shim=shim,
            life=life,
            scratch=scratch,
            kept=tuple(kept),
            points=tuple(points),
            wanted=life.document(scratch),
        )

    def live(self, case: Case, keep: Path) -> Lived:
        """Live through a case; one that goes wrong is moved to ``keep``."""
        scratch, life = self.scratch, self.life
        if scratch.home.exists():
            shutil.rmtree(scratch.home)
        _copy(self.kept[case.command], scratch.home)
        _adopt(scratch)
        person = _Person(self.shim, life, scratch, list(case.plans), case.variant)
        wrong = []
        try:
            person.give(*life.commands[case.command])
            person.made = case.meddle.do(scratch) if case.meddle is not None else ""
            life.go_on(scratch, person.give)
            wrong += self._compared(case, life.document(scratch))
            wait_for(lambda: alive_with(f"{scratch.home}/") == [], 5.0)
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
        wrong += person.complaints
        if wrong:
            scratch.home.rename(keep)
            wrong.append(f"it lies in {keep}")
        return Lived(case=case, at=tuple(person.at), wrong="\n".join(wrong))

    def _compared(self, case: Case, found: dict[str, object]) -> list[str]:
        wanted, varies = self.wanted, set[str]()
        if any(plan.mode in (Mode.KILL_CHILD, Mode.FAIL_ONCE, Mode.FAIL_ON) for plan in case.plans):
            varies |= self.life.detours
        if case.meddle is not None:
            varies |= case.meddle.varies
            files, before = found["files"], wanted["files"]
            assert isinstance(files, dict)
            assert isinstance(before, dict)
            found = {**found, "files": {name: files.get(name) for name in before}}
        return _differences(*({k: v for k, v in one.items() if k not in varies}
                              for one in (found, wanted)))  # fmt: skip


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def _adopt(scratch: Scratch) -> None:
    """Let the copied workspaces be those that were made: they have other inodes."""
    for marker in (scratch.home / "state").glob("orchestrator/*/.private/*/marker.json"):
        place = marker.parents[2] / marker.parent.name
        document = json.loads(marker.read_text())
        if place.exists():
            marker.write_text(json.dumps({**document, "inode": place.stat().st_ino}))
    scratch.git("update-index", "-q", "--refresh")


def _differences(found: dict[str, object], wanted: dict[str, object]) -> list[str]:
    return [
        f"{name}: {found.get(name)!r}, not {wanted.get(name)!r}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]


@attrs.frozen(kw_only=True)
class Matrix:
    """A life, and hands that live it.

    Attributes:
      points: those that each command comes to when nothing strikes it.
    """

    life: Life
    directory: Path
    _hands: tuple[_Hand, ...]

    @classmethod
    def of(cls, shim: Shim, life: Life, directory: Path) -> Matrix:
        """Live undisturbed at the place of each hand; they all come to the same end."""
        places = [directory / str(number) for number in range(HANDS)]
        for place in places:
            place.mkdir()
        with ThreadPoolExecutor(HANDS) as pool:
            hands = tuple(pool.map(lambda place: _Hand.taught(shim, life, place), places))
        for hand in hands[1:]:
            assert not (wrong := _differences(hand.wanted, hands[0].wanted)), "\n".join(wrong)
        return cls(life=life, directory=directory, hands=hands)

    @property
    def points(self) -> tuple[tuple[Point, ...], ...]:
        return self._hands[0].points

    @property
    def count(self) -> int:
        """How many points there are."""
        return sum(map(len, self.points))

    @property
    def wanted(self) -> dict[str, object]:
        """The end of an undisturbed life."""
        return self._hands[0].wanted

    def try_all(
        self, cases: Iterable[Case], until: Callable[[Lived], bool] | None = None
    ) -> list[Lived]:
        """Live through the cases; returns how each went.

        Args:
          until: the rest is left out once this is so.
        """
        waiting: queue.SimpleQueue[tuple[int, Case]] = queue.SimpleQueue()
        for numbered in enumerate(cases):
            waiting.put(numbered)
        lived: list[Lived] = []

        def work(hand: _Hand) -> None:
            while until is None or not any(map(until, lived)):
                try:
                    number, case = waiting.get_nowait()
                except queue.Empty:
                    return
                keep = self.directory / f"wrong-{time.monotonic_ns()}-{number}"
                lived.append(hand.live(case, keep))

        with ThreadPoolExecutor(HANDS) as pool:
            list(pool.map(work, self._hands))
        return lived

    def every(self, stride: int, like: Plan, first: int = 0) -> list[Case]:
        """Return cases like that plan for every ``stride``-th of its different points."""
        cases = [
            Case(command=number, plans=(plan,))
            for number, points in enumerate(self.points)
            for plan in plans(points, like)
        ]
        return cases[first % stride :: stride]

    def at(self, pattern: str, like: Plan) -> list[Case]:
        """Return cases like that plan for the points that are described by a pattern."""
        return [
            case
            for case in self.every(1, like)
            if re.search(pattern, " ".join(place_of(self.point(case))))
        ]

    def point(self, case: Case) -> Point:
        """Return where a case is struck first."""
        plan = case.plans[0]
        return [point for point in self.points[case.command] if plan.counts(point)][plan.at - 1]


def report(name: str, lived: Sequence[Lived], began: float) -> str:
    """Say how many cases were lived through, and each that went wrong."""
    wrong = [one for one in lived if one.wrong]
    seconds = time.monotonic() - began
    struck = sum(bool(one.at) for one in lived)
    lines = [f"{name}: {len(lived)} lives, {struck} struck, {len(wrong)} wrong, {seconds:.0f} s"]
    for one in wrong:
        lines += ["", f"- {one.case}", *(f"  {at}" for at in one.at), f"  {one.wrong}"]
    return "\n".join(lines)


_CHANGING = (
    (re.compile(r"[0-9a-f]{38,64}"), "OID"),
    (re.compile(r"tmp_(obj|pack|idx)_\w+"), "TEMPORARY"),
    (re.compile(r"/objects/[0-9a-f]{2}\b"), "/objects/XX"),
    (re.compile(r"\b[0-9a-f]{8,}"), "ID"),
    (re.compile(r"\bWRK-[0-9a-z]{5}\b"), "ITEM"),
)


def place_of(point: Point) -> tuple[str, str, str]:
    """Return what a point is about without what is different in every life."""
    path = point.path
    for pattern, name in _CHANGING:
        path = pattern.sub(name, path)
    return point.by, point.call, path


def plans(points: Sequence[Point], like: Plan) -> list[Plan]:
    """Return plans like that one for the points that count for it and leave different things.

    Of neighbours that are the same call on the same file only the first is one, or the last where
    writes are torn: the pages of one transaction are all the same loss until it is synced.
    """
    places = [place_of(point) for point in points]
    beside = [*places[1:], None] if like.mode is Mode.TEAR else [None, *places[:-1]]
    found = []
    number = 0
    for point, place, other in zip(points, places, beside[: len(places)], strict=True):
        if like.counts(point):
            number += 1
            if place != other:
                found.append(attrs.evolve(like, at=number))
    return found
