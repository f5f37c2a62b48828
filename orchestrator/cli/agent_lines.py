"""What `init` and `doctor` say of the agent: its version, who pays, where it may write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.adapters.process import run
from orchestrator.errors import AdapterError
from orchestrator.guardian import landlock
from orchestrator.run.hosting.agent import ChosenAgent
from orchestrator.run.hosting.environment import child_environment, withheld
from orchestrator.run.hosting.host import existing_caches
from orchestrator.settings import Config
from orchestrator.text import one_line

_PATIENCE = 10.0
_SHOWN = 4


def agent_line(agent: ChosenAgent, environ: Mapping[str, str], here: Path) -> str:
    """Return who the agent is and which credential pays: "claude 2.1.330, subscription"."""
    if agent.credential is None:
        return agent.label
    return f"{agent.name}{_version(agent, environ, here)}, {agent.credential}"


def may_line(agent: ChosenAgent, config: Config, environ: Mapping[str, str]) -> str:
    """Return what the agent does without asking, and where it may write."""
    settings = agent.settings
    if agent.credential is None:
        does = agent.name
    elif settings.permission_mode == "bypassPermissions":
        does = f"{agent.name}: bypass"
    else:
        tools = ",".join(settings.allowed_tools)
        does = f"{agent.name}: {settings.permission_mode}, tools {tools}"
    if not (version := landlock.abi()):
        return f"{does}; may write wherever you can: this kernel has no Landlock"
    home = environ.get("HOME", "/")
    places = [*map(str, (*agent.directories, *existing_caches(environ)))]
    shown = [place.replace(f"{home}/", "~/", 1) for place in places]
    more = ", ".join(dict.fromkeys([*shown, *config.workspace.writable]))
    return f"{does}; may write workspace, {more} (Landlock {version})"


def withheld_line(config: Config, environ: Mapping[str, str], checkout: Path) -> str:
    """Return how many of the operator's variables no worker gets, "" when it gets all."""
    given = child_environment(
        environ,
        checkout=checkout,
        workspace=Path("/w"),
        temporary=Path("/t"),
        allow=config.workspace.env,
    )
    names = withheld(environ, given)
    if not names:
        return ""
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{len(names)} of {len(environ)} variables withheld: {one_line(shown)}"


def _version(agent: ChosenAgent, environ: Mapping[str, str], here: Path) -> str:
    """Ask the program for its version; "" when it does not say one soon."""
    argv = agent.settings.argv or (agent.settings.kind,)
    try:
        said = run(
            [argv[0], "--version"],
            cwd=here,
            env={name: environ[name] for name in ("PATH", "HOME") if name in environ},
            stdout_limit=65_536,
            deadline=_PATIENCE,
        ).stdout.decode(errors="replace")
    except AdapterError:
        return ""
    found = re.search(r"\d+(?:\.\d+)+", said)
    return f" {found[0]}" if found else ""
