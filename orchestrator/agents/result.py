"""Decides what a worker claims: result file, then promise tag, then exit code."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.agents.loose import integer, number, text_of
from orchestrator.text import clean, shown
from orchestrator.work.worker import Usage, Verdict, WorkerReport

MAX_RESULT = 1 << 20

_PROMISE = re.compile(r"<promise>\s*(COMPLETE|FAILED|BLOCKED)\s*(?::(.*?))?</promise>")
_LONGEST_TAG = 10_000
_MOST_NESTED = 16
# Of each kind; sums of it stay numbers that JSON has a word for.
_MOST_USED = 10**12
_STATUS = {
    "complete": Verdict.COMPLETE,
    "failed": Verdict.FAILED,
    "blocked": Verdict.BLOCKED,
    "limited": Verdict.LIMITED,
}
_RESULT = {
    "phase_complete": Verdict.COMPLETE,
    "subphase_complete": Verdict.COMPLETE,
    "failed": Verdict.FAILED,
    "blocked": Verdict.BLOCKED,
}
"""What the "result" of a phase may be."""
_BY_STATUS = ("status", _STATUS)


@attrs.frozen(kw_only=True)
class Claim:
    """What a worker says of its own work; ``reason`` is the question when it is blocked.

    Attributes:
      resets_at: Unix time in seconds until which it is limited, or None.
      usage: what it says it used, or None when it says nothing.
      document: all that the result file says.
    """

    verdict: Verdict
    reason: str = ""
    learnings: str = ""
    resets_at: float | None = None
    usage: Usage | None = None
    document: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)


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
        document = _tidy(json.loads(data))
    except (ValueError, RecursionError):
        return ResultFile(problem="it is not JSON")
    if not isinstance(document, dict):
        return ResultFile(problem="it is not a JSON object")
    verdict = _claimed(document)
    if isinstance(verdict, str):
        return ResultFile(problem=verdict)
    texts = {}
    for key in ("reason", "question", "learnings"):
        value = document.get(key)
        if not isinstance(value, str | None):
            return ResultFile(problem=f'its "{key}" is not text')
        texts[key] = (value or "").strip()
    summary, context = (text_of(document.get(key)).strip() for key in ("summary", "context"))
    reason = texts["reason"] or summary
    if verdict is Verdict.BLOCKED:
        reason = texts["question"] or texts["reason"] or context or summary
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
            document=document,
        )
    )


def _claimed(document: dict[str, Any]) -> Verdict | str:
    """Return what a document claims by its "status", else by the "result" of a phase.

    A text says what is wrong with it.
    """
    status, result = (document.get(key) for key in ("status", "result"))
    told = _RESULT.get(result) if isinstance(result, str) else None
    key, verdicts = ("result", _RESULT) if "status" not in document and result else _BY_STATUS
    said = document.get(key)
    verdict = verdicts.get(said) if isinstance(said, str) else None
    if verdict is None:
        *names, last = verdicts
        return f'its "{key}" is not {", ".join(names)} or {last}'
    if told not in (None, verdict):
        return f'its "status" is {status}, and its "result" is {result}'
    return verdict


def _tidy(value: Any, depth: int = _MOST_NESTED) -> Any:
    """Return a value of JSON without terminal control in its texts.

    Raises:
      ValueError: when it is nested deeper than anything that is meant honestly.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (dict, list)) and depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {clean(key): _tidy(inner, depth - 1) for key, inner in value.items()}
    return [_tidy(inner, depth - 1) for inner in value] if isinstance(value, list) else value


def _usage(document: dict[str, Any]) -> Usage:
    """Read what a worker says it used; nothing it can say makes a budget grow."""
    turns, read, written = (
        min(max(integer(document.get(key)) or 0, 0), _MOST_USED)
        for key in ("turns", "input_tokens", "output_tokens")
    )
    cost = min(max(number(document.get("cost")), 0.0), float(_MOST_USED))
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
    if file.problem and verdict in (Verdict.COMPLETE, Verdict.FAILED, Verdict.SILENT):
        # It wanted to say something, and nobody knows what: that is no success.
        note = f"its result file was ignored: {file.problem}"
        verdict, reason = Verdict.FAILED, f"{reason} ({note})" if reason else note
    return WorkerReport(
        verdict=verdict,
        reason=reason,
        usage=usage or (file.claim and file.claim.usage) or Usage(),
        session=session,
        denied=denied,
        limit_reset=limit_reset,
        learnings=file.claim.learnings if file.claim else "",
        document=file.claim.document if file.claim else {},
    )


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    return f"killed by signal {-code}" if code < 0 else f"exited with {code}"
