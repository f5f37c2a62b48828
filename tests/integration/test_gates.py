"""Promise: every condition that does not hold is told at once, and none looks out of its place."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from orchestrator.errors import UsageError
from orchestrator.guardian.client import Guardians
from orchestrator.redact import redactor
from orchestrator.run.backlog.gates import MOST_READ, examine, failing, gate_values
from orchestrator.run.build import Build
from orchestrator.run.checks.checker import Checker
from orchestrator.run.hosting.host import GuardedHost
from orchestrator.work.backlog.gate import Gate

pytestmark = pytest.mark.processes

KINDS = ("json", "toml", "yaml")


class Place:
    """A workspace whose gates can be asked."""

    def __init__(self, folder: Path, guardians: Guardians) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.seconds = 20.0
        self.checker = Checker(
            host=GuardedHost(
                guardians=guardians, writable=(self.root,), lock=folder / "workspace.lock"
            ),
            env=dict(os.environ),
            root=self.root,
            checkout=folder / "checkout",
            build=Build(setup=(), verify=()),
            before=(),
            timeout=30.0,
            interrupt=trio.Event(),
            redact=redactor({}),
            publish=lambda _: None,
        )

    async def ask(self, *gates: Gate, issue: str = "") -> tuple[str, ...]:
        with trio.fail_after(60):
            return failing(
                await examine(
                    gates,
                    root=self.root,
                    values=gate_values("WRK-1", "build", issue=issue),
                    checker=self.checker,
                    deadline=self.seconds,
                    ask=self.checks,
                    verify=(),
                )
            )

    async def checks(self, name: str, root: Path) -> str:
        await trio.lowlevel.checkpoint()
        if name != "lint.check-style":
            raise UsageError(f"no plugin has a command {name}")
        return "" if (root / "clean").exists() else "it is not clean"

    def write(self, path: str, text: str = "") -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Guardians() as guardians:
        yield Place(tmp_path, guardians)


async def test_conditions_that_hold_say_nothing(place: Place) -> None:
    place.write("notes/WRK-1.build.md", "all ready now")
    place.write("a/b/c.txt")
    assert not await place.ask(
        Gate(file="notes/{item}.{phase}.md", contains="ready"),
        Gate(file="notes"),
        Gate(glob="notes/{item}*"),
        Gate(glob="*.txt"),
        Gate(glob="a/"),
        Gate(glob="a/**/c.*"),
        Gate(absent="**/*.orig"),
        Gate(absent="no/such/place/*"),
        Gate(command='test "{item} {phase}" = "WRK-1 build" && test -f a/b/c.txt'),
    )


async def test_every_condition_that_does_not_hold_is_told_with_what_would(place: Place) -> None:
    place.write("here.md", "not yet")
    place.write("a/b.orig")
    assert await place.ask(
        Gate(file="plan.md"),
        Gate(file="here.md", contains="ready"),
        Gate(command="echo first; echo last; exit 3"),
        Gate(glob="docs/*.md"),
        Gate(absent="*.orig"),
        Gate(command="false"),
    ) == (
        "plan.md is missing; it has to be there",
        "here.md does not contain 'ready'; it has to",
        "the command `echo first; echo last; exit 3` failed (exit 3): last; it has to succeed",
        "nothing matches docs/*.md; there has to be a file that does",
        "a/b.orig matches *.orig; it must not be there",
        "the command `false` failed (exit 1); it has to succeed",
    )


async def test_no_condition_looks_out_of_the_workspace(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("key")
    (place.root / "link").symlink_to(outside)
    (place.root / "file").symlink_to(outside / "secret.txt")
    (place.root / ".git").mkdir()
    (place.root / ".git" / "secret.txt").touch()
    leads_out = "leads out of the workspace; it has to be a file inside"
    assert await place.ask(
        Gate(file="file", contains="key"),
        Gate(file="link/secret.txt"),
        Gate(glob="secret.txt"),
        Gate(glob="link/*.txt"),
        Gate(absent="link/*"),
    ) == (
        f"file {leads_out}",
        f"link/secret.txt {leads_out}",
        "nothing matches secret.txt; there has to be a file that does",
        "nothing matches link/*.txt; there has to be a file that does",
    )


async def test_a_condition_that_is_none_does_not_hold(place: Place) -> None:
    found = await place.ask(
        Gate(file="../secret.txt"),
        Gate(glob="/etc/*"),
        Gate(absent="~/x"),
        Gate(absent="a/../../x"),
        Gate(absent="a\0b"),
        Gate(command="true\0"),
        Gate(),
    )
    assert [problem.partition(" cannot be decided: ")[2] for problem in found] == [
        "expected a path inside the project, got '../secret.txt'",
        "expected a path inside the project, got '/etc/*'",
        "expected a path inside the project, got '~/x'",
        "expected a path inside the project, got 'a/../../x'",
        "expected text without NUL",
        "expected text without NUL",
        "expected one of file, glob, absent, command, check and verify, got none",
    ]


async def test_what_cannot_be_looked_at_does_not_hold(place: Place) -> None:
    (place.root / "circle").symlink_to("circle")
    (place.root / "one").symlink_to("other")
    (place.root / "other").symlink_to("one")
    for path in ("circle", "one/a.md", "x" * 300, "a/" * 3000 + "a"):
        for gate in (Gate(file=path), Gate(glob=f"{path}/*.md"), Gate(glob=f"{path}/")):
            (problem,) = await place.ask(gate)
            assert "cannot be looked at: " in problem or "nothing matches" in problem
            assert len(problem) < 15_000
    (said,) = await place.ask(Gate(file="circle"))
    assert said.startswith(("circle cannot be looked at: ", "circle is missing"))
    (said,) = await place.ask(Gate(absent="circle/*"))
    assert said.startswith("circle/* cannot be looked at: ")
    (said,) = await place.ask(Gate(file="x" * 300))
    assert said.endswith("cannot be looked at: File name too long")


async def test_a_file_of_any_name_is_told(place: Place) -> None:
    (place.root / os.fsdecode(b"\xff\n\x1b[1m.orig")).touch()
    (said,) = await place.ask(Gate(absent="*.orig"))
    assert said == ".orig matches *.orig; it must not be there"


@pytest.mark.parametrize("issue", ["99; touch x", "$(touch x)", "*", "it's"])
async def test_no_value_is_more_than_itself(place: Place, issue: str) -> None:
    place.write("docs/other/a.md")
    place.write("docs/12/a.md")
    quoted, *found = await place.ask(
        Gate(command='test "{issue}" != y'),
        Gate(command="test -e {issue}"),
        Gate(glob="docs/{issue}/*.md"),
        Gate(file="docs/{issue}/a.md"),
        issue=issue,
    )
    assert "what {issue} stands for means something to a shell" in quoted
    assert len(found) == 3
    assert not (place.root / "x").exists()
    place.write(f"docs/{issue}/a.md")
    assert not await place.ask(
        Gate(command="test -e docs/{issue}/a.md"),
        Gate(glob="docs/{issue}/*.md"),
        Gate(file="docs/{issue}/a.md"),
        issue=issue,
    )
    (there,) = await place.ask(Gate(absent="docs/{issue}/*"), issue=issue)
    assert there.startswith(f"docs/{issue}/a.md matches docs/")


async def test_a_key_is_looked_for_by_the_format_of_the_file(place: Place) -> None:
    place.write("a.json", '\ufeff{"a": [{"b": null}]}')
    place.write("a.toml", "[[a]]\nb = 1\n")
    place.write("a.yaml", "a:\n- b: 1\n  when: 2024-01-01\n")
    assert not await place.ask(*(Gate(file=f"a.{kind}", key="a.0.b") for kind in KINDS))
    (place.root / "a.json").write_bytes(b"\xff")
    place.write("a.toml", "a = ")
    place.write("a.yaml", "a: [")
    latin, toml, yaml = await place.ask(*(Gate(file=f"a.{kind}", key="a.0.b") for kind in KINDS))
    assert latin == "a.json is not UTF-8; a.json has to have the key a.0.b"
    assert toml.startswith("a.toml cannot be read: Invalid value")
    assert yaml.startswith("a.yaml cannot be read: while parsing a flow")
    place.write("a.yaml", "- a: 1")
    (no,) = await place.ask(Gate(file="a.yaml", key="0.b"))
    assert no == "a.yaml has no key 0.b: there is no b; it has to"


async def test_a_file_that_takes_for_ever_to_parse_is_given_up(place: Place) -> None:
    place.write("a.yaml", "a: [" + "{b: [c, d]}, " * (MOST_READ // 14) + "]")
    started = time.monotonic()
    place.seconds = 0.5
    (problem,) = await place.ask(Gate(file="a.yaml", key="a"))
    assert "a.yaml cannot be " in problem
    assert "0.5 s" in problem
    assert time.monotonic() - started < 10


async def test_files_are_looked_at_while_all_other_threads_are_busy(place: Place) -> None:
    place.write("a.md")
    everybody = trio.to_thread.current_default_thread_limiter()
    for _ in range(int(everybody.total_tokens)):
        await everybody.acquire_on_behalf_of(object())
    assert not await place.ask(Gate(file="a.md"))


async def test_file_that_is_none_or_endless_does_not_hold_anybody(place: Place) -> None:
    os.mkfifo(place.root / "pipe")
    with (place.root / "huge").open("wb") as file:
        file.truncate(MOST_READ + 10)
        file.seek(0, os.SEEK_END)
        file.write(b"ready")
    started = time.monotonic()
    found = await place.ask(
        Gate(file="pipe", contains="ready"), Gate(file="huge", contains="ready")
    )
    assert [problem.partition("; ")[0] for problem in found] == [
        "pipe is not a regular file",
        "huge does not contain 'ready'",
    ]
    assert time.monotonic() - started < 10


async def test_a_link_inside_is_a_file_like_any_other(place: Place) -> None:
    place.write("real.md", "ready")
    (place.root / "link.md").symlink_to("real.md")
    (place.root / "dangling.md").symlink_to("nowhere.md")
    assert await place.ask(
        Gate(file="link.md", contains="ready"), Gate(file="dangling.md"), Gate(absent="dangling.md")
    ) == (
        "dangling.md is missing; it has to be there",
        "dangling.md matches dangling.md; it must not be there",
    )
