"""Finds the git directories of a place, asking git as the operator would. Imports little."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from orchestrator.adapters.process import DEADLINE, Completed, run
from orchestrator.errors import RepositoryError

_LOCAL = frozenset(
    f"GIT_{name}"
    for name in (
        "DIR",
        "WORK_TREE",
        "INDEX_FILE",
        "OBJECT_DIRECTORY",
        "ALTERNATE_OBJECT_DIRECTORIES",
        "COMMON_DIR",
        "NAMESPACE",
        "PREFIX",
    )
)


class Found(NamedTuple):
    """Where a repository is; all paths absolute and without links.

    Attributes:
      executable: absolute path of git.
      git_dir: the git directory of this checkout; ``common_dir``: the one all work trees share.
      checkout: the operator's work tree.
      object_format: ``sha1`` or ``sha256``.
    """

    executable: str
    git_dir: Path
    common_dir: Path
    checkout: Path
    object_format: str


def discover(start: Path, *, deadline: float = DEADLINE) -> Found:
    """Find the repository that holds ``start``, whatever state it is in. Blocking; one process.

    Raises:
      RepositoryError: when there is none, or ``start`` is in no checkout of it.
    """
    executable = shutil.which("git")
    if executable is None:
        raise RepositoryError("git is not installed", fix="install git 2.38 or newer")
    start = start.resolve()
    if not start.is_dir():
        raise RepositoryError("no such directory", where=str(start))
    done = as_operator(
        executable, start, "rev-parse", "--is-bare-repository", "--is-inside-work-tree",
        "--show-object-format", "--path-format=absolute", "--git-dir", "--git-common-dir",
        "--show-toplevel", deadline=deadline,
    )  # fmt: skip
    # Outside a work tree git answers all but the last question, then fails.
    bare, inside, *rest = [*os.fsdecode(done.stdout).split("\n"), ""]
    if inside == "false":
        what = "the repository is bare" if bare == "true" else "this is git's own directory"
        raise RepositoryError(what, where=str(start), fix="work in a checkout of it")
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RepositoryError(
            "not a git repository" if not said else said[0].removeprefix("fatal: "),
            where=str(start),
            fix="change to your repository, or make one: git init",
        )
    object_format, git_dir, common, top = rest[:4]
    if len(rest) > 5:  # a newline in a path: one answer at a time
        git_dir, common, top = (
            os.fsdecode(
                as_operator(
                    executable, start, "rev-parse", "--path-format=absolute", question,
                    deadline=deadline,
                ).stdout
            )[:-1]
            for question in ("--git-dir", "--git-common-dir", "--show-toplevel")
        )  # fmt: skip
    return Found(
        executable,
        git_dir=Path(git_dir).resolve(),
        common_dir=Path(common).resolve(),
        checkout=Path(top).resolve(),
        object_format=object_format,
    )


def operator_environment() -> dict[str, str]:
    """Return the operator's environment without what would name another repository."""
    return {name: value for name, value in os.environ.items() if name not in _LOCAL}


def as_operator(executable: str, cwd: Path, *args: str, deadline: float = DEADLINE) -> Completed:
    """Run git with the operator's own settings, but on the repository of ``cwd``."""
    env = operator_environment()
    env |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    return run([executable, *args], cwd=cwd, env=env, deadline=deadline)


def state_dir(common_dir: Path) -> Path:
    """Return the product's directory in a repository, private to the operator; made if missing."""
    directory = common_dir / "orchestrator"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory
