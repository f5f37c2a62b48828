"""What a user does in his repository between a crash and the next run."""

from __future__ import annotations

from tests.crash.matrix import Meddling
from tests.gitrepo import git
from tests.scratch import Scratch

_BRANCHES = "refs/heads/orchestrator/"
_DECIDED = frozenset(
    {"detours", "history", "verified", "cost", "told", "branches", "operations", "stands"}
)
"""What is his decision: how often a phase is done again, and what his branches hold."""
_ON_MAIN = frozenset({"branches", "stands"})


def amend(scratch: Scratch) -> str:
    """Give the newest commit of the item's branch another message."""
    made = ""
    for ref, tip in _own(scratch):
        message = git(scratch.path, "log", "-1", "--format=%B", tip)
        made = _commit(scratch, f"{tip}^{{tree}}", f"{tip}^", f"Amended: {message}")
        made = _put(scratch, ref, made)
    return made


def commit_on_top(scratch: Scratch) -> str:
    """Commit the item's tree again on its branch, with words of his own."""
    made = ""
    for ref, tip in _branches(scratch):
        made = _commit(scratch, f"{tip}^{{tree}}", tip, "On top")
        made = _put(scratch, ref, made)
    return made


def reset(scratch: Scratch) -> str:
    """Take the newest commit off the item's branch."""
    for ref, tip in _own(scratch):
        _put(scratch, ref, f"{tip}^")
    return ""


def delete(scratch: Scratch) -> str:
    """Delete the item's branch."""
    for ref, _ in _branches(scratch):
        git(scratch.path, "update-ref", "-d", ref, check=False)
    return ""


def commit_on_main(scratch: Scratch) -> str:
    """Commit a file of his own on the branch that he is on."""
    (scratch.path / "theirs.txt").write_text("theirs\n")
    scratch.git("add", "theirs.txt")
    scratch.git("commit", "-qm", "Theirs", "--", "theirs.txt")
    return git(scratch.path, "rev-parse", "HEAD")


def edit(scratch: Scratch) -> str:
    """Make a file that he does not commit."""
    (scratch.path / "edited.txt").write_text("edited\n")
    return ""


def collect_garbage(scratch: Scratch) -> str:
    """Pack everything, and throw away what no ref holds, as far as git can beside a stale lock."""
    for command in (("pack-refs", "--all"), ("gc", "--prune=now", "-q")):
        git(scratch.path, *command, check=False)
    return ""


AMENDS = Meddling("amends the tip of its branch", amend, _DECIDED)
MEDDLINGS = (
    AMENDS,
    Meddling("commits on its branch", commit_on_top, _DECIDED),
    Meddling("takes the newest commit off its branch", reset, _DECIDED),
    Meddling("deletes its branch", delete, _DECIDED),
    Meddling("commits on main", commit_on_main, _ON_MAIN),
    Meddling("edits a file", edit, frozenset({"status"})),
    Meddling("collects garbage", collect_garbage),
)


def _branches(scratch: Scratch) -> list[tuple[str, str]]:
    lines = git(scratch.path, "for-each-ref", "--format=%(refname) %(objectname)", _BRANCHES)
    return [(ref, tip) for ref, tip in (line.split() for line in lines.splitlines())]


def _own(scratch: Scratch) -> list[tuple[str, str]]:
    """Return the branches that hold more than they started from."""
    return [
        (ref, tip)
        for ref, tip in _branches(scratch)
        if git(scratch.path, "rev-list", f"main..{tip}")
    ]


def _put(scratch: Scratch, ref: str, commit: str) -> str:
    """Move a ref; returns where it is then, "" where a stale lock kept git from it."""
    git(scratch.path, "update-ref", ref, commit, check=False)
    now = git(scratch.path, "rev-parse", ref)
    return now if now == git(scratch.path, "rev-parse", commit) else ""


def _commit(scratch: Scratch, tree: str, parent: str, message: str) -> str:
    tree, parent = (git(scratch.path, "rev-parse", name) for name in (tree, parent))
    return git(scratch.path, "commit-tree", tree, "-p", parent, "-m", message)
