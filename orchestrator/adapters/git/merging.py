"""Works out what a delivery brings: the merged commit, and what is already there. Moves no ref."""

from __future__ import annotations

import os
from collections.abc import Iterable

import attrs

from orchestrator.errors import ConflictError

from . import objects
from .repository import Repository
from .runner import git_error, split_z


@attrs.frozen
class MergePlan:
    """A delivery that has been computed and not applied.

    Attributes:
      target: full name of the branch that moves, "" when only files change.
      old: the commit that the files are changed from; ``new``: the one they are changed to.
      files: the tree that the work tree gets when it is not the new commit's own, or "".
    """

    target: str
    old: str
    new: str
    message: str
    files: str = ""

    @property
    def tree(self) -> str:
        """What the work tree holds in the end, as git names it."""
        return self.files or self.new


def merge_plan(repo: Repository, branch_tip: str, target: str, message: str) -> MergePlan:
    """Compute the merged commit, fast-forward where possible. Blocking.

    The commit is a function of the two it merges, so that a landing that was cut short is worked
    out again as the same one.

    Args:
      target: the branch's full ref.

    Raises:
      ConflictError: when both sides changed the same thing; names the files.
    """
    found = repo.git.run("rev-parse", "--verify", "-q", target, check=False)
    if found.returncode != 0:
        raise ConflictError(
            "the target branch is gone",
            where=target,
            fix=f"git branch {target.removeprefix('refs/heads/')} COMMIT brings it back",
        )
    old = found.stdout.decode().strip()
    return MergePlan(target, old, merged(repo, branch_tip, old, message, target), message)


def apply_plan(repo: Repository, branch_tip: str, message: str) -> MergePlan:
    """Compute what the branch changes on top of the commit that is checked out. Blocking.

    Raises:
      ConflictError: when both sides changed the same thing; names the files.
    """
    new = merged(repo, branch_tip, repo.head, message, str(repo.checkout))
    return MergePlan("", repo.head, new, message)


def merged(repo: Repository, branch_tip: str, old: str, message: str, where: str) -> str:
    """Return the commit that combines two, one of them where it contains the other. Blocking.

    Args:
      old: the first parent of a merge; ``where``: what a conflict is about.

    Raises:
      ConflictError: when both sides changed the same thing; names the files.
    """
    git = repo.git
    if objects.is_ancestor(git, branch_tip, old):
        return old
    if objects.is_ancestor(git, old, branch_tip):
        return branch_tip
    done = git.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", old, branch_tip,
        check=False,
    )  # fmt: skip
    tree, *names = split_z(done.stdout) or (b"",)
    if done.returncode == 1:
        raise conflict("both sides changed", names, where)
    if done.returncode != 0:
        raise git_error(["git", "merge-tree"], done)
    when = max(objects.date_of(git, commit) for commit in (old, branch_tip))
    return objects.commit(git, tree.decode(), [old, branch_tip], message, repo.identity(), when)


def on_top(repo: Repository, plan: MergePlan, tree: str, message: str) -> MergePlan:
    """Return the plan with one more commit, of ``tree``; its id is a function of the two."""
    when = objects.date_of(repo.git, plan.new)
    new = objects.commit(repo.git, tree, [plan.new], message, repo.identity(), when)
    return attrs.evolve(plan, new=new)


def conflict(what: str, paths: Iterable[bytes], where: str) -> ConflictError:
    """Return the error about changes that cannot be combined in these paths."""
    names = ", ".join(repr(os.fsdecode(path)) for path in paths)
    return ConflictError(
        f"{what} {names}", where=where, fix="settle it by hand, then give the same command again"
    )
