"""Killed, torn or refused at any call that changes a file: the next run gets to the same end.

A life of the product is lived again and again, each time struck at another point. Some are lived on
every change, more with CI=true, and by hand as many as there is time for: CRASH_SPARSE=1 takes nine
times as many as CI does. Each test says which share of the points it takes.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable

import attrs
import pytest

from tests.crash.backlog import AT_ONCE, PHASES, STEPS
from tests.crash.matrix import Case, Life, Lived, Matrix, Meddling, report
from tests.crash.meddling import AMENDS, MEDDLINGS
from tests.crash.shim import EVERYTHING, NEEDS_ROOM, Kind, Mode, Plan, Shim
from tests.crash.spec_run import SpecRun
from tests.crash.variants import VARIANTS

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1200)]

SPEC_RUN = SpecRun()
POINTS = {"spec-run": 889, "backlog": 3036, "backlog-at-once": 1958}
"""Points that a life comes to when nothing strikes it; fewer than nine tenths are a failure."""

SPARSE = int(os.environ.get("CRASH_SPARSE", "9"))
"""How many times wider the steps are than those below: a life takes some five seconds."""

KILL = Plan(mode=Mode.KILL_ALL)
TEAR = Plan(mode=Mode.TEAR, kinds=Kind.WRITE)
FULL = Plan(mode=Mode.FAIL_ON, kinds=NEEDS_ROOM, error=errno.ENOSPC)
BROKEN = Plan(mode=Mode.FAIL_ONCE, kinds=EVERYTHING, error=errno.EIO)
WAYS = (
    (KILL, 20),
    (Plan(mode=Mode.KILL_ENGINE), 90),
    (Plan(mode=Mode.KILL_CHILD), 60),
    (TEAR, 40),
    (FULL, 90),
    (attrs.evolve(FULL, mode=Mode.FAIL_ONCE), 90),
    (BROKEN, 90),
    (attrs.evolve(BROKEN, mode=Mode.FAIL_ON), 90),
)
"""Ways to strike, and of how many points of the backlog's life one is taken."""

DECIDES = r"store\.db-wal|/refs/heads/orchestrator/|/refs/orchestrator/"
"""Where the points lie between which a result is half kept."""

MOVING = attrs.evolve(KILL, kinds=Kind.RENAME, only="/refs/heads/orchestrator/")
MOVED = attrs.evolve(KILL, kinds=Kind.REMOVE, only="/moves/refs!heads!orchestrator!")
"""Before and after a result is put on its item's branch."""

WAITING = attrs.evolve(KILL, kinds=Kind.REMOVE, only="/moves/refs!orchestrator!waiting!")
LANDED = attrs.evolve(KILL, kinds=Kind.REMOVE, only="/moves/refs!heads!main")
"""After a result was put aside, and after it was delivered."""

SYNCED = attrs.evolve(KILL, kinds=Kind.SYNC, only="/store.db-wal")
TAKEN = attrs.evolve(KILL, kinds=Kind.CREATE, only="/.git/objects/")
WRITTEN = attrs.evolve(KILL, kinds=Kind.WRITE, only="/store.db")
"""After a transaction; while a result is taken from its workspace; within a transaction."""

FOUND_OUT = {
    "ref_before_intent": ("scope", MOVED),
    "no_intent": ("scope", MOVED),
    "done_apart": ("scope", SYNCED),
    "done_afterwards": ("scope", SYNCED),
    "follow_ups_apart": ("build", SYNCED),
    "settle_says_done": ("scope", MOVING),
    "settle_gives_up": ("scope", MOVED),
    "settle_by_force": ("scope", MOVED),
    "workspace_as_left": ("scope", TAKEN),
    "locks_left": ("scope", MOVING),
    "journal_off": ("scope", WRITTEN),
    "lost_attempt_forgotten": ("scope", TAKEN),
}
"""The phase, and the points in it, at which each wrong variant comes to another end."""


def way(like: object) -> str:
    """Name a way to strike, and how often."""
    if not isinstance(like, Plan):
        return str(like)
    return like.mode.name + (f"-{errno.errorcode[like.error]}" if like.error else "")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Life], Matrix]:
    """Return the matrix of a life, made once."""
    matrices: dict[str, Matrix] = {}

    def make(life: Life) -> Matrix:
        if life.name not in matrices:
            directory = tmp_path_factory.mktemp(life.name)
            matrices[life.name] = Matrix.of(Shim.compiled(directory), life, directory)
        return matrices[life.name]

    return make


Try = Callable[[str, Matrix, Iterable[Case]], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")

    return say


@pytest.fixture
def try_all(say: Callable[[str], None]) -> Try:
    """Live through cases, say how many they were, and fail with what went wrong."""

    def try_all(name: str, matrix: Matrix, cases: Iterable[Case]) -> None:
        began = time.monotonic()
        lived = matrix.try_all(cases)
        said = report(f"{matrix.life.name}, {name}, of {matrix.count} points", lived, began)
        say(said)
        assert not any(one.wrong for one in lived), said
        assert sum(bool(one.at) for one in lived) >= 0.9 * len(lived), said

    return try_all


@pytest.mark.parametrize(
    "life",
    [AT_ONCE, *(pytest.param(life, marks=pytest.mark.slow) for life in (SPEC_RUN, STEPS))],
    ids=lambda life: life.name,
)
def test_the_points_have_not_become_fewer(
    made: Callable[[Life], Matrix], say: Callable[[str], None], life: Life
) -> None:
    found, recorded = made(life).count, POINTS[life.name]
    say(f"{life.name}: {found} points, {recorded} recorded")
    assert found >= 0.9 * recorded


def test_struck_where_a_result_is_half_kept_it_gets_to_the_same_end(
    made: Callable[[Life], Matrix], try_all: Try
) -> None:
    matrix = made(AT_ONCE)
    # None of these leaves a lock, whose end the next run would wait for.
    cases = [matrix.every(1, like)[-1] for like in (MOVED, WAITING, LANDED)]
    try_all("where a result is half kept", matrix, [*cases, *matrix.every(900, FULL, 400)])


def test_a_result_that_is_kept_twice_is_found_out(
    made: Callable[[Life], Matrix], say: Callable[[str], None]
) -> None:
    matrix = made(AT_ONCE)
    found_out("no_intent", matrix, matrix.every(1, MOVED)[1:2], say)


@pytest.mark.slow
@pytest.mark.parametrize(("like", "stride"), WAYS, ids=way)
def test_struck_at_any_point_of_a_backlog_it_gets_to_the_same_end(
    made: Callable[[Life], Matrix], try_all: Try, like: Plan, stride: int
) -> None:
    matrix = made(STEPS)
    stride *= SPARSE
    first = [one for one, _ in WAYS].index(like)
    try_all(f"{way(like)}, each {stride}th", matrix, matrix.every(stride, like, first))


@pytest.mark.slow
def test_struck_at_some_points_of_the_run_of_a_change_it_gets_to_the_same_end(
    made: Callable[[Life], Matrix], try_all: Try
) -> None:
    matrix = made(SPEC_RUN)
    strides = [(like, 2 * SPARSE * stride) for like, stride in WAYS]
    cases = [case for like, stride in strides for case in matrix.every(stride, like, stride // 4)]
    try_all(f"all ways, each {strides[0][1]}th and fewer", matrix, cases)


@pytest.mark.slow
def test_struck_again_while_it_recovers_it_gets_to_the_same_end(
    made: Callable[[Life], Matrix], try_all: Try
) -> None:
    matrix = made(STEPS)
    firsts = matrix.every(120 * SPARSE, KILL, 40)
    # The recovering run comes to at least as many points as the step it takes up again.
    cases = [
        attrs.evolve(one, plans=(*one.plans, attrs.evolve(KILL, at=1 + 37 * number % 150)))
        for number, one in enumerate(firsts)
    ]
    try_all(f"killed twice, each {120 * SPARSE}th", matrix, cases)


@pytest.mark.slow
@pytest.mark.parametrize("meddling", MEDDLINGS, ids=lambda meddling: meddling.name)
def test_whatever_a_person_did_meanwhile_nothing_of_it_is_lost(
    made: Callable[[Life], Matrix], try_all: Try, meddling: Meddling
) -> None:
    matrix = made(STEPS)
    stride = 60 * SPARSE
    cases = [attrs.evolve(one, meddle=meddling) for one in deciding(matrix)[::stride]]
    try_all(f"killed where it decides, each {stride}th, its user {meddling.name}", matrix, cases)


@pytest.mark.slow
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_a_product_that_is_wrong_is_found_out(
    made: Callable[[Life], Matrix], say: Callable[[str], None], variant: str
) -> None:
    matrix = made(STEPS)
    phase, like = FOUND_OUT[variant]
    command = PHASES.index(phase)
    cases = [one for one in matrix.every(1, like) if one.command == command]
    found_out(variant, matrix, cases[:-21:-1], say)


def found_out(
    variant: str, matrix: Matrix, cases: Iterable[Case], say: Callable[[str], None]
) -> None:
    """Live through cases as a wrong variant; fail when none of them goes wrong."""
    meddle = AMENDS if variant == "settle_by_force" else None
    wrong = [attrs.evolve(one, variant=variant, meddle=meddle) for one in cases]
    lived = matrix.try_all(wrong, until=is_wrong)
    found = [one for one in lived if one.wrong]
    what = found[0].wrong.splitlines()[0][:200] if found else "NOT FOUND OUT"
    say(f"{variant}, {len(lived)} of {len(wrong)} lives: {what}")
    assert found


def is_wrong(lived: Lived) -> bool:
    """Tell whether a life went wrong."""
    return bool(lived.wrong)


def deciding(matrix: Matrix) -> list[Case]:
    """Return kills at the points where the store or a ref of the product changes."""
    return matrix.at(DECIDES, KILL)
