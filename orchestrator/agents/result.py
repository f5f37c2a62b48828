"""Decides what a worker claims: result file, then promise tag, then exit code."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from orchestrator.agents.loose import integer, number
from orchestrator.text import clean, shown
from orchestrator.work.worker import Usage, Verdict, WorkerReport

MAX_RESULT = 1 << 20

_PROMISE = re.compile(r"<promise>\s*(COMPLETE|FAILED|BLOCKED)\s*(?::(.*?))?</promise>")
_LONGEST_TAG = 10_000
_STATUS = {
    "complete": Verdict.COMPLETE,
    "failed": Verdict.FAILED,
    "blocked": Verdict.BLOCKED,
    "limited": Verdict.LIMITED,
}


@attrs.frozen(kw_only=True)
class Claim:
    """What a worker says of its own work; ``reason`` is the question when it is blocked.

    Attributes:
      resets_at: Unix time in seconds until which it is limited, or None.
      usage: what it says it used, or None when it says nothing.
    """

    verdict: Verdict
    reason: str = ""
    learnings: str = ""
    resets_at: float | None = None
    usage: Usage | None = None


@attrs.frozen(kw_only=True)
class ResultFile:
    """What lay at the place of the result file: a claim, a problem, or neither."""

    claim: Claim | None = None
    problem: str = ""


def read_result(path: Path, redact: Callable[[bytes], bytes] = bytes) -> ResultFile:
    """Read a result file without trusting whoever made it. Blocking: for worker threads.

    Args:
      redact: takes secrets out of its text.

    Never follows a link, never waits for a FIFO, never reads more than 1 MiB.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ResultFile()
    except OSError as error:
        link = error.errno == errno.ELOOP
        return ResultFile(problem="it is a symbolic link" if link else str(error.strerror))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return ResultFile(problem="it is not a regular file")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(MAX_RESULT + 1)
    except OSError as error:
        return ResultFile(problem=str(error.strerror))
    finally:
        os.close(handle)
    return parse_result(data if len(data) > MAX_RESULT else redact(data))


def parse_result(data: bytes) -> ResultFile:
    """Understand the bytes of a result file."""
    if len(data) > MAX_RESULT:
        return ResultFile(problem="it is larger than 1 MiB")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return ResultFile(problem="it is not JSON")
    if not isinstance(document, dict):
        return ResultFile(problem="it is not a JSON object")
    status = document.get("status")
    verdict = _STATUS.get(status) if isinstance(status, str) else None
    if verdict is None:
        return ResultFile(problem='its "status" is not complete, failed, blocked or limited')
    texts = {}
    for key in ("reason", "question", "learnings"):
        value = document.get(key)
        if not isinstance(value, str | None):
            return ResultFile(problem=f'its "{key}" is not text')
        texts[key] = clean(value or "").strip()
    reason = texts["reason"]
    if verdict is Verdict.BLOCKED:
        reason = texts["question"] or reason
    elif verdict is Verdict.COMPLETE:
        reason = ""
    usage = document.get("usage")
    return ResultFile(
        claim=Claim(
            verdict=verdict,
            reason=reason,
            learnings=texts["learnings"],
            resets_at=number(document.get("resets_at")) or None,
            usage=_usage(usage) if isinstance(usage, dict) else None,
        )
    )


def _usage(document: dict[str, Any]) -> Usage:
    """Read what a worker says it used; nothing it can say makes a budget grow."""
    turns, read, written = (
        max(integer(document.get(key)) or 0, 0)
        for key in ("turns", "input_tokens", "output_tokens")
    )
    cost = max(number(document.get("cost")), 0.0)
    return Usage(turns=turns, input_tokens=read, output_tokens=written, cost=cost)


def promise(message: str) -> Claim | None:
    """Return the claim of the promise tag on the last non-empty line, if there is one.

    Where a line holds several, one that is not COMPLETE counts: doubt is no success.
    """
    # The search is quadratic in a line made to be slow; no honest tag needs more.
    lines = message.rstrip()[-_LONGEST_TAG:].splitlines()
    tags = _PROMISE.findall(lines[-1]) if lines else []
    claims = [Claim(verdict=_STATUS[word.lower()], reason=shown(why)) for word, why in tags]
    claims.sort(key=lambda claim: claim.verdict is Verdict.COMPLETE)
    if not claims:
        return None
    first = claims[0]
    return attrs.evolve(first, reason="") if first.verdict is Verdict.COMPLETE else first


def judge(
    *,
    failure: str = "",
    file: ResultFile | None = None,
    message: str = "",
    exit_code: int | None = None,
    complaint: str = "",
    usage: Usage | None = None,
    session: str | None = None,
    denied: tuple[str, ...] = (),
    limited: bool = False,
    limit_reset: float | None = None,
) -> WorkerReport:
    """Weigh everything a worker left behind; pure.

    Args:
      failure: what its adapter saw go wrong; it beats every claim.
      file: what lay at the place of the result file.
      message: the worker's last message.
      exit_code: the exit status where that is itself a result (commands), else None.
      complaint: the last thing it printed, to explain a bad exit status.
      limited: whether ``failure`` is a limit of its service; ``limit_reset``: until when.
    """
    file = file or ResultFile()
    claim = file.claim or promise(message)
    exited_badly = exit_code is not None and exit_code != 0
    if failure:
        verdict, reason = Verdict.LIMITED if limited else Verdict.FAILED, failure
    elif exited_badly and (claim is None or (not file.claim and claim.verdict is Verdict.COMPLETE)):
        verdict, reason = Verdict.FAILED, describe_exit(exit_code or 0)
        if complaint:
            reason += f": {shown(complaint)}"
    elif claim is not None:
        verdict, reason = claim.verdict, claim.reason
        limit_reset = claim.resets_at
    elif exit_code == 0:
        verdict, reason = Verdict.COMPLETE, ""
    else:
        verdict, reason = Verdict.SILENT, ""
    if file.problem and verdict in (Verdict.FAILED, Verdict.SILENT):
        note = f"its result file was ignored: {file.problem}"
        reason = f"{reason} ({note})" if reason else note
    return WorkerReport(
        verdict=verdict,
        reason=reason,
        usage=usage or (file.claim and file.claim.usage) or Usage(),
        session=session,
        denied=denied,
        limit_reset=limit_reset,
        learnings=file.claim.learnings if file.claim else "",
    )


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    return f"killed by signal {-code}" if code < 0 else f"exited with {code}"
