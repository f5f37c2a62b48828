"""Writes the result file of an attempt the way its worker could, whole and checked. Blocking."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs

from orchestrator.agents.assignment import Assignment
from orchestrator.agents.result import parse_result, read_result
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.work.backlog.report import phase_result
from orchestrator.work.worker import Verdict

NOTED = "follow_ups.json"
"""Where follow-ups wait for a result that they are a part of."""

_KEY = "follow_ups"


@attrs.frozen(kw_only=True)
class ResultWriter:
    """Writes what one attempt comes to; the latest result counts, and follow-ups add up.

    Nothing is kept in memory: whoever serves the attempt next goes on from the files.

    Attributes:
      directory: of the attempt.
    """

    assignment: Assignment
    directory: Path

    @property
    def result_file(self) -> Path:
        """Where the result goes."""
        return self.directory / self.assignment.result

    def report(self, said: Mapping[str, Any]) -> None:
        """Write a result, in place of any earlier one.

        Args:
          said: its keys, as in the file, without those that tell whose it is.

        Raises:
          UsageError: it would not be understood; nothing was written.
        """
        noted = self._noted()
        own = said.get(_KEY, [])
        also = {_KEY: _with(own, noted)} if noted else {}
        data = self._checked({**self._whose(), **said, **also})
        _replace(self.result_file, data)

    def add(self, follow_up: Mapping[str, Any]) -> int:
        """Note a follow-up for the result, whether that is there or comes later.

        Returns:
          How many are noted now.

        Raises:
          UsageError: it would not be understood; nothing was noted.
        """
        noted = _with(self._noted(), [follow_up])
        self._checked({"result": "phase_complete", **self._whose(), _KEY: noted})
        claim = read_result(self.result_file).claim
        known = claim.document.get(_KEY, []) if claim is not None else None
        fresh = None
        if claim is not None and isinstance(known, list):
            fresh = self._checked({**claim.document, _KEY: _with(known, [follow_up])})
        _replace(self.directory / NOTED, json.dumps(noted).encode())
        if fresh is not None:
            _replace(self.result_file, fresh)
        return len(noted)

    def _whose(self) -> dict[str, Any]:
        if self.assignment.is_story:
            return {}
        return {"item_id": self.assignment.item, "phase": self.assignment.phase}

    def _noted(self) -> list[Any]:
        with suppress(OSError, ValueError, RecursionError):
            noted = json.loads((self.directory / NOTED).read_bytes())
            return noted if isinstance(noted, list) else []
        return []

    def _checked(self, document: Mapping[str, Any]) -> bytes:
        """Return a result as bytes that the engine understands."""
        data = json.dumps(document, indent=1).encode()
        read = parse_result(data)
        problem = read.problem
        if read.claim is not None and not self.assignment.is_story:
            # As if complete: one that failed is excused for what is wrong in it.
            item, phase = self.assignment.item, self.assignment.phase
            said = phase_result(read.claim.document, Verdict.COMPLETE, "", item=item, phase=phase)
            problem = said if isinstance(said, str) else ""
        if problem:
            raise UsageError(f"nothing was written: {problem}", fix="correct it and call again")
        return data


def _with(known: Sequence[Any], more: Sequence[Any]) -> list[Any]:
    """Return the follow-ups in order, each once: a call may be repeated."""
    return [*known, *(each for each in more if each not in known)]


def _replace(path: Path, data: bytes) -> None:
    """Write a whole file or none: somebody may be reading it already."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise OrchestratorError(
            f"the result cannot be written: {error.strerror}",
            where=str(path),
            fix="make room for it, then call again",
        ) from None
