"""Chooses the worker of a run from the flags, the configuration and what is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs

from orchestrator.agents import own_tools
from orchestrator.agents.claude import ClaudeWorker
from orchestrator.agents.command import CommandWorker
from orchestrator.agents.port import Worker
from orchestrator.errors import AgentUnavailableError, ConfigError
from orchestrator.run.hosting.credential import Credential, choose_credential
from orchestrator.settings import AgentSettings, Config


@attrs.frozen(kw_only=True)
class ChosenAgent:
    """The worker of a run.

    Attributes:
      name: as the person names it.
      label: for the first line of `run`: who it is, which credential pays, what it may do.
      credential: what it logs in with, which no other process gets.
      own_tools: whether it reports and asks by our own tools.
      directories: its own configuration, which it writes to besides its workspace, and cannot
        make for itself when it is confined; ``files``: the same.
    """

    name: str
    label: str
    worker: Worker
    settings: AgentSettings
    credential: Credential | None = None
    own_tools: bool = False
    directories: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()

    def definition(self) -> str:
        """Return what makes it this agent: its settings and the files of its program. Blocking."""
        argv = self.settings.argv or (self.settings.kind,)
        found = (shutil.which(part) or part for part in argv[:1])
        return repr((self.settings, [_version(part) for part in (*found, *argv[1:])]))


def choose_agent(
    config: Config, environ: Mapping[str, str], name: str | None = None
) -> ChosenAgent:
    """Return the configured agent, else the installed one.

    Args:
      name: the agent that is wanted; None: the one configured for all.

    Raises:
      ConfigError: when the chosen name is not configured.
      AgentUnavailableError: when its program is not installed, or none is.
    """
    agents = {"claude": AgentSettings(kind="claude"), **config.agents}
    path = environ.get("PATH")
    name = name or config.execution.agent
    if name is None:
        configured = [key for key in config.agents if _program(agents[key], path)]
        found = configured or [key for key in agents if _program(agents[key], path)]
        if not found:
            raise AgentUnavailableError(
                "no coding agent is installed",
                fix="install Claude Code, configure [agents.NAME] kind = 'command', "
                "or see the loop at work: orc demo",
            )
        name = found[0]
    if name not in agents:
        raise ConfigError(f"no agent {name}", fix=f"known: {', '.join(sorted(agents))}")
    settings = agents[name]
    if settings.kind == "command" and not settings.argv:
        raise ConfigError(f"agents.{name}.argv: missing", fix='argv = ["program", "argument"]')
    if _program(settings, path) is None:
        program = settings.argv[0] if settings.argv else "claude"
        raise AgentUnavailableError(
            f"agent {name}: {program} is not installed or not executable",
            fix="install it, choose another with --agent, or see the loop at work: orc demo",
        )
    return _build(name, settings, environ)


def _build(name: str, settings: AgentSettings, environ: Mapping[str, str]) -> ChosenAgent:
    if settings.kind == "command":
        worker: Worker = CommandWorker(name=name, argv=settings.argv, env=dict(settings.env))
        return ChosenAgent(name=name, label=name, worker=worker, settings=settings)
    credential = choose_credential(settings.credential, environ, settings.env, agent=name)
    home = Path(environ.get("HOME", "/"))
    tools = settings.mcp and own_tools.are_installed()
    worker = ClaudeWorker(
        name=name,
        executable=settings.argv[0] if settings.argv else "claude",
        allowed_tools=settings.allowed_tools,
        permission_mode=settings.permission_mode,
        own_tools=tools,
        env=dict(settings.env),
    )
    allowed = ",".join(settings.allowed_tools)
    return ChosenAgent(
        name=name,
        label=f"{name}, {credential} ({settings.permission_mode}, tools {allowed})",
        worker=worker,
        settings=settings,
        credential=credential,
        own_tools=tools,
        directories=(Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude"),),
        files=(home / ".claude.json",),
    )


def _version(part: str) -> tuple[int, int] | None:
    """Tell the state of a file that a command line names, None when it names none."""
    try:
        found = os.stat(part)
    except (OSError, ValueError):
        return None
    return (found.st_size, found.st_mtime_ns)


def _program(settings: AgentSettings, path: str | None) -> str | None:
    return shutil.which(settings.argv[0] if settings.argv else "claude", path=path)
