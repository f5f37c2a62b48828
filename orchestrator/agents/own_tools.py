"""Our own MCP server as an agent is handed it: how it is started, and what its tools are called."""

from __future__ import annotations

import importlib.util
import json
import sys

from orchestrator.agents.port import WorkerTask

SERVER = "orchestrator"
"""What the agent knows the server as."""

TOOLS = ("get_task", "report_result", "ask_operator", "add_follow_up", "run_verify")
"""Every tool that there is in the scope of one attempt."""


def are_installed() -> bool:
    """Say whether the SDK is there, which is an extra. Blocking; imports nothing."""
    found = importlib.util.find_spec("mcp")
    # A directory that is called so where we were started has no origin.
    return found is not None and found.origin is not None


def server_command() -> tuple[str, ...]:
    """Return the command line of the server of an attempt.

    It runs in the workspace: neither what lies there nor a variable decides what is imported, and
    nothing is compiled into it.
    """
    return (sys.executable, "-E", "-P", "-B", "-m", "orchestrator", "mcp", "--attempt")


def server_config(task: WorkerTask) -> str:
    """Return the server of an attempt as Claude Code's ``--mcp-config`` takes it; no secrets."""
    program, *arguments = server_command()
    server = {
        "type": "stdio",
        "command": program,
        "args": arguments,
        "env": task.variables(),
        # Else its tools are found by a search only, which a model may not think of.
        "alwaysLoad": True,
    }
    return json.dumps({"mcpServers": {SERVER: server}})
