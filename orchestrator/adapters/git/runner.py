"""The one way the product runs git: hardened, with absolute directories, never by discovery."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.adapters.process import DEADLINE, Completed, run
from orchestrator.errors import ProcessError

from .discover import operator_environment

_NONE: Mapping[str, str] = MappingProxyType({})

_QUIET_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.editor": "false",
    "sequence.editor": "false",
    "core.alternateRefsCommand": "",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "index.sparse": "false",
    "core.fsync": "committed,reference",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "log.showSignature": "false",
    "diff.external": "",
    "diff.ignoreSubmodules": "all",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "color.ui": "false",
    "i18n.commitEncoding": "utf-8",
}

_CONFIG = {
    **_QUIET_CONFIG,
    "core.attributesFile": "/dev/null",
    "core.sshCommand": "false",
    "core.askPass": "",
    "credential.helper": "",
    "gpg.program": "false",
    "gpg.ssh.program": "false",
    "protocol.allow": "never",
    "safe.bareRepository": "explicit",
}

_QUIET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_EDITOR": "false",
    "GIT_OPTIONAL_LOCKS": "0",
    # What the reflog names; commits get the operator's identity explicitly.
    "GIT_COMMITTER_NAME": "Orchestrator",
    "GIT_COMMITTER_EMAIL": "orchestrator@localhost",
}

_ENVIRONMENT = {
    **_QUIET,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
}

_DRIVERS = {
    "filter": {"clean": "", "smudge": "", "process": "", "required": "false"},
    "diff": {"command": "", "textconv": "", "binary": "false"},
    # An empty driver is run as a command; one that fails is a conflict, which is what is meant.
    "merge": {"driver": "false"},
}


def git_error(argv: Sequence[str], done: Completed) -> ProcessError:
    """Return the error of a failed command; one about a lock says which file it is."""
    error = ProcessError(argv, done.returncode, done.stderr.decode(errors="replace"))
    lock = re.search(r"Unable to create '(.+\.lock)'", error.stderr)
    if lock is not None:
        error.fix = f"if no git runs in this repository, remove {lock[1]}"
    return error


class Git(NamedTuple):
    """Runs git on one repository with nothing of its configuration executed.

    The exception is a git for the operator's own work tree, or one that shares his repository:
    there his filters and credentials are in force as when he uses git himself, but still no hook.

    Attributes:
      git_dir: absolute git directory.
      work_tree: absolute work tree, or None for commands that need none.
      executable: absolute path of git.
      extra_config: configuration in force for every command, after the hardening.
      extra_env: environment in force for every command.
      deadline: seconds that one command may take.
      as_operator: whether the operator's own configuration and environment are in force.
    """

    git_dir: Path
    work_tree: Path | None
    executable: str
    extra_config: Mapping[str, str] = _NONE
    extra_env: Mapping[str, str] = _NONE
    deadline: float = DEADLINE
    as_operator: bool = False

    def run(
        self,
        *args: str | bytes | Path,
        index: Path | None = None,
        stdin: bytes = b"",
        check: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run one git command and return its output. Blocking.

        Args:
          index: private index file to use instead of the repository's.
          check: whether a status other than 0 is an error.
          env: variables for this command only.

        Raises:
          ProcessError: when the command fails and ``check`` is set.
          AdapterTimedOutError: when it outran the deadline and was killed.
        """
        argv = [self.executable, "--literal-pathspecs", "--no-replace-objects"]
        argv.append(f"--git-dir={self.git_dir}")
        if self.work_tree is not None:
            argv.append(f"--work-tree={self.work_tree}")
        argv.extend(os.fsdecode(arg) for arg in args)
        environment = self._environment()
        if index is not None:
            environment["GIT_INDEX_FILE"] = str(index)
        environment.update(env or {})
        # From below the work tree git would list only what lies below its own directory.
        tree = self.work_tree
        cwd = tree if tree is not None and self.git_dir.is_relative_to(tree) else self.git_dir
        done = run(argv, cwd=cwd, env=environment, stdin=stdin, deadline=self.deadline)
        if check and done.returncode != 0:
            raise git_error(["git", *argv[3:]], done)
        return done

    def text(self, *args: str | bytes | Path, index: Path | None = None) -> str:
        """Run one git command and return its output as text without the final newline."""
        return os.fsdecode(self.run(*args, index=index).stdout).rstrip("\n")

    def at(self, work_tree: Path) -> Git:
        """Return the same repository with another work tree.

        What a killed engine leaves of it is found by the variable, and ended, before anybody
        touches that work tree again.
        """
        env = {**self.extra_env, "ORCHESTRATOR_WORKSPACE": str(work_tree)}
        return self._replace(work_tree=work_tree, extra_env=env)

    def _environment(self) -> dict[str, str]:
        if self.as_operator:
            environment = {**operator_environment(), **_QUIET}
            config = {**_QUIET_CONFIG, **self.extra_config}
        else:
            environment = {**_ENVIRONMENT, "HOME": str(self.git_dir)}
            for name in ("PATH", "TMPDIR"):
                if name in os.environ:
                    environment[name] = os.environ[name]
            config = {**_CONFIG, **self.extra_config}
        # Through the environment a key may hold anything, "=" and newlines included.
        first = int(environment.get("GIT_CONFIG_COUNT") or 0)
        environment["GIT_CONFIG_COUNT"] = str(first + len(config))
        for number, (key, value) in enumerate(config.items(), first):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        environment.update(self.extra_env)
        return environment


def without_drivers(git: Git, drivers: Iterable[tuple[str, str]]) -> Git:
    """Return ``git`` with drivers blanked, each given as filter, diff or merge and its name."""
    blank = {
        f"{section}.{name}.{variable}": value
        for section, name in drivers
        for variable, value in _DRIVERS[section].items()
    }
    return git._replace(extra_config={**git.extra_config, **blank})


def split_z(output: bytes) -> tuple[bytes, ...]:
    """Split NUL-terminated output."""
    return tuple(part for part in output.split(b"\0") if part)


def join_z(paths: Iterable[bytes]) -> bytes:
    """Terminate each path with NUL."""
    return b"".join(path + b"\0" for path in paths)
