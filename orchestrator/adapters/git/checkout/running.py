"""The operator's own git in his checkout: his settings and hooks, no terminal, nothing left."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from orchestrator.adapters.git.discover import discover, operator_environment
from orchestrator.adapters.git.runner import Git, git_error
from orchestrator.adapters.process import DEADLINE, Completed, raise_if_cancelled, run
from orchestrator.errors import BusyError, RepositoryError
from orchestrator.guardian.reaper import TOKEN

from .leftovers import clear_leftovers, noted

LOCK_PATIENCE = 1.0
"""Seconds to wait for another git that holds the index; an editor's does so for moments."""

OUTPUT_LIMIT = 64 << 20

_QUIET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_EDITOR": "false",
    "GIT_SEQUENCE_EDITOR": "false",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_PAGER": "cat",
    "GIT_OPTIONAL_LOCKS": "0",
}

_CONFIG = {
    "core.quotePath": "false",
    "color.ui": "false",
    "column.ui": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "i18n.logOutputEncoding": "utf-8",
    "log.showSignature": "false",
    "log.showRoot": "true",
}

_FOREIGN = (
    # They give the paths another meaning, here and in every git that a hook runs: that is also why
    # paths are marked as literal one by one, and not with --literal-pathspecs.
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    # By it a passphrase would be asked for in a terminal that belongs to somebody else.
    "GPG_TTY",
)

_LOCKED = re.compile(r"Unable to create '(.+\.lock)': File exists")


@attrs.frozen(kw_only=True)
class OwnGit:
    """Runs git as the operator does, but for a terminal: nothing can ask, page or edit.

    Attributes:
      executable: absolute path of git.
      checkout: the operator's work tree, where every command runs.
      deadline: seconds that one command may take, its hooks included.
    """

    executable: str
    checkout: Path
    deadline: float = DEADLINE

    @classmethod
    def open(cls, start: Path, *, deadline: float = DEADLINE) -> OwnGit:
        """Return git for the checkout that holds ``start``. Blocking; one process.

        Raises:
          RepositoryError: when there is none, or the repository is bare.
        """
        found = discover(start, deadline=deadline)
        return cls(executable=found.executable, checkout=found.checkout, deadline=deadline)

    @property
    def git_dir(self) -> Path:
        """The git directory of this checkout; a linked work tree has one of its own."""
        place = self.checkout / ".git"
        if place.is_dir():
            return place
        try:
            named = os.fsdecode(place.read_bytes()).removeprefix("gitdir: ").rstrip("\n")
        except OSError:
            raise RepositoryError(
                "not the top of a checkout",
                where=str(self.checkout),
                fix="name the directory that holds .git",
            ) from None
        return self.checkout / named

    @property
    def common_dir(self) -> Path:
        """The git directory that all work trees of the repository share."""
        own = self.git_dir
        try:
            return own / os.fsdecode((own / "commondir").read_bytes()).rstrip("\n")
        except FileNotFoundError:
            return own

    @property
    def store(self) -> Git:
        """The product's own, hardened git on the repository; for objects and its own refs."""
        return Git(self.common_dir.resolve(), None, self.executable, deadline=self.deadline)

    def run(
        self,
        *args: str,
        check: bool = True,
        stdin: bytes = b"",
        deadline: float | None = None,
        env: Mapping[str, str] | None = None,
        limit: int = OUTPUT_LIMIT,
    ) -> Completed:
        """Run one git command and return its output. Blocking.

        What it and its hooks started is killed when it is cancelled or outruns its deadline, also
        what left its session; after a kill of this process, by the next engine. What they leave
        running otherwise is theirs.

        Args:
          check: whether a status other than 0 is an error.
          deadline: seconds it may take instead of the usual ones.
          env: variables for this command only.
          limit: bytes that it may write.

        Raises:
          BusyError: when another git holds a lock.
          ProcessError: when the command fails and ``check`` is set.
          AdapterTimedOutError: when it outran the deadline and was killed.
        """
        mark = f"{self.checkout}#{os.urandom(8).hex()}"
        lock = self.git_dir / "index.lock"
        environment = {**self._environment(), **(env or {}), TOKEN: mark}
        seconds = self.deadline if deadline is None else deadline
        held = None if os.path.lexists(lock) else lock
        with noted(self.common_dir, mark, self.checkout, held):
            try:
                done = run(
                    [self.executable, *args],
                    cwd=self.checkout,
                    env=environment,
                    stdin=stdin,
                    deadline=seconds,
                    stdout_limit=limit,
                )
            except BaseException:
                clear_leftovers(mark, self.checkout, held)
                raise
        if done.returncode != 0:
            self._refuse_locked(done)
            if check:
                raise git_error(["git", *args], done)
        return done

    def text(self, *args: str) -> str:
        """Run one git command and return its output as text without the final newline."""
        return os.fsdecode(self.run(*args).stdout).rstrip("\n")

    def require_free(self) -> None:
        """Wait a moment for another git that changes the checkout. Listens for cancellation.

        Not every git command says that it was the lock that it failed at.

        Raises:
          BusyError: when the index stays locked.
        """
        lock = self.git_dir / "index.lock"
        until = time.monotonic() + LOCK_PATIENCE
        while os.path.lexists(lock):
            raise_if_cancelled()
            if time.monotonic() >= until:
                raise _busy(str(lock))
            time.sleep(0.05)

    def _refuse_locked(self, done: Completed) -> None:
        found = _LOCKED.search(os.fsdecode(done.stderr))
        # A hook may say the same of a lock that is gone when its git is: then it is the hook's.
        if found is not None and (done.returncode == 128 or os.path.lexists(found[1])):
            raise _busy(found[1])

    def _environment(self) -> dict[str, str]:
        environment = {**operator_environment(), **_QUIET}
        for name in _FOREIGN:
            environment.pop(name, None)
        first = int(environment.get("GIT_CONFIG_COUNT") or 0)
        environment["GIT_CONFIG_COUNT"] = str(first + len(_CONFIG))
        for number, (key, value) in enumerate(_CONFIG.items(), first):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return environment


def _busy(lock: str) -> BusyError:
    return BusyError(
        "another git is at work in the checkout",
        where=lock,
        fix=f"wait for it; if none runs, remove {lock}",
    )
