"""What can be configured: the tables of ``orchestrator.toml`` with their defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NewType

import attrs

from .backlog_settings import BacklogSettings, PipelineSettings
from .work.backlog.default_pipeline import FEATURE
from .work.backlog.rules import Guardrails, Limits, Rules
from .work.machine.policy import Branches
from .work.machine.preset import STANDARD, WORKFLOWS

Seconds = NewType("Seconds", float)
Patience = NewType("Patience", float)
"""Seconds that may also be 0: never."""

FINISHES = ("keep", "merge", "squash", "apply")
"""What may happen to an item's branch at the end of its run."""
MODES = ("clone", "worktree", "in-place")
"""Kinds of workspaces."""

if TYPE_CHECKING:
    Field = attrs.Attribute[Any]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> Seconds:
    """Return seconds for a number or "90s", "30m", "2h", "14d".

    Raises:
      ValueError: for anything else, and for what is not above zero.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected a duration such as 90, '90s' or '30m', got {value!r}")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value).strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"expected a duration such as 90, '90s' or '30m', got {value!r}")
    return Seconds(float(match[1]) * _UNITS[match[2]])


def parse_patience(value: object) -> Patience:
    """Return seconds as `parse_duration` does, or 0.

    Raises:
      ValueError: as `parse_duration`.
    """
    never = value == 0 or (isinstance(value, str) and re.fullmatch(r"0+\s*[smhd]?", value.strip()))
    return Patience(0.0) if never and value is not False else Patience(parse_duration(value))


# Validators give their attribute to the error: it says which key is wrong.
def _one_of(*options: str) -> Any:
    expected = f"{', '.join(options[:-1])} or {options[-1]}"

    def validate(_: object, attribute: Field, value: str) -> None:
        if value not in options:
            raise ValueError(f"expected {expected}, got {value!r}", attribute)

    return validate


def _stays_inside(_: object, attribute: Field, cwd: str) -> None:
    if cwd.startswith("/") or ".." in cwd.split("/"):
        raise ValueError(f"expected a directory inside the project, got {cwd!r}", attribute)


def _is_command(_: object, attribute: Field, command: str) -> None:
    if not command.strip():
        raise ValueError("expected a command, got an empty one: it would always pass", attribute)


def _are_commands(_: object, attribute: Field, commands: tuple[str, ...] | None) -> None:
    for command in commands or ():
        _is_command(_, attribute, command)


@attrs.frozen(kw_only=True)
class Check:
    """One verify command; in the file a string, or a table with these keys.

    Attributes:
      run: what the shell runs.
      cwd: where, relative to the project's root.
      when: globs over changed paths, as git names them; the command is left out when none matches.
      at: "story": after every attempt; "end": once more when the last story is done.
      timeout: seconds it may take; None: as long as an attempt.
    """

    run: str = attrs.field(validator=_is_command)
    cwd: str = attrs.field(default=".", validator=_stays_inside)
    when: tuple[str, ...] = ()
    at: str = attrs.field(default="story", validator=_one_of("story", "end"))
    timeout: Seconds | None = None


def _above_zero(_: object, attribute: Field, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"expected a number above zero, got {value}", attribute)


def _limit() -> Any:
    return attrs.field(default=None, validator=_above_zero)


@attrs.frozen(kw_only=True)
class Execution:
    """How work is done. Times in seconds; in the file also "90s", "30m", "2h", "14d".

    Attributes:
      verify: None: what the project declares.
      max_concurrent: phases of the backlog that run side by side.
      max_cost, max_tokens, max_turns, max_time: budget of a whole run; money in US dollars, tokens
        in both directions together.
      wait: longest time to wait for a usage limit to end; 0 is never.
      notify: shell command that is run at the end, on a question and on a limit.
      keep_awake: whether the computer may not go to sleep meanwhile.
    """

    agent: str | None = None
    command_timeout: Seconds = Seconds(30.0)
    attempt_timeout: Seconds = Seconds(1800.0)
    max_attempts: int = attrs.field(default=3, validator=_above_zero)
    max_concurrent: int = attrs.field(default=1, validator=_above_zero)
    verify: tuple[Check, ...] | None = None
    max_cost: float | None = _limit()
    max_tokens: int | None = _limit()
    max_turns: int | None = _limit()
    max_time: Seconds | None = None
    wait: Patience = Patience(21600.0)
    finish: str = attrs.field(default="keep", validator=_one_of(*FINISHES))
    notify: str | None = None
    keep_awake: bool = False
    retention: Seconds = Seconds(14 * 86400.0)


def _copies(_: object, attribute: Field, names: tuple[str, ...]) -> None:
    for name in names:
        parts = name.rstrip("/").split("/")
        if name.startswith("/") or not parts[0] or {"..", ".", ".git"} & set(parts):
            raise ValueError(f"expected a path below the checkout, got {name!r}", attribute)


def _absolute(_: object, attribute: Field, paths: tuple[str, ...]) -> None:
    for path in paths:
        if not path.startswith(("/", "~/")) or ".." in path.split("/"):
            problem = f"expected an absolute path or one below ~/, got {path!r}"
            raise ValueError(problem, attribute)


@attrs.frozen(kw_only=True)
class WorkspaceSettings:
    """The tree a worker works in.

    Attributes:
      mode: "clone"; "worktree", which shares the repository; or "in-place", the checkout itself.
      carry: whether all uncommitted changes come along, not only those of the spec.
      setup: shell commands run once in a fresh workspace; None: what the project declares.
      copy: untracked files and directories of the checkout that the work needs, never committed.
      env: names or patterns of variables the worker gets although the deny-list withholds them.
      protect: globs of paths that a worker may change only when a task of its story names them.
      writable: further paths that processes may write to; "~" is the home.
      wrap: words that go before the argv of set-up, worker and verification.
    """

    mode: str = attrs.field(default="clone", validator=_one_of(*MODES))
    carry: bool = False
    setup: tuple[str, ...] | None = attrs.field(default=None, validator=_are_commands)
    copy: tuple[str, ...] = attrs.field(default=(), validator=_copies)
    env: tuple[str, ...] = ()
    writable: tuple[str, ...] = attrs.field(default=(), validator=_absolute)
    wrap: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class AgentSettings:
    """One entry of ``[agents]``; the budget is that of one attempt, money in US dollars.

    Attributes:
      mcp: whether it is handed our own tools, where their SDK is installed.
    """

    kind: str = attrs.field(validator=_one_of("claude", "command"))
    model: str | None = None
    credential: str = attrs.field(default="auto", validator=_one_of("auto", "login", "key"))
    max_cost: float | None = _limit()
    max_tokens: int | None = _limit()
    max_turns: int | None = _limit()
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = attrs.field(factory=dict)
    allowed_tools: tuple[str, ...] = ("Bash", "Edit", "Write", "Read", "Glob", "Grep")
    permission_mode: str = "acceptEdits"
    mcp: bool = True


@attrs.frozen(kw_only=True)
class Config:
    """Everything that can be configured, with its defaults.

    Attributes:
      pipelines: those that are configured; see `rules` for what is in force.
    """

    execution: Execution = Execution()
    workspace: WorkspaceSettings = WorkspaceSettings()
    agents: Mapping[str, AgentSettings] = attrs.field(factory=dict)
    backlog: BacklogSettings = attrs.field(factory=BacklogSettings)
    guardrails: Guardrails = attrs.field(factory=Guardrails)
    pipelines: Mapping[str, PipelineSettings] = attrs.field(factory=dict)
    branches: Branches = attrs.field(factory=Branches)

    def rules(self) -> Rules:
        """Return what items go by; with neither preset nor pipelines, by the default pipeline."""
        preset = WORKFLOWS if self.branches.preset == STANDARD else {}
        configured = {name: settings.named(name) for name, settings in self.pipelines.items()}
        return Rules(
            pipelines={**preset, **configured} or {FEATURE.name: FEATURE},
            guardrails=self.guardrails,
            limits=Limits(
                max_wip=self.backlog.max_wip, max_concurrent=self.execution.max_concurrent
            ),
            prefix=self.backlog.prefix,
            delivers=self.execution.finish != "keep",
        )
