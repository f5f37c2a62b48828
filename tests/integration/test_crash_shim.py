"""What the crash matrix stands on: the shim counts every change, and strikes exactly there."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from tests.crash.shim import Kind, Mode, Plan, Shim, Struck
from tests.gitrepo import make_repository

pytestmark = pytest.mark.processes

# Every call that Python makes of its own accord lies outside of the root.
PROGRAM = """\
import os, sqlite3, subprocess, sys
def tried(what, *arguments):
    try:
        return what(*arguments)
    except OSError as error:
        print(what.__name__, error.errno)
os.mkdir("made")
file = tried(os.open, "made/a", os.O_CREAT | os.O_WRONLY | os.O_EXCL)
if file is not None:
    tried(os.write, file, b"12345678")
    tried(os.fsync, file)
tried(os.rename, "made/a", "made/b")
tried(os.unlink, "made/b")
tried(os.unlink, "made/never")
with open("../outside", "w") as outside:
    outside.write("not counted")
"""
CALLS = ["mkdir", "open", "write", "fsync", "rename", "unlink"]

GIT = """\
import os, subprocess
clean = {"PATH": os.environ["PATH"]}
done = subprocess.run(["git", "update-ref", "refs/heads/new", "HEAD"], env=clean)
print(done.returncode)
subprocess.run(["sh", "-c", "echo > not-counted"], env=clean)
os.mkdir("after")
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return Shim.compiled(tmp_path_factory.mktemp("shim"))


def run(shim: Shim, directory: Path, program: str, plan: Plan) -> Struck:
    directory.mkdir(exist_ok=True)
    return shim.run(
        [sys.executable, "-S", "-c", program],
        plan,
        cwd=directory,
        roots=[directory],
        control=directory.parent / "control",
    )


def test_each_change_below_the_root_is_counted_once(shim: Shim, tmp_path: Path) -> None:
    counted = run(shim, tmp_path / "root", PROGRAM, Plan())
    assert (counted.code, counted.struck) == (0, False), counted.err
    assert [point.call for point in counted.points] == CALLS
    assert [point.path for point in counted.points][:2] == ["/made", "/made/a"]
    some = run(shim, tmp_path / "other", PROGRAM, Plan(kinds=Kind.WRITE | Kind.SYNC))
    assert [point.call for point in some.points] == ["write", "fsync"]
    few = run(shim, tmp_path / "few", PROGRAM, Plan(only="/b"))
    assert [point.call for point in few.points] == ["rename", "unlink"]


@pytest.mark.parametrize("at", range(1, len(CALLS) + 1))
def test_it_dies_before_exactly_that_call(shim: Shim, tmp_path: Path, at: int) -> None:
    root = tmp_path / "root"
    died = run(shim, root, PROGRAM, Plan(mode=Mode.KILL_ENGINE, at=at))
    assert (died.code, died.struck) == (-9, True)
    assert [point.call for point in died.points] == CALLS[:at]
    left = {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*")}
    made = {"made": left.get("made")}
    assert left == [{}, made, made | {"made/a": 0}, *[made | {"made/a": 8}] * 2,
                    made | {"made/b": 8}][at - 1]  # fmt: skip


def test_a_torn_write_leaves_its_first_half(shim: Shim, tmp_path: Path) -> None:
    died = run(shim, tmp_path / "root", PROGRAM, Plan(mode=Mode.TEAR, at=1, kinds=Kind.WRITE))
    assert died.code == -9
    assert (tmp_path / "root/made/a").read_bytes() == b"1234"


def test_a_call_fails_once_or_from_there_on(shim: Shim, tmp_path: Path) -> None:
    once = run(shim, tmp_path / "once", PROGRAM, Plan(mode=Mode.FAIL_ONCE, at=3, error=errno.EIO))
    assert (once.code, once.out) == (0, f"write {errno.EIO}\nunlink {errno.ENOENT}\n")
    plan = Plan(mode=Mode.FAIL_ON, at=2, error=errno.ENOSPC, kinds=Kind.CREATE)
    on = run(shim, tmp_path / "on", PROGRAM, plan)
    wanted = ["open", errno.ENOSPC, "rename", errno.ENOENT, *["unlink", errno.ENOENT] * 2]
    assert on.out.split() == [str(word) for word in wanted]


def test_a_git_is_counted_whatever_its_environment_and_nothing_else_is(
    shim: Shim, tmp_path: Path
) -> None:
    root = make_repository(tmp_path / "root")
    counted = run(shim, root, GIT, Plan())
    assert counted.points[-1].path == "/after"
    gits = counted.points[:-1]
    assert {point.by for point in gits} == {"git update-ref"}
    assert gits[-1].call == "rename"
    assert gits[-1].path == "/.git/refs/heads/new"


def test_the_git_dies_or_its_engine_or_both(shim: Shim, tmp_path: Path) -> None:
    ended = {}
    for mode in (Mode.KILL_CHILD, Mode.KILL_ENGINE, Mode.KILL_ALL):
        root = make_repository(tmp_path / mode.name)
        struck = run(shim, root, GIT, Plan(mode=mode, at=2))
        moved = (root / ".git/refs/heads/new").exists()
        ended[mode] = (struck.code, struck.out, moved, (root / "after").exists())
    assert ended[Mode.KILL_CHILD] == (0, "-9\n", False, True)
    assert ended[Mode.KILL_ALL] == (-9, "", False, False)
    code, _, _, after = ended[Mode.KILL_ENGINE]
    assert (code, after) == (-9, False)  # its git may still be at work
