"""Killed, torn or refused at any call that changes a file: the next run gets to the same end.

Each life that is tried begins with a new repository and is struck once, or more often, on the way.
Some are tried on every change, the others with CI=true; strides are given with each.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable

import pytest

from tests.crash.matrix import Case, Life, Matrix, every, report
from tests.crash.shim import EVERYTHING, NEEDS_ROOM, Kind, Mode, Plan, Shim
from tests.crash.spec_run import SpecRun

pytestmark = [
    pytest.mark.processes,
    pytest.mark.real_cli("cc"),
    pytest.mark.timeout(1200),
]

KILL_ALL = Plan(mode=Mode.KILL_ALL)
WAYS = (
    KILL_ALL,
    Plan(mode=Mode.KILL_ENGINE),
    Plan(mode=Mode.KILL_CHILD),
    Plan(mode=Mode.TEAR, kinds=Kind.WRITE),
    Plan(mode=Mode.FAIL_ONCE, kinds=NEEDS_ROOM, error=errno.ENOSPC),
    Plan(mode=Mode.FAIL_ON, kinds=NEEDS_ROOM, error=errno.ENOSPC),
    Plan(mode=Mode.FAIL_ONCE, kinds=EVERYTHING, error=errno.EIO),
    Plan(mode=Mode.FAIL_ON, kinds=EVERYTHING, error=errno.EIO),
)

LIVES: tuple[Life, ...] = (SpecRun(),)

POINTS = {"spec-run": 889}
"""Points that a life comes to when nothing strikes it; fewer than nine tenths are a failure."""


def way(plan: Plan) -> str:
    """Name a way to strike."""
    return plan.mode.name + (f"-{errno.errorcode[plan.error]}" if plan.error else "")


@pytest.fixture(scope="module")
def matrices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Matrix]:
    return {}


@pytest.fixture(params=LIVES, ids=lambda life: life.name)
def matrix(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    matrices: dict[str, Matrix],
) -> Matrix:
    life: Life = request.param
    if life.name not in matrices:
        directory = tmp_path_factory.mktemp(life.name)
        matrices[life.name] = Matrix.of(Shim.compiled(directory), life, directory)
    return matrices[life.name]


Check = Callable[[str, Iterable[Case]], None]


@pytest.fixture
def check(matrix: Matrix, capsys: pytest.CaptureFixture[str]) -> Check:
    """Live through cases, say how many they were, and fail with what went wrong."""

    def check(name: str, cases: Iterable[Case]) -> None:
        began = time.monotonic()
        lived = matrix.try_all(cases)
        said = report(f"{matrix.life.name}: {name}, of {len(matrix.points)} points", lived, began)
        with capsys.disabled():
            print(f"\n{said}")
        assert not any(one.wrong for one in lived), said
        assert sum(one.struck for one in lived) >= 0.9 * len(lived), said

    return check


def test_the_points_have_not_become_fewer(
    matrix: Matrix, capsys: pytest.CaptureFixture[str]
) -> None:
    found, recorded = len(matrix.points), POINTS[matrix.life.name]
    with capsys.disabled():
        print(f"\n{matrix.life.name}: {found} points, {recorded} recorded")
    assert found >= 0.9 * recorded


def test_struck_at_some_points_it_gets_to_the_same_end(matrix: Matrix, check: Check) -> None:
    kills = every(150, matrix.points, KILL_ALL, first=75)
    full = every(300, matrix.points, WAYS[5], first=250)
    check("a sample", [Case(plans=(plan,)) for plan in (*kills, *full)])


@pytest.mark.slow
@pytest.mark.parametrize("like", WAYS, ids=way)
def test_struck_at_any_point_it_gets_to_the_same_end(
    matrix: Matrix, check: Check, like: Plan
) -> None:
    plans = every(25, matrix.points, like, first=WAYS.index(like))
    check(f"{way(like)}, each 25th", [Case(plans=(plan,)) for plan in plans])


@pytest.mark.slow
def test_struck_again_while_it_recovers_it_gets_to_the_same_end(
    matrix: Matrix, check: Check
) -> None:
    first = every(40, matrix.points, KILL_ALL, first=20)
    again = every(40, matrix.points[: len(matrix.points) // 2], KILL_ALL, first=3)
    cases = [Case(plans=pair) for pair in zip(first, again, strict=False)]
    check("killed twice", cases)
