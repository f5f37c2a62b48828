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


class Place:
    """A workspace whose gates can be asked."""

    def __init__(self, folder: Path, guardians: Guardians) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
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

    async def ask(self, *gates: Gate) -> tuple[str, ...]:
        with trio.fail_after(30):
            return failing(
                await examine(
                    gates,
                    root=self.root,
                    values=gate_values("WRK-1", "build"),
                    checker=self.checker,
                    deadline=20.0,
                    ask=self.checks,
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
        Gate(command="echo first; echo last >&2; exit 3"),
        Gate(glob="docs/*.md"),
        Gate(absent="*.orig"),
        Gate(command="false"),
    ) == (
        "plan.md is missing; it has to be there",
        "here.md does not contain 'ready'; it has to",
        "the command `echo first; echo last >&2; exit 3` failed (exit 3): last; it has to succeed",
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
        Gate(file="../outside/secret.txt"),
        Gate(glob="secret.txt"),
        Gate(glob="link/*.txt"),
        Gate(glob="../outside/*"),
        Gate(absent="link/*"),
    ) == (
        f"file {leads_out}",
        f"link/secret.txt {leads_out}",
        f"../outside/secret.txt {leads_out}",
        "nothing matches secret.txt; there has to be a file that does",
        "nothing matches link/*.txt; there has to be a file that does",
        "nothing matches ../outside/*; there has to be a file that does",
    )


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
