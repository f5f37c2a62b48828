"""The operator's own ``git commit``: his hooks, his signature, his template, his terminal."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import attrs

from orchestrator.adapters.attached import run_attached
from orchestrator.adapters.process import run
from orchestrator.errors import AdapterTimedOutError, ConflictError, StoppedError

from . import objects, refs
from .discover import as_operator, operator_environment
from .landing import Landing
from .repository import Repository
from .runner import split_z

_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REFLOG_DEPTH = "200"


@attrs.frozen(kw_only=True)
class CommitRequest:
    """How the operator's commit is made.

    Attributes:
      mark: what its reflog entry says, so that it is found again after a crash.
      message: the message, or what the editor opens with.
      edit: whether the editor opens.
      trailers: ``Key: value`` lines to end the message with.
      attached: whether it gets the terminal; else it has none, and its output is kept.
      deadline: seconds that it and its hooks may take.
    """

    mark: str
    message: str
    edit: bool
    trailers: tuple[str, ...]
    attached: bool
    deadline: float


@attrs.frozen(kw_only=True)
class OwnSettings:
    """What of the operator's settings shows in his commits; ``template`` is a file's text."""

    signs: bool
    hooks: tuple[str, ...]
    template: str


def own_settings(repo: Repository) -> OwnSettings:
    """Read what his git would do when he commits here. Blocking."""
    git, here, deadline = repo.git.executable, repo.checkout, repo.git.deadline
    signs = as_operator(git, here, "config", "--type=bool", "commit.gpgSign", deadline=deadline)
    place = as_operator(
        git, here, "rev-parse", "--path-format=absolute", "--git-path", "hooks", deadline=deadline
    )
    hooks = Path(os.fsdecode(place.stdout).rstrip("\n"))
    named = as_operator(git, here, "config", "--type=path", "commit.template", deadline=deadline)
    template = here / os.fsdecode(named.stdout).rstrip("\n")
    return OwnSettings(
        signs=signs.stdout.strip() == b"true",
        hooks=tuple(name for name in _HOOKS if os.access(hooks / name, os.X_OK)),
        template=template.read_text(errors="replace") if template.is_file() else "",
    )


def commit_as_operator(landing: Landing, request: CommitRequest) -> None:
    """Have the operator's git commit what a landing brings, and nothing he has staged. Blocking.

    The commit is made on the branch that is checked out, whose files the landing has written.

    Raises:
      StoppedError: when it was ended by Ctrl-C or the like.
      ConflictError: when git or one of his hooks refuses, or takes too long, or he gives the
        message up; says what git said.
    """
    repo = landing.repo
    index = commit_index(repo)
    message = commit_message(repo)
    _index_of(landing, index)
    message.write_text(request.message, errors="surrogateescape")
    argv = [repo.git.executable, "commit", "-F", str(message)]
    argv += ["--edit"] if request.edit else []
    argv += [f"--trailer={trailer}" for trailer in request.trailers]
    env = operator_environment() | {
        "GIT_INDEX_FILE": str(index),
        "GIT_REFLOG_ACTION": request.mark,
        # By this variable what a killed engine leaves of it is found, and ended.
        "ORCHESTRATOR_WORKSPACE": str(index),
    }
    said, code = "", 0
    try:
        if request.attached:
            code = run_attached(argv, cwd=repo.checkout, env=env, deadline=request.deadline)
        else:
            done = run(argv, cwd=repo.checkout, env=env, deadline=request.deadline)
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            code = done.returncode
    except AdapterTimedOutError as error:
        raise ConflictError(
            f"git commit did not end within {error.seconds:g} s: a hook or the signing hangs",
            where=str(repo.checkout),
            fix="mend it, then finish again",
        ) from None
    finally:
        for left in (index, index.with_name(f"{index.name}.lock"), message):
            left.unlink(missing_ok=True)
    if -code in _STOPS:
        raise StoppedError("stopped before anything was committed", fix="finish it again")
    if code != 0:
        raise ConflictError(
            f"git commit was refused (exit {code})" + (f":\n{said}" if said else ""),
            where=str(repo.checkout),
            fix="mend what your git or its hook says, then finish again",
        )


def commit_index(repo: Repository) -> Path:
    """Return the index of the commit that is being made; it is there for as long as that takes."""
    return repo.state_dir / "commit.index"


def commit_message(repo: Repository) -> Path:
    """Return the file that holds the message of the commit that is being made."""
    return repo.state_dir / "commit.message"


def made_commit(repo: Repository, target: str, mark: str, old: str) -> str | None:
    """Return the commit on ``target`` that was made with this mark on top of ``old``."""
    listed = repo.git.run(
        "log", "-g", "-z", "-n", _REFLOG_DEPTH, "--format=%H %P %gs", target, "--", check=False
    )
    for entry in split_z(listed.stdout):
        commit, parent, said = [*entry.decode(errors="replace").split(" ", 2), "", ""][:3]
        if parent == old and said.startswith(mark) and objects.is_ancestor(
            repo.git, commit, target
        ):  # fmt: skip
            return commit
    # Without a reflog its trailer tells.
    tip = refs.read_refs(repo.git, target).get(target)
    named = tip.trailers.get("Orchestrator-Op", "") if tip else ""
    if tip and named and named in mark and objects.parents_of(repo.git, tip.oid) == (old,):
        return tip.oid
    return None


def is_signed(repo: Repository, commit: str) -> bool:
    """Whether a commit carries a signature, good or not."""
    header = repo.git.run("cat-file", "commit", commit).stdout.partition(b"\n\n")[0]
    return any(line.startswith(b"gpgsig") for line in header.splitlines())


def _index_of(landing: Landing, index: Path) -> None:
    """Write the index of exactly what is landed, with what is known of the files."""
    Path(f"{index}.lock").unlink(missing_ok=True)
    index.write_bytes(landing.index.read_bytes())
    landing.repo.checkout_git.run("read-tree", "--reset", landing.plan.tree, index=index)
