"""Prints what a command answered."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.text import clean

from .output import print_json


def show(result: Any, *, as_json: bool) -> int:
    """Print the answer of a command: its document, or what it says; returns the exit code."""
    if as_json:
        print_json(result if isinstance(result, dict) else {"result": result})
    elif isinstance(result, dict) and isinstance(result.get("message"), str):
        print(clean(result["message"]))
    else:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    return 1 if isinstance(result, dict) and result.get("passed") is False else 0
