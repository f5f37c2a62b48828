"""The life of a change: run to its end and merged, in the midst of its user's own work."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from orchestrator.store.reading import open_reader
from tests.crash.matrix import Give
from tests.finished import user_content
from tests.gitrepo import fingerprint, git
from tests.scratch import CHANGE, Scratch, make_scratch


class SpecRun:
    """`orc run CHANGE --finish merge`, given until it succeeds."""

    name = "spec-run"
    roots: tuple[str, ...] = ("project", "state")
    commands: tuple[tuple[str, ...], ...] = (("run", CHANGE, "--finish", "merge"),)
    detours: frozenset[str] = frozenset()

    def begin(self, directory: Path) -> Scratch:
        """Make the change's repository, with files that its user has not committed."""
        scratch = make_scratch(directory, commit_spec=True)
        (scratch.path / ".git/info/exclude").write_text("orchestrator.toml\nignored.txt\n")
        own_work(scratch)
        return scratch

    def go_on(self, scratch: Scratch, give: Give) -> None:
        """Give the command, and the one that a refusal names, until it succeeds."""
        (command,) = self.commands
        for _ in range(4):
            ran = give(*command)
            if ran.code == 0:
                return
            named = ran.err.partition("complete it: orc ")[2].partition(";")[0].split()
            if ran.code == 2 and named:
                give(*named)
        raise AssertionError(f"{' '.join(command)} ends with {ran.code}: {ran.err[-1000:]}")

    def document(self, scratch: Scratch) -> dict[str, object]:
        """Return the branches, the decisions, and what is the user's."""
        with open_reader(scratch.path / ".git" / "orchestrator") as reader:
            assert reader is not None
            rows = reader.attempts()
            told = Counter(
                json.dumps([fact.document["story"], fact.document["verified"]])
                for fact in reader.facts(name="story_verified")
            )
            intents = [row.id for row in reader.operations(state="intent")]
        verified = [json.loads(row.document) for row in rows if row.state == "verified"]
        return {
            "verified": Counter(row["story"] for row in verified),
            "told": told,
            "undecided": [row.id for row in rows if row.state == "started"] + intents,
            **repository(scratch),
        }


def own_work(scratch: Scratch) -> None:
    """Give the repository's user files of his own: untracked, ignored, staged and stashed ones."""
    for name in ("mine.txt", "ignored.txt", "staged.txt", "stashed.txt"):
        (scratch.path / name).write_text(f"{name}\n")
    scratch.git("add", "stashed.txt")
    scratch.git("stash", "push", "-q", "--", "stashed.txt")
    scratch.git("add", "staged.txt")


def repository(scratch: Scratch) -> dict[str, object]:
    """Return the state of the repository and of the checkout, whatever was done in it."""
    root = repr(bytes(scratch.path))[:-1]
    git_dir = scratch.path / ".git"
    files = {
        name.replace(root, ""): value
        for name, value in user_content(fingerprint(scratch.path)).items()
        if name.startswith("file ") and "orchestrator.toml" not in name
    }
    places = (git_dir, scratch.home / "state")
    locks = {path.name for place in places for path in place.rglob("*.lock")}
    branches = git(scratch.path, "for-each-ref", "--format=%(refname)", "refs/heads").split()
    left = ("landing.json", "borrowed", "commit.index", "commit.message")
    return {
        "files": files,
        "branches": {
            name: git(scratch.path, "log", "--format=%s %T", name).splitlines() for name in branches
        },
        "status": git(scratch.path, "status", "--porcelain", "-uall", "--ignored"),
        "stash": git(scratch.path, "stash", "list", "--format=%T"),
        "head": git(scratch.path, "symbolic-ref", "HEAD"),
        "fsck": git(scratch.path, "fsck", "--no-dangling", "--no-progress"),
        "locks": locks - {"engine.lock", "worker.lock"},
        "left": [name for name in left if (git_dir / "orchestrator" / name).exists()],
        "moves": [path.name for path in (git_dir / "orchestrator").glob("moves/*")],
    }
