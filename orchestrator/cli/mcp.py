"""`mcp`: serves coding agents and editors over the MCP protocol, until their end of it closes."""

from __future__ import annotations

import argparse
import importlib.util
import os
import secrets
import sys
from functools import partial
from pathlib import Path

import trio

from orchestrator.errors import UsageError
from orchestrator.mcp.loading import heavy_imports

_TOKEN = "ORC_MCP_TOKEN"
"""The variable that sets the token of HTTP; without it one is made up, and printed."""


def mcp(arguments: argparse.Namespace) -> int:
    """Serve the repository's commands as tools, on standard streams or over HTTP."""
    if importlib.util.find_spec("mcp") is None:
        raise UsageError(
            "the MCP protocol is an extra that is not installed",
            fix="pip install 'trio-orchestrator[mcp]'",
        )
    # Late: the SDK takes most of a second, and a worker's tools are others than an editor's.
    if arguments.attempt:
        with heavy_imports():
            from orchestrator.mcp.attempt import serve_attempt

        trio.run(serve_attempt, os.environ)
        return 0
    if "ORCHESTRATOR_ATTEMPT" in os.environ:
        raise UsageError(
            "a worker reports and asks; the repository's own tools are not for it",
            fix="orc mcp --attempt, which is what a run hands to its agent",
        )
    with heavy_imports():
        from orchestrator.mcp.repository import over_http, over_stdio

    directory = Path(arguments.directory)
    config_file = Path(arguments.config) if arguments.config else None
    by = os.environ.get("ORC_AUTHOR", "").strip()
    if not arguments.http:
        trio.run(over_stdio, directory, config_file, by)
        return 0
    token = os.environ.get(_TOKEN) or secrets.token_urlsafe(32)
    shown = f"${_TOKEN}" if os.environ.get(_TOKEN) else token
    serve = partial(over_http, port=arguments.port, token=token, ready=partial(_tell, shown))
    trio.run(serve, directory, config_file, by)
    return 0


def _tell(token: str, port: int) -> None:
    """Say where clients find it; on stderr, as all that is no answer."""
    print(
        f"serving http://127.0.0.1:{port}/mcp\nAuthorization: Bearer {token}",
        file=sys.stderr,
        flush=True,
    )
