"""Flags that stand for settings: what a person says for this one command."""

from __future__ import annotations

import argparse
from typing import Any

from orchestrator.adapters.process import DEADLINE
from orchestrator.errors import ConfigError
from orchestrator.settings import parse_duration


def patience(arguments: argparse.Namespace) -> float:
    """Return the seconds that a git command may take before the configuration is known.

    Raises:
      ConfigError: when ``--command-timeout`` is no duration.
    """
    text = arguments.command_timeout
    try:
        return DEADLINE if text is None else parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--command-timeout: {error}") from None


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the flags that stand for settings, by section and key; None where none was given.

    Raises:
      ConfigError: when a number is out of range, naming the flag.
    """
    attempts = arguments.max_attempts
    if attempts is not None and attempts < 1:
        raise ConfigError("--max-attempts must be 1 or more")
    for flag in ("max_cost", "max_tokens", "max_turns"):
        value = getattr(arguments, flag)
        if value is not None and not value > 0:
            raise ConfigError(f"--{flag.replace('_', '-')} must be above zero, got {value}")
    return {
        "execution": {
            "agent": arguments.agent,
            "max_attempts": attempts,
            "max_concurrent": getattr(arguments, "max_concurrent", None),
            "attempt_timeout": arguments.attempt_timeout,
            "command_timeout": arguments.command_timeout,
            "max_cost": arguments.max_cost,
            "max_tokens": arguments.max_tokens,
            "max_turns": arguments.max_turns,
            "max_time": arguments.max_time,
            "wait": arguments.wait,
            "verify": arguments.verify,
            "finish": arguments.finish,
            "keep_awake": arguments.keep_awake,
        },
        "workspace": {"setup": arguments.setup, "carry": arguments.carry},
    }
