"""Asks the conditions on entering and leaving a phase of its workspace, all of them at once."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import trio

from orchestrator.adapters import aside
from orchestrator.adapters.process import raise_if_cancelled
from orchestrator.adapters.threads import in_thread
from orchestrator.errors import AdapterError, OrchestratorError
from orchestrator.run.checks.verify import CheckResult
from orchestrator.run.limits import PerRun
from orchestrator.settings import Check
from orchestrator.text import one_line
from orchestrator.work.backlog.gate import Gate, GateResult
from orchestrator.work.globs import matches

MOST_READ = 4 << 20
"""Bytes of a file that are searched for a text."""

_MAGIC = frozenset("*?[")
_LOOKING = PerRun("gates", 4)


class Runner(Protocol):
    """What runs the commands of gates in the workspace: a `Checker`."""

    async def run(self, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
        """Run commands in order; stop at the first that fails."""


Ask = Callable[[str, Path], Awaitable[str]]
"""Runs the check of a plugin by its name, for a workspace; returns what is wrong, or ""."""


async def examine(
    gates: Sequence[Gate],
    *,
    root: Path,
    values: Mapping[str, str],
    checker: Runner,
    deadline: float,
    ask: Ask,
    verify: Sequence[Check],
    total: float = math.inf,
) -> tuple[GateResult, ...]:
    """Decide every gate, in their order: which hold, and what is wrong with the others.

    Args:
      root: the top of the workspace, which no gate looks out of.
      values: what stands for the placeholders of the gates.
      checker: runs commands, each under its own time limit.
      deadline: seconds that looking at the files of one gate may take.
      ask: runs the checks of plugins.
      verify: the project's verify commands; none: a gate that wants them holds.
      total: seconds that all of them may take.

    A gate that cannot be decided, or not in time, does not hold. Cancellation kills a command that
    runs.

    Raises:
      GuardianError: a command could not be started.
    """
    until = trio.current_time() + total
    found = []
    for gate in gates:
        filled = gate.filled(values)
        left = until - trio.current_time()
        if left > 0:
            problem = f"{_name(filled)} cannot be decided within {left:.3g} s"
            with trio.move_on_after(left):
                problem = await _problem(filled, root, checker, deadline, ask, verify)
        else:
            problem = f"{_name(filled)} cannot be decided: those before it took {total:g} s"
        found.append(GateResult(gate=filled, problem=problem))
    return tuple(found)


def gate_values(item: str, phase: str, *, issue: str = "", branch: str = "") -> dict[str, str]:
    """Return what the placeholders of a gate stand for; without a branch, the item's own."""
    named = branch or f"orchestrator/{item}"
    return {"item": item, "phase": phase, "issue": issue or item, "branch": named}


def failing(results: Sequence[GateResult]) -> tuple[str, ...]:
    """Return what each gate that does not hold says is wrong."""
    return tuple(result.problem for result in results if not result.holds)


async def _problem(
    gate: Gate, root: Path, checker: Runner, deadline: float, ask: Ask, verify: Sequence[Check]
) -> str:
    if gate.fault:
        return f"{_name(gate)} cannot be decided: {gate.fault}"
    if gate.verify:
        return await _verify_problem(verify, checker)
    if gate.command:
        return await _command_problem(gate, checker)
    if gate.check:
        return await _check_problem(gate, root, ask)
    return await _path_problem(gate, root, deadline)


def _name(gate: Gate) -> str:
    if gate.verify:
        return "verify"
    if gate.command:
        return f"the command `{one_line(gate.command)}`"
    if gate.check:
        return f"the check {one_line(gate.check)}"
    return one_line(gate.file or gate.glob or gate.absent) or "the gate"


async def _command_problem(gate: Gate, checker: Runner) -> str:
    if gate.unfilled:
        left = " and ".join(f"{{{name}}}" for name in gate.unfilled)
        return (
            f"{_name(gate)} cannot be decided: what {left} stands for means something to a shell; "
            "write the command without quotes, values get theirs"
        )
    (result,) = await checker.run((Check(run=gate.command),))
    if result.passed:
        return ""
    last = one_line(result.output.strip().rpartition("\n")[2])
    said = f": {last}" if last else ""
    return f"{_name(gate)} failed ({result.reason}){said}; it has to succeed"


async def _verify_problem(verify: Sequence[Check], checker: Runner) -> str:
    results = await checker.run(verify) if verify else ()
    last = results[-1] if results else None
    if last is None or last.passed:
        return ""
    line = one_line(last.output.strip().rpartition("\n")[2])
    return f"verify failed: {last.command} ({last.reason}){line and f': {line}'}; it has to pass"


async def _check_problem(gate: Gate, root: Path, ask: Ask) -> str:
    try:
        found = await ask(gate.check, root)
    except OrchestratorError as error:
        return f"{_name(gate)} cannot be decided: {error.message}"
    return f"{gate.check}: {one_line(found)}" if found else ""


async def _path_problem(gate: Gate, root: Path, deadline: float) -> str:
    try:
        return await in_thread(
            _look,
            gate,
            root,
            deadline,
            deadline=deadline,
            limiter=_LOOKING.limiter,
            what="looking through the workspace",
        )
    except AdapterError as error:
        return f"{_name(gate)} cannot be decided: {error.message}"


def _look(gate: Gate, root: Path, deadline: float) -> str:
    """Return what is wrong with a gate about paths, "" when it holds. Blocking."""
    try:
        if gate.file:
            return _file_problem(gate, root, deadline)
        if gate.glob:
            found = next(_matching(root, gate.glob), "")
            return "" if found else f"nothing matches {gate.glob}; there has to be a file that does"
        found = next(_matching(root, gate.absent), "")
        return f"{one_line(found)} matches {gate.absent}; it must not be there" if found else ""
    except (OSError, RuntimeError, ValueError) as error:
        # The last two: of a path that leads in circles, or that no file can have.
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"{_name(gate)} cannot be looked at: {one_line(said)}"


def _file_problem(gate: Gate, root: Path, deadline: float) -> str:
    path = root / gate.file
    if not path.resolve().is_relative_to(root.resolve()):
        return f"{gate.file} leads out of the workspace; it has to be a file inside"
    if not path.exists():
        return f"{gate.file} is missing; it has to be there"
    if not (gate.contains or gate.lacks or gate.key):
        return ""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return f"{gate.file} is not a regular file; {gate.wanted}"
        data = file.read(MOST_READ)
    if gate.contains and gate.contains.encode() not in data:
        return f"{gate.file} does not contain {one_line(repr(gate.contains))}; it has to"
    if gate.lacks and gate.lacks.encode() in data:
        return f"{gate.file} contains {one_line(repr(gate.lacks))}; it must not"
    return _key_problem(gate, data, deadline) if gate.key else ""


def _key_problem(gate: Gate, data: bytes, deadline: float) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return f"{gate.file} is not UTF-8; {gate.wanted}"
    return aside.key_problem(gate.file, text, gate.key, deadline=deadline)


def _matching(root: Path, pattern: str) -> Iterator[str]:
    """Yield the paths below ``root`` that match, without what links and ``.git`` lead to."""
    pattern = pattern.removeprefix("./")
    start = root.joinpath(*_fixed(pattern))
    if not start.resolve().is_relative_to(root.resolve()):
        return
    for directory, below, files in os.walk(start, onerror=_unless_missing):
        raise_if_cancelled()
        if ".git" in below:
            below.remove(".git")
        for name in (*below, *files):
            path = os.path.relpath(os.path.join(directory, name), root)
            if matches(path, pattern):
                yield path


def _fixed(pattern: str) -> list[str]:
    """Return the directories that a pattern begins with, so that only they are looked through."""
    names = pattern.strip("/").split("/")
    if len(names) == 1 and not pattern.endswith("/"):
        return []
    fixed = []
    for name in names if pattern.endswith("/") else names[:-1]:
        if _MAGIC & set(name):
            break
        fixed.append(name)
    return fixed


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error
