"""A scratch repository with a backlog, its pipelines, and a scripted worker that does the phases.

Everything in it goes through the real command line, real git and real processes; see
`tests.backlog_worker` for what the worker can be told to do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.scratch import Ran, Scratch, alive_with, wait_for

WORKER = Path(__file__).with_name("backlog_worker.py")
PATIENCE = 120.0
"""Seconds for what takes a moment where nothing else runs."""
STEPS = ("plan", "build", "review")

Phases = Sequence[str | Mapping[str, Any]]
"""Names of phases, or tables of them."""


@attrs.define(kw_only=True)
class BacklogScratch(Scratch):
    """A repository of a user with a backlog. Items are named by their titles."""

    ids: dict[str, str] = attrs.field(factory=dict)

    def orc(
        self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = PATIENCE
    ) -> Ran:
        """Run the real command line to its end; a run of the backlog may have many phases."""
        return super().orc(*arguments, env=env, timeout=timeout)

    @property
    def place(self) -> Path:
        """Where the worker finds its script and leaves its log; it may write there."""
        return Path(os.environ["HOME"]) / ".cache" / "worker"

    def set_up(
        self,
        phases: Phases = STEPS,
        *,
        pre: Phases = (),
        pipelines: Mapping[str, Mapping[str, Phases]] | None = None,
        tables: Mapping[str, Mapping[str, Any]] | None = None,
        **execution: Any,
    ) -> None:
        """Write ``orchestrator.toml``: the pipeline "feature", others, and more tables."""
        rows = {"agent": "mine", "verify": [], "max_attempts": 2, **execution}
        argv = [sys.executable, "-I", "-S", "-B", str(WORKER), str(self.place)]
        document: dict[str, Mapping[str, Any]] = {
            "execution": rows,
            "agents.mine": {"kind": "command", "argv": [*argv, "{prompt_file}"]},
            **(tables or {}),
        }
        text = "".join(
            f"[{name}]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in table.items())
            for name, table in document.items()
        )
        named = {"feature": {"pre_phases": pre, "phases": phases}, **(pipelines or {})}
        for name, lists in named.items():
            for key, listed in lists.items():
                for phase in listed:
                    table = {"name": phase} if isinstance(phase, str) else phase
                    text += f"[[pipelines.{name}.{key}]]\n"
                    text += "".join(f"{k} = {_toml(v)}\n" for k, v in table.items())
        (self.path / "orchestrator.toml").write_text(text)

    def script(self, steps: Mapping[str, Any]) -> None:
        """Tell the worker what to do: under "TITLE/PHASE" or "PHASE", a step or a list of some."""
        listed = {key: step if isinstance(step, list) else [step] for key, step in steps.items()}
        new = self.place / "script.new"
        new.write_text(json.dumps(listed))
        new.replace(self.place / "script.json")

    def add(self, *items: str | Mapping[str, Any]) -> None:
        """Add items, each a title or a line of a file; what they need are titles."""
        lines = []
        for item in items:
            line = {"title": item} if isinstance(item, str) else dict(item)
            needs = [self.ids.get(title, title) for title in line.get("needs", ())]
            lines.append(json.dumps({"key": line["title"], **line, "needs": needs}))
        (self.home / "items.jsonl").write_text("\n".join(lines))
        ran = self.orc("add", "-f", str(self.home / "items.jsonl"), "--json")
        assert ran.code == 0, ran.out + ran.err
        self.ids.update((item["title"], item["id"]) for item in json.loads(ran.out)["items"])

    def items(self) -> dict[str, dict[str, Any]]:
        """Return every item by its title, as `list --json` tells of it."""
        ran = self.orc("list", "--all", "--json")
        assert ran.code == 0, ran.err
        found = json.loads(ran.out)["items"]
        self.ids.update((item["title"], item["id"]) for item in found)
        return {item["title"]: item for item in found}

    def statuses(self) -> dict[str, str]:
        """Return the status of every item, by its title."""
        return {title: item["status"] for title, item in self.items().items()}

    def show(self, title: str) -> dict[str, Any]:
        """Return what `show --json` tells of an item."""
        return dict(json.loads(self.orc("show", self.ids[title], "--json").out))

    def branch(self, title: str) -> str:
        """Return the name of an item's branch."""
        return f"orchestrator/{self.ids[title]}"

    def subjects(self, title: str, since: str = "main") -> list[str]:
        """Return the subjects of an item's commits, oldest first; ID stands for its id."""
        told = self.git("log", "--reverse", "--format=%s", f"{since}..{self.branch(title)}")
        return told.replace(self.ids[title], "ID").splitlines()

    def changed(self, commit: str) -> list[str]:
        """Return the paths that a commit changed."""
        argv = ["git", "diff-tree", "--no-commit-id", "--name-only", "--no-renames", "-r", "-z"]
        done = subprocess.run([*argv, commit], cwd=self.path, check=True, capture_output=True)
        return sorted(os.fsdecode(path) for path in done.stdout.split(b"\0") if path)

    @property
    def noted(self) -> list[dict[str, Any]]:
        """What workers noted, oldest first."""
        path = self.place / "log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def begun(self, phase: str | None = None) -> list[str]:
        """Return "TITLE/PHASE" of each try that a worker began, in that order."""
        return [
            f"{entry['title']}/{entry['phase']}"
            for entry in self.noted
            if entry["what"] == "begin" and phase in (None, entry["phase"])
        ]

    def prompts(self, title: str, phase: str) -> list[str]:
        """Return the prompts of an item's phase, in the order of the tries."""
        return [
            (self.place / "prompts" / entry["attempt"]).read_text()
            for entry in self.noted
            if (entry["what"], entry["title"], entry["phase"]) == ("begin", title, phase)
        ]

    def arrived(self, story: str) -> bool:
        """Tell whether a worker came to a "hold" of this name."""
        return (self.place / f"at-{story}").exists()

    def reach(self, name: str) -> None:
        """Wait until a worker came to a "hold" of this name."""
        wait_for(lambda: self.arrived(name), PATIENCE)

    def let_go(self, name: str) -> None:
        """Let a worker go on that holds, or will."""
        (self.place / f"go-{name}").touch()

    def no_worker(self) -> bool:
        """Tell whether no worker is left."""
        return not alive_with(str(self.place))

    def background(self, *arguments: str) -> Background:
        """Start the command line; its output goes into a file."""
        output = self.home / "background.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=self.path,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        return Background(process=process, output=output)


@attrs.frozen(kw_only=True)
class Background:
    """A command line that goes on beside the test."""

    process: subprocess.Popen[bytes]
    output: Path

    def ended(self) -> Ran:
        """Wait until it has ended."""
        try:
            code = self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"it goes on:\n{self.output.read_text()}") from None
        return Ran(code=code, out=self.output.read_text(errors="replace"), err="")

    def kill9(self) -> None:
        """SIGKILL it and wait."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def make_backlog(directory: Path, phases: Phases = STEPS, **settings: Any) -> BacklogScratch:
    """Make a repository with one commit, a configuration and an empty backlog."""
    path = directory / "project"
    path.mkdir(parents=True)
    scratch = BacklogScratch(home=directory, path=path)
    scratch.place.mkdir(parents=True, exist_ok=True)
    scratch.git("init", "-q", "-b", "main")
    (path / "README.md").write_text("# Project\n")
    (path / "old.txt").write_text("old\n")
    scratch.git("add", ".")
    scratch.git("commit", "-q", "-m", "Start")
    scratch.set_up(phases, **settings)
    scratch.script({})
    return scratch


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
