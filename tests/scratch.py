"""A scratch repository with an OpenSpec change, and the real command line run in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.store.reading import FactRow, open_reader
from tests.gitrepo import fingerprint

CHANGE = "add-things"
TASKS = """\
## 1. First

- [ ] 1.1 Write one.txt

## 2. Second

- [ ] 2.1 Write two.txt
"""
WORKER_PRELUDE = """\
import os, re, signal, subprocess, sys, time
from pathlib import Path
story = os.environ["ORCHESTRATOR_STORY"]
number = int(os.environ["ORCHESTRATOR_ATTEMPT"].rpartition(".")[2])
names = {"1": "one.txt", "2": "two.txt"}
def write(text="good\\n"):
    Path(names[story]).write_text(text)
def tick():
    path = Path("openspec/changes/add-things/tasks.md")
    path.write_text(re.sub(rf"- \\[ \\] ({story}\\.)", r"- [x] \\1", path.read_text()))
def arrive():
    (Path(os.environ["HOME"]) / ".cache" / f"at-{story}").touch()
def complete():
    print("<promise>COMPLETE</promise>", flush=True)
"""
GOOD = "write(); tick(); complete()\n"
VERIFY = "! grep -rq bad --include='*.txt' ."


@attrs.frozen(kw_only=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON Lines of `run --json`."""
        return [json.loads(line) for line in self.out.splitlines()]


@attrs.define
class Scratch:
    """A repository of a user, below a directory of its own. ``prefix`` starts its commands."""

    home: Path
    path: Path
    prefix: list[str] = attrs.field(factory=list)

    def git(self, *arguments: str) -> str:
        """Run git as the user would."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, check=True, capture_output=True, text=True
        )
        return done.stdout

    def worker(self, body: str) -> None:
        """Make the scripted worker do this."""
        (self.home / "worker.py").write_text(WORKER_PRELUDE + body)

    def configure(self, *, verify: list[str] | None = None, **execution: Any) -> None:
        """Write ``orchestrator.toml``, uncommitted."""
        rows = {"agent": "mine", "verify": [VERIFY] if verify is None else verify, **execution}
        text = "[execution]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in rows.items())
        argv = json.dumps([sys.executable, "-B", str(self.home / "worker.py")])
        text += f'[agents.mine]\nkind = "command"\nargv = {argv}\n'
        (self.path / "orchestrator.toml").write_text(text)

    def command(self, *arguments: str) -> list[str]:
        """Return the argv of the real command line."""
        return [*self.prefix, sys.executable, "-m", "orchestrator", *arguments]

    def orc(
        self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Ran:
        """Run the real command line to its end.

        What the user has must be the same afterwards, unless he asked for something else.
        """
        asked = arguments[:1] in (("init",), ("undo",), ("git",)) or bool(
            {"merge", "squash", "apply"} & {word.lstrip("-") for word in arguments}
        )
        before = None if asked or not (self.path / ".git").is_dir() else fingerprint(self.path)
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
        )
        assert before in (None, fingerprint(self.path)), f"{arguments} changed the checkout"
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the real command line; its output is dropped."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def arrived(self, story: str) -> bool:
        """Tell whether a worker called ``arrive()`` in this story."""
        return (Path(os.environ["HOME"]) / ".cache" / f"at-{story}").exists()

    def facts(self, name: str | None = None, since: int = 0) -> list[FactRow]:
        """What the store tells, also while an engine runs."""
        with open_reader(self.path / ".git" / "orchestrator") as reader:
            return list(reader.facts(since, name=name)) if reader is not None else []

    def log(self) -> list[str]:
        """Subjects of the item's branch, oldest first."""
        return self.git("log", "--reverse", "--format=%s", f"orchestrator/{CHANGE}").splitlines()

    def attempts(self) -> list[dict[str, Any]]:
        """What `recover --json` lists."""
        return list(json.loads(self.orc("recover", "--json").out)["pinned"])


def make_scratch(directory: Path, *, commit_spec: bool = False) -> Scratch:
    """Make a repository with one commit; the change stays uncommitted unless asked."""
    path = directory / "project"
    path.mkdir(parents=True)
    scratch = Scratch(home=directory, path=path)
    (Path(os.environ["HOME"]) / ".cache").mkdir(exist_ok=True)
    scratch.git("init", "-q", "-b", "main")
    (path / "README.md").write_text("# Project\n")
    change = path / "openspec" / "changes" / CHANGE
    change.mkdir(parents=True)
    (change / "proposal.md").write_text("# Add things\n\nBecause.\n")
    (change / "tasks.md").write_text(TASKS)
    scratch.git("add", "README.md")
    if commit_spec:
        scratch.git("add", "openspec")
    scratch.git("commit", "-q", "-m", "Start")
    scratch.configure()
    scratch.worker(GOOD)
    return scratch


def wait_for(condition: Any, seconds: float = 20.0) -> Any:
    """Poll an external process's effect; fail when it does not come."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)
    return value


def alive_with(marker: str) -> list[int]:
    """Return live processes that have ``marker`` in their arguments or environment."""
    found = []
    needle = os.fsencode(marker)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if state != "Z" and needle in text:
            found.append(int(entry.name))
    return found


def kill9(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL and reap."""
    process.send_signal(signal.SIGKILL)
    process.wait()
