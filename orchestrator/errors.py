"""Every exception of the product, in one tree. Imports nothing of ours."""

from __future__ import annotations

import errno
from collections.abc import Sequence


class OrchestratorError(Exception):
    """Root of the tree. Says what happened, where, and what to do about it.

    Attributes:
      code: stable machine-readable name, the ``code`` of the error document.
      exit_code: what the command line exits with.
      message: what happened, one sentence for a person.
      where: file, ref or command it happened at, or None.
      fix: what the person can do, or None.
    """

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix

    @property
    def explanation(self) -> str:
        """What happened and, on the lines after it, what to do about it."""
        return f"{self.message}\n{self.fix}" if self.fix else self.message

    def document(self) -> dict[str, str | None]:
        """Return the error as the JSON document of every ``--json`` surface."""
        return {
            "code": self.code,
            "message": self.message,
            "where": self.where,
            "fix": self.fix,
        }


class UsageError(OrchestratorError):
    """The request cannot be understood or does not fit what is there."""

    code = "usage"
    exit_code = 2


class UnknownItemError(UsageError):
    """The backlog has no item of this id, or several that begin like it."""

    code = "unknown-item"


class IllegalStepError(UsageError):
    """An item cannot get from where it is to where it was asked to go."""

    code = "illegal-step"


class GateError(OrchestratorError):
    """Conditions on leaving a phase, or a cycle of it, do not hold; says all of them.

    Args:
      problems: what is wrong with each, and what would satisfy it.
    """

    code = "gate"

    def __init__(self, message: str, problems: Sequence[str], *, where: str, fix: str) -> None:
        rows = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{message}{rows}", where=where, fix=fix)
        self.problems = tuple(problems)


class OvertakenError(UsageError):
    """What was decided meanwhile leaves no place for this result of an attempt."""

    code = "overtaken"


class EditError(UsageError):
    """An edit does not fit the file, or would leave it malformed."""

    code = "edit"


class BacklogFileError(UsageError):
    """A file that holds a backlog cannot be read or written, or is not what it should be."""

    code = "backlog-file"


class ConfigError(UsageError):
    """A configuration file or value is wrong."""

    code = "config"


class RepositoryError(UsageError):
    """The repository is missing, or in a state that cannot be worked on."""

    code = "repository"


class BranchTakenError(UsageError):
    """The item's branch holds work that is not ours."""

    code = "branch-taken"


class BusyError(UsageError):
    """Another instance works on the same item or repository."""

    code = "busy"


class NoEngineError(UsageError):
    """Nothing runs on the repository that could be asked."""

    code = "no-engine"


class EngineLostError(OrchestratorError):
    """The engine does not answer, or ended in the middle of an answer."""

    code = "engine-lost"


class SpecError(UsageError):
    """A spec cannot be read or holds nothing to do."""

    code = "spec"


class NoSpecError(SpecError):
    """There is no spec of a format."""


class BaselineError(UsageError):
    """Set-up or verification failed before any worker started."""

    code = "baseline"


class AgentUnavailableError(UsageError):
    """The chosen agent is not installed or cannot be started."""

    code = "agent-unavailable"


class PreflightError(UsageError):
    """The backlog cannot be worked on as it is; says all that is in the way.

    Args:
      problems: what is wrong, where (a configuration key or an item), and how to mend it.
    """

    code = "preflight"

    def __init__(self, problems: Sequence[tuple[str, str, str]]) -> None:
        if len(problems) == 1:
            ((what, where, fix),) = problems
            super().__init__(what, where=where, fix=fix)
        else:
            rows = [
                f"\n  - {what}\n    where: {at}\n    fix:   {fix}" for what, at, fix in problems
            ]
            super().__init__(f"{len(problems)} problems; nothing was begun{''.join(rows)}")
        self.problems = tuple(problems)


class ConflictError(OrchestratorError):
    """Changes cannot be combined; a person has to decide."""

    code = "conflict"
    exit_code = 4


class PluginError(OrchestratorError):
    """A plugin is declared wrongly; found when it is loaded or registered."""

    code = "plugin"
    exit_code = 2


class UnknownCommandError(OrchestratorError):
    """No handler is registered for a command."""

    code = "unknown-command"
    exit_code = 2


class StoppedError(OrchestratorError):
    """The orchestrator is stopping and takes nothing new."""

    code = "stopped"
    exit_code = 130


class CommandTimedOutError(OrchestratorError):
    """A handler outran its registered deadline."""

    code = "command-timed-out"

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"{name} did not finish within {seconds:g} s",
            where=name,
            fix="raise --command-timeout, or find out what holds it",
        )
        self.name = name
        self.seconds = seconds


class CommandCancelledError(OrchestratorError):
    """A command was cancelled, and not by its caller."""

    code = "command-cancelled"
    exit_code = 130


class RestartLimitError(OrchestratorError):
    """A supervised service crashed too often."""

    code = "restart-limit"


class StoreError(OrchestratorError):
    """The store of the repository cannot be used: damaged, not ours, or not writable."""

    code = "store"


class GuardianError(OrchestratorError):
    """A guardian could not be started, or did not keep its protocol."""

    code = "guardian"


class AdapterError(OrchestratorError):
    """A blocking tool failed."""

    code = "adapter"


class NotStartedError(AdapterError):
    """A call never began: whatever it would have done has not happened."""

    code = "not-started"


class AdapterTimedOutError(AdapterError):
    """A call outran its deadline and was killed: what it did is unknown."""

    code = "timed-out"

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(
            f"{what} did not finish within {seconds:g} s and was killed",
            where=what,
            fix="raise --command-timeout, or find out what blocks it",
        )
        self.seconds = seconds


class ProcessError(AdapterError):
    """A process ended with a status that means failure."""

    code = "process"

    def __init__(self, argv: Sequence[str], returncode: int, stderr: str) -> None:
        lines = stderr.strip().splitlines() or ["no message"]
        said = [line for line in lines if line.startswith(("fatal: ", "error: "))]
        what = said[0] if said else lines[-1]
        super().__init__(f"{argv[0]} exited with {returncode}: {what}", where=" ".join(argv))
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stderr = stderr


_WAYS_ON = {
    errno.ENOSPC: "make room on that disk, then say it again; nothing is lost",
    errno.EDQUOT: "make room within your quota, then say it again; nothing is lost",
    errno.EROFS: "make it writable, then say it again; status, logs, report and why only read",
    errno.EACCES: "see whose it is and what you may do there: ls -ld",
    errno.EPERM: "see whose it is and what you may do there: ls -ld",
}
"""What to do about an error of the system that nobody foresaw."""


def from_system(error: OSError) -> OrchestratorError:
    """Return an error of the system that nobody foresaw, with what to do about it."""
    return OrchestratorError(
        str(error.strerror or error),
        where=str(error.filename) if error.filename else None,
        fix=_WAYS_ON.get(error.errno or 0),
    )
