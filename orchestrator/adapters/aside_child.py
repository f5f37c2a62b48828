"""What runs aside: one call as JSON from standard input, its result as JSON on standard output."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable

from orchestrator.errors import UsageError

_MEMORY = 2 << 30


def main() -> None:
    """Answer the one call that this process is for."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    call = json.load(sys.stdin)
    try:
        answer = {"result": _function(call["function"])(**call["arguments"])}
    except UsageError as error:
        answer = {"error": error.document()}
    sys.stdout.write(json.dumps(answer))


def _function(name: str) -> Callable[..., object]:
    # Each imports only what it needs: the parsers of the one would slow the other down.
    if name == "substituted":
        from orchestrator.work.substitution import substituted

        return substituted
    if name == "key_problem":
        from .keys import key_problem

        return key_problem
    from .well_formed import problems

    return problems
