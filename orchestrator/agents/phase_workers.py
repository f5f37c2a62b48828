"""The workers of phases that need no agent: a shell command, a Python function."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.agents.command import PROMPT_PLACE, CommandWorker

_RUNNER = Path(__file__).with_name("python_call.py")


def command_worker(command: str) -> CommandWorker:
    """Return the worker that runs a shell command, with the prompt on its standard input."""
    return CommandWorker(name="command", argv=("/bin/sh", "-c", command))


def call_worker(call: str) -> CommandWorker:
    """Return the worker that calls a Python function in a process of its own.

    It runs in the orchestrator's own interpreter, and finds modules that are installed there or
    lie in the workspace. Nothing is compiled into the workspace.

    Args:
      call: ``package.module:function``; see `python_call` for what it gets and returns.
    """
    argv = (sys.executable, "-P", "-B", "-X", "utf8", str(_RUNNER), call, PROMPT_PLACE)
    return CommandWorker(name="call", argv=argv)
