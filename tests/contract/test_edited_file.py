"""What agents that edit files rely on: nothing half, nothing lost, nothing outside, no waiting."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trio

from orchestrator.adapters import aside, confined
from orchestrator.adapters.confined import turn
from orchestrator.adapters.edited_file import Mode, edit_file
from orchestrator.adapters.process import live_pids
from orchestrator.adapters.threads import in_thread
from orchestrator.errors import AdapterTimedOutError, EditError, UsageError
from orchestrator.work.edit import LIMIT, Insertion, LineEdit, Replacement, Request

pytestmark = pytest.mark.processes

HELLO = Request(content="hello\n")
ENDLESS = Request(replacement=Replacement(search="(a+)+$", replace="b", regex=True))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    root.mkdir()
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("safe\n")
    return outside


def everything_in(top: Path) -> dict[str, bytes | None]:
    """Return all that lies below a directory, with what the files hold."""
    return {
        str(path.relative_to(top)): path.read_bytes() if path.is_file() else None
        for path in top.rglob("*")
    }


def test_a_new_file_is_made_with_its_directories(root: Path) -> None:
    done = edit_file(root, "a/b/c.txt", HELLO)

    assert everything_in(root) == {"a": None, "a/b": None, "a/b/c.txt": b"hello\n"}
    assert (done.path, done.changed, done.written, done.problems) == ("a/b/c.txt", True, True, ())
    assert done.diff == "--- /dev/null\n+++ b/a/b/c.txt\n@@ -0,0 +1,1 @@\n+hello\n"


def test_a_new_file_has_the_mode_that_any_would_have(root: Path) -> None:
    edit_file(root, "a", HELLO)
    (root / "b").touch()

    assert (root / "a").stat().st_mode == (root / "b").stat().st_mode


def test_an_edited_file_keeps_its_mode(root: Path) -> None:
    path = root / "a.sh"
    path.write_text("one\ntwo\n")
    path.chmod(0o751)

    done = edit_file(root, "./a.sh", Request(line_edits=(LineEdit(start=2, end=2, text="2"),)))

    assert path.read_text() == "one\n2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert done.diff == "--- a/a.sh\n+++ b/a.sh\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"


def test_an_absolute_path_inside_is_as_good(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)

    assert edit_file(root, str(root / "a"), HELLO).path == "a"
    assert edit_file(link, str(link / "b"), HELLO).path == "b"
    assert edit_file(link, str(root / "c"), HELLO).path == "c"
    assert sorted(everything_in(root)) == ["a", "b", "c"]


def test_an_unchanged_file_is_not_written(root: Path) -> None:
    path = root / "a"
    path.write_text("hello\n")
    before = path.stat()

    done = edit_file(root, "a", HELLO)

    assert (done.changed, done.written, done.diff) == (False, False, "")
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", ["b\r\n", "\ufeffb\n"])
def test_a_mark_of_utf_8_and_the_ends_of_lines_stay(root: Path, content: str) -> None:
    (root / "a.json").write_bytes(b"\xef\xbb\xbf[\r\n]\r\n")
    (root / "b").write_bytes(b"\xef\xbb\xbfa\r\n")

    edit_file(root, "a.json", Request(insertions=(Insertion(at=2, text="1"),)))
    edit_file(root, "b", Request(content=content))
    again = edit_file(root, "b", Request(content=content))

    assert (root / "a.json").read_bytes() == b"\xef\xbb\xbf[\r\n1\r\n]\r\n"
    assert (root / "b").read_bytes() == b"\xef\xbb\xbfb\r\n"
    assert (again.changed, again.diff) == (False, "")


def test_an_expression_is_replaced(root: Path) -> None:
    (root / "a").write_text("x = 1\né = 2\n")
    wanted = Replacement(search=r"^(\w) = (\d)$", replace=r"\2 = \1", regex=True, multiline=True)

    edit_file(root, "a", Request(replacement=wanted))

    assert (root / "a").read_text() == "1 = x\n2 = é\n"


def test_a_wrong_expression_is_named(root: Path) -> None:
    (root / "a").write_text("x\n")
    with pytest.raises(UsageError) as raised:
        edit_file(root, "a", Request(replacement=Replacement(search="(", replace="", regex=True)))
    assert raised.value.where == "replacement.search"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/",
        "..",
        "../outside/a",
        "b/../../outside/a",
        "b/../c",
        "/etc/hostname",
        "{outside}/a",
        "{root}/../outside/a",
        "{root}",
        "a/",
        "out",
        "dir/a",
        "dir/new",
        "dir/b/new",
        "dangling",
        "round",
        "round/a",
        ".git",
        ".git/config",
        ".GIT/hooks/post-commit",
        "b/.git/config",
        "hidden/config",
        "a\0b",
        "a\ud800",
        "a" * 300,
        "a/" * 3_000 + "a",
    ],
)
def test_no_path_leads_out_or_to_git(root: Path, outside: Path, path: str) -> None:
    (root / "b").mkdir()
    (root / ".git").mkdir()
    (root / ".git/config").write_text("[core]\n")
    (root / "out").symlink_to(outside / "a")
    (root / "dir").symlink_to("../outside")
    (root / "dangling").symlink_to(outside / "new")
    (root / "round").symlink_to("round")
    (root / "hidden").symlink_to(".git")
    before = everything_in(root), everything_in(outside)

    with pytest.raises(UsageError) as raised:
        edit_file(root, path.format(root=root, outside=outside), HELLO)

    assert raised.value.fix
    assert (everything_in(root), everything_in(outside)) == before


def test_a_link_inside_leads_to_its_file(root: Path) -> None:
    (root / "real").mkdir()
    (root / "real/a.json").write_text("[]")
    (root / "link").symlink_to("real/a.json")
    (root / "dir").symlink_to(root / "real")

    assert edit_file(root, "link", Request(content="[1]")).path == "link"
    edit_file(root, "dir/b", HELLO)

    assert (root / "link").is_symlink()
    assert (root / "real/a.json").read_text() == "[1]"
    assert (root / "real/b").read_text() == "hello\n"
    with pytest.raises(EditError, match="malformed"):
        edit_file(root, "link", Request(content="["))


def test_a_directory_that_becomes_a_link_meanwhile_is_not_followed(
    root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "dir").mkdir()

    @contextlib.contextmanager
    def late(top: Path) -> Iterator[int]:
        with turn(top) as handle:
            (root / "dir").rmdir()
            (root / "dir").symlink_to(outside)
            yield handle

    monkeypatch.setattr("orchestrator.adapters.edited_file.turn", late)
    with pytest.raises(EditError, match="cannot be read or written"):
        edit_file(root, "dir/a", HELLO)
    assert everything_in(outside) == {"a": b"safe\n"}


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(path))


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, make_socket])
def test_what_is_no_file_is_not_waited_for(
    root: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    make(root / "a")
    with pytest.raises(EditError, match="not a regular file"):
        edit_file(root, "a", HELLO)
    if not (root / "a").is_dir():
        with pytest.raises(EditError, match="Not a directory"):
            edit_file(root, "a/b", HELLO)
    assert everything_in(root) == {"a": None}


@pytest.mark.parametrize("glob", ["a/", "*.lock", "a/**", "/a/x.lock"])
def test_what_is_protected_is_not_edited(root: Path, glob: str) -> None:
    (root / "a").mkdir()
    (root / "a/x.lock").write_text("1")
    (root / "other").symlink_to("a/x.lock")
    (root / "way").symlink_to("a")
    for path in ("a/x.lock", "other", "./a/x.lock", "a//x.lock", f"{root}/a/x.lock", "way/x.lock"):
        with pytest.raises(UsageError) as raised:
            edit_file(root, path, HELLO, protect=["*.no", glob])
        assert raised.value.message.startswith("protected: ")
        assert f"({glob})" in raised.value.message
    assert (root / "a/x.lock").read_text() == "1"
    assert edit_file(root, "b", HELLO, protect=["*.no", glob]).written


def test_what_is_named_is_edited_though_it_is_protected(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a/x").write_text("1")
    (root / "a/y").write_text("1")
    (root / "a/link").symlink_to("y")
    (root / "plain").symlink_to("a/x")
    protect = ["a/"]

    def edit(path: str, *named: str) -> bool:
        return edit_file(root, path, HELLO, protect=protect, named=named.__contains__).written

    for path, named in (("plain", ()), ("a/x", ("plain",)), ("plain", ("plain", "x"))):
        with pytest.raises(UsageError, match=r"protected: a/x \(a/\)"):
            edit(path, *named)
    with pytest.raises(UsageError, match=r"protected: a/y \(a/\)"):
        edit("a/link", "a/link")
    with pytest.raises(UsageError, match=r"protected: a/link \(a/\)"):
        edit("a/link", "a/y")
    assert (root / "a/x").read_text() == (root / "a/y").read_text() == "1"
    assert edit("plain", "a/x")
    assert edit("a/link", "a/y", "a/link")
    assert (root / "a/x").read_text() == (root / "a/y").read_text() == "hello\n"


@pytest.mark.parametrize(
    ("data", "said"), [(b"a\n\xff\n", "line 2 is not UTF-8"), (b"a" * (LIMIT + 1), "larger than")]
)
def test_what_is_no_text_or_too_large_is_not_edited(root: Path, data: bytes, said: str) -> None:
    (root / "a").write_bytes(data)
    with pytest.raises(EditError, match=said):
        edit_file(root, "a", HELLO)
    assert (root / "a").read_bytes() == data


@pytest.mark.parametrize("content", ["\ud800", "é" * (LIMIT // 2 + 1)])
def test_what_would_be_no_text_or_too_large_is_not_written(root: Path, content: str) -> None:
    with pytest.raises(UsageError):
        edit_file(root, "a", Request(content=content))
    assert everything_in(root) == {}


@pytest.mark.parametrize(
    ("mode", "after"), [("strict", None), ("interactive", "{"), ("verify_only", None)]
)
def test_a_malformed_result_goes_by_the_mode(root: Path, mode: Mode, after: str | None) -> None:
    for name, before in (("dir/a.json", None), ("b.json", "{}")):
        path = root / name
        if before is not None:
            path.write_text(before)
        if mode == "strict":
            with pytest.raises(EditError, match="line 1: no JSON") as raised:
                edit_file(root, name, Request(content="{"))
            assert raised.value.where == name
        else:
            done = edit_file(root, name, Request(content="{"), mode=mode)
            assert (done.changed, done.written) == (True, after is not None)
            assert len(done.problems) == 1
            assert "+{" in done.diff
        wanted = before if after is None else after
        assert (path.read_text() if path.exists() else None) == wanted
    assert after or sorted(everything_in(root)) == ["b.json"]


def test_what_was_malformed_before_may_be_edited(root: Path) -> None:
    (root / "a.py").write_text("def f(:\nprint 'a'\n")

    done = edit_file(root, "a.py", Request(line_edits=(LineEdit(start=1, end=1, text="x = 1"),)))

    assert done.written
    assert len(done.problems) == 1


def test_warnings_of_a_parser_are_no_problem(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert edit_file(root, "a.py", Request(content="a = '\\d' is 1\n")).problems == ()
    assert capfd.readouterr() == ("", "")


def test_yaml_and_toml_are_checked_aside(root: Path) -> None:
    for name in ("a.yaml", "a.toml"):
        assert edit_file(root, name, Request(content="a: [ = "), mode="verify_only").problems


def test_an_edit_that_does_not_fit_writes_nothing(root: Path) -> None:
    (root / "a").write_text("a\n")
    with pytest.raises(EditError):
        edit_file(root, "a", Request(line_edits=(LineEdit(start=2, end=2, text=""),)))
    with pytest.raises(EditError, match="no such file"):
        edit_file(root, "b/c", Request(line_edits=(LineEdit(start=1, end=1, text=""),)))
    assert everything_in(root) == {"a": b"a\n"}


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_a_failed_write_leaves_the_file_and_nothing_else(
    root: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (root / "a").write_text("a\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(EditError, match="No space left"):
        edit_file(root, "a", HELLO)
    assert everything_in(root) == {"a": b"a\n"}


@pytest.mark.parametrize("before", [None, "a\n"])
def test_a_file_that_something_else_changed_meanwhile_is_left_to_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    path = root / "a"
    if before is not None:
        path.write_text(before)
    real = aside.problems

    def slow(*args: str) -> tuple[str, ...]:
        path.write_text("from elsewhere\n")
        return real(*args)

    monkeypatch.setattr(aside, "problems", slow)
    with pytest.raises(EditError, match="changed meanwhile") as raised:
        edit_file(root, "a", HELLO)
    assert raised.value.fix == "read it again, then edit it"
    assert everything_in(root) == {"a": b"from elsewhere\n"}


def test_no_edit_of_several_at_once_is_lost(root: Path) -> None:
    (root / "a").write_text("")
    wanted = [f"line {number}\n" for number in range(24)]

    def add(line: str) -> None:
        edit_file(root, "a", Request(insertions=(Insertion(at=1, text=line),)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, wanted))

    assert sorted((root / "a").read_text().splitlines(keepends=True)) == sorted(wanted)
    assert list(everything_in(root)) == ["a"]


def test_a_reader_never_sees_half_a_file(root: Path) -> None:
    whole = {("x" * 9 + "\n") * 50_000, ("y" * 9 + "\n") * 50_000}
    path = root / "a"
    path.write_text(min(whole))
    seen: list[bool] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(path.read_text() in whole)

    reader = threading.Thread(target=look)
    reader.start()
    for text in sorted(whole, reverse=True) * 3:
        edit_file(root, "a", Request(content=text))
    done.set()
    reader.join()

    assert seen
    assert all(seen)


def test_an_edit_does_not_wait_forever_for_others(root: Path) -> None:
    with (
        turn(root),
        pytest.raises(EditError, match="do not come to an end"),
        turn(root, patience=0.1),
    ):
        pass
    assert edit_file(root, "a", HELLO).written


@pytest.mark.parametrize(
    "wanted",
    [
        Replacement(search="(a+)+$", replace="", regex=True),
        Replacement(search="(A+)+$", replace="", regex=True, ignore_case=True),
    ],
)
def test_an_endless_expression_is_given_up(wanted: Replacement) -> None:
    began = time.monotonic()
    with pytest.raises(EditError, match=r"given up after 0\.5 s") as raised:
        aside.substitute("a" * 40 + "!", wanted, deadline=0.5)
    assert raised.value.where == "replacement.search"
    assert time.monotonic() - began < 8
    with live_pids() as pids:
        assert not pids


def test_an_endless_expression_writes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a").write_text("a" * 40 + "!")
    real: Any = aside.substitute
    monkeypatch.setattr(aside, "substitute", lambda *args: real(*args, deadline=0.5))
    with pytest.raises(EditError, match="given up"):
        edit_file(root, "a", ENDLESS)
    assert everything_in(root) == {"a": b"a" * 40 + b"!"}
    assert edit_file(root, "a", HELLO).written


def test_an_expression_that_makes_far_too_much_is_given_up() -> None:
    wanted = Replacement(search="a", replace="b" * LIMIT, regex=True)
    with pytest.raises(EditError, match="too much memory"):
        aside.substitute("a" * LIMIT, wanted)


async def test_a_cancelled_edit_ends_at_once_and_writes_nothing(root: Path) -> None:
    (root / "a").write_text("a" * 40 + "!")
    limiter = trio.CapacityLimiter(1)
    with pytest.raises(AdapterTimedOutError):
        await in_thread(edit_file, root, "a", ENDLESS, deadline=0.5, limiter=limiter, what="edit")
    with live_pids() as pids:
        assert not pids
    with turn(root), pytest.raises(AdapterTimedOutError):
        await in_thread(edit_file, root, "a", HELLO, deadline=0.2, limiter=limiter, what="edit")
    assert everything_in(root) == {"a": b"a" * 40 + b"!"}


def test_what_a_parser_cannot_take_is_a_problem() -> None:
    assert aside.problems("a.toml", "a = 1\n" + ".".join("a" * 200_000), deadline=0.5) == (
        "it cannot be parsed within 0.5 s",
    )


def test_large_files_are_parsed_in_time(root: Path) -> None:
    line = "def f(a, b=(1, [2, {3: 4}])): return [a + b for a in b if a]\n"
    text = line * ((1 << 19) // len(line))
    assert edit_file(root, "a.py", Request(content=text)).problems == ()


def test_patience_is_longer_than_any_one_edit() -> None:
    assert confined.PATIENCE >= 3 * aside.DEADLINE
