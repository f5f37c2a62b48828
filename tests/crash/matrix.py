"""Lives through the product again and again, struck at another point each time, and compares.

A `Life` is what a person does with a repository until there is nothing more to do, whatever state
it is in: so the same commands that get to the end undisturbed get there after a crash.
"""

from __future__ import annotations

import errno
import re
import shutil
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
"""Cases that are lived through side by side."""

_MISTAKES = ("Traceback", "a mistake in the orchestrator")

Give = Callable[..., Ran]
"""Gives a command of the product, and returns how it ended."""


class Life(Protocol):
    """One way to use the product, from a repository to the end.

    Attributes:
      roots: where changes count, below the scratch repository's home.
    """

    name: str
    roots: tuple[str, ...]

    def begin(self, directory: Path) -> Scratch:
        """Make the repository that the first command is given in."""
        ...

    def live(self, scratch: Scratch, give: Give) -> None:
        """Give commands until there is nothing more to do, from wherever it is by now."""
        ...

    def document(self, scratch: Scratch) -> dict[str, object]:
        """Return everything that has to be the same however often it was struck."""
        ...


@attrs.frozen(kw_only=True)
class Case:
    """A life that is struck once for each plan: the next one counts from the command after.

    Attributes:
      meddle: what its user does after the first strike.
      variant: module of a deliberately wrong variant that the product is, "" for none.
    """

    plans: tuple[Plan, ...] = ()
    meddle: Callable[[Scratch], None] | None = None
    variant: str = ""

    def __str__(self) -> str:
        struck = ", then ".join(_said(plan) for plan in self.plans) or "undisturbed"
        did = f", then {self.meddle.__name__}" if self.meddle is not None else ""
        return struck + did


def _said(plan: Plan) -> str:
    error = f" {errno.errorcode[plan.error]}" if plan.error else ""
    return f"{plan.mode.name.lower().replace('_', ' ')}{error} at {plan.at}"


@attrs.frozen(kw_only=True)
class Lived:
    """How a case went.

    Attributes:
      points: of the commands up to the last strike, or of all.
      at: the point where it was struck last.
      wrong: what is not as it has to be, "" when all is well.
    """

    case: Case
    points: tuple[Point, ...] = ()
    at: str = ""
    document: dict[str, object] = attrs.field(factory=dict)
    wrong: str = ""
    struck: bool = False


@attrs.define
class _Person:
    """Gives the commands of a life, by the plans as long as there are some."""

    shim: Shim
    life: Life
    scratch: Scratch
    case: Case
    plans: list[Plan]
    points: list[Point] = attrs.field(factory=list)
    at: str = ""
    complaints: list[str] = attrs.field(factory=list)

    def give(self, *arguments: str) -> Ran:
        argv = [sys.executable, "-m", "orchestrator", *arguments]
        if self.case.variant:
            argv[1:3] = ["-m", self.case.variant]
        env = environment(self.scratch)
        plan = self.plans[0] if self.plans else Plan()
        if plan.at:
            plan = attrs.evolve(plan, at=plan.at - len(self.points))
        struck = self.shim.run(
            argv,
            plan,
            cwd=self.scratch.path,
            roots=[self.scratch.home / root for root in self.life.roots],
            control=self.scratch.home / "control",
            env=env,
        )
        ran = Ran(code=struck.code, out=struck.out, err=struck.err)
        if any(word in ran.err for word in _MISTAKES) and not self.case.variant:
            self.complaints.append(f"{' '.join(arguments)}: {ran.err[-1500:]}")
        if self.plans:
            self.points.extend(struck.points)
        if struck.struck:
            self.at = f"{' '.join(arguments)} at {struck.points[plan.at - 1]}"
            self.plans.pop(0)
            if self.plans:
                self.points.clear()
            if self.case.meddle is not None and len(self.plans) == len(self.case.plans) - 1:
                self.case.meddle(self.scratch)
        return ran


def environment(scratch: Scratch) -> dict[str, str]:
    """Return the variables that keep a scratch repository's state below its own home."""
    return {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(scratch.home / "state")}


def live(shim: Shim, life: Life, case: Case, directory: Path) -> Lived:
    """Live through one case below a directory of its own; what went wrong is in the result."""
    scratch = life.begin(directory)
    plans = list(case.plans) or [Plan()]
    person = _Person(shim, life, scratch, case, plans)
    try:
        life.live(scratch, person.give)
        document = life.document(scratch)
        wait_for(lambda: alive_with(f"{scratch.home}/") == [], 5.0)
    except Exception as error:
        return Lived(
            case=case,
            at=person.at,
            wrong="\n".join([*person.complaints, f"{type(error).__name__}: {error}"]),
            struck=bool(person.at),
        )
    return Lived(
        case=case,
        points=tuple(person.points),
        at=person.at,
        document=document,
        wrong="\n".join(person.complaints),
        struck=bool(person.at),
    )


@attrs.frozen(kw_only=True)
class Matrix:
    """A life, how it ends undisturbed, and the points it comes to on the way."""

    shim: Shim
    life: Life
    directory: Path
    points: tuple[Point, ...]
    wanted: dict[str, object]

    @classmethod
    def of(cls, shim: Shim, life: Life, directory: Path) -> Matrix:
        """Live undisturbed once to learn the points and the end."""
        lived = live(shim, life, Case(), directory / "undisturbed")
        assert not lived.wrong, lived.wrong
        return cls(
            shim=shim,
            life=life,
            directory=directory,
            points=lived.points,
            wanted=lived.document,
        )

    def try_all(self, cases: Iterable[Case]) -> list[Lived]:
        """Live through the cases, some side by side; returns those that went wrong."""

        def one(numbered: tuple[int, Case]) -> Lived:
            number, case = numbered
            directory = self.directory / f"{self.life.name}-{number}"
            lived = self.judged(live(self.shim, self.life, case, directory))
            if not lived.wrong:
                shutil.rmtree(directory)
            return lived

        with ThreadPoolExecutor(HANDS) as hands:
            return list(hands.map(one, enumerate(cases, _next_number(self.directory))))

    def judged(self, lived: Lived) -> Lived:
        """Say what differs from the undisturbed end, where nothing is wrong yet."""
        if lived.wrong:
            return lived
        differing = [
            f"{name}: {lived.document.get(name)!r}, not {self.wanted.get(name)!r}"
            for name in sorted(self.wanted.keys() | lived.document.keys())
            if lived.document.get(name) != self.wanted.get(name)
        ]
        return attrs.evolve(lived, wrong="\n".join(differing))


def _next_number(directory: Path) -> int:
    return 1 + len(list(directory.iterdir()))


def report(name: str, lived: Sequence[Lived], began: float) -> str:
    """Say how many cases were lived through, and each that went wrong."""
    wrong = [one for one in lived if one.wrong]
    seconds = time.monotonic() - began
    struck = sum(one.struck for one in lived)
    lines = [f"{name}: {len(lived)} lives, {struck} struck, {len(wrong)} wrong, {seconds:.0f} s"]
    lines += [f"- {one.case}\n  {one.at}\n  {one.wrong}" for one in wrong]
    return "\n".join(lines)


_CHANGING = (
    (re.compile(r"[0-9a-f]{38,64}"), "OID"),
    (re.compile(r"tmp_(obj|pack|idx)_\w+"), "TEMPORARY"),
    (re.compile(r"/objects/[0-9a-f]{2}\b"), "/objects/XX"),
    (re.compile(r"[0-9a-f]{8,}"), "ID"),
)


def place_of(point: Point) -> tuple[str, str, str]:
    """Return what a point is about without what is different in every life."""
    path = point.path
    for pattern, name in _CHANGING:
        path = pattern.sub(name, path)
    return point.by, point.call, path


def every(stride: int, points: Sequence[Point], like: Plan, *, first: int = 0) -> list[Plan]:
    """Return plans like that one for every ``stride``-th of the points that count for it.

    Of neighbours that are the same call on the same file only the first counts here, or the last
    where writes are torn: the pages of one transaction are all the same loss until it is synced.
    """
    counted = [place_of(point) for point in points if like.counts(point)]
    beside = [*counted[1:], None] if like.mode is Mode.TEAR else [None, *counted[:-1]]
    different = [
        n for n, pair in enumerate(zip(counted, beside, strict=True), 1) if len({*pair}) > 1
    ]
    return [attrs.evolve(like, at=number) for number in different[first % stride :: stride]]


def one_of_each(points: Sequence[Point], like: Plan) -> list[Plan]:
    """Return a plan like that one for the last point of each sort that counts for it."""
    counted = [place_of(point) for point in points if like.counts(point)]
    last = {place: number for number, place in enumerate(counted, start=1)}
    return [attrs.evolve(like, at=number) for number in sorted(last.values())]
