"""Promise: of what a process prints, the path that its confinement denied is named, no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.run.hosting.denied import denied_write


@pytest.mark.parametrize(
    "line",
    [
        "/bin/sh: 1: cannot create {}: Permission denied",
        "PermissionError: [Errno 13] Permission denied: '{}'",
        "npm ERR! Error: EACCES: permission denied, mkdir '{}'",
        '{{"content":"touch: cannot touch \\"{}\\": Permission denied\\nnext"}}',
        "error: failed to open `{}`: Operation not permitted (os error 1)",
    ],
)
def test_denied_path_is_named(tmp_path: Path, line: str) -> None:
    place = tmp_path / "elsewhere"
    advice = denied_write(f"before\n{line.format(place)}\n", [tmp_path / "workspace"])
    assert advice == f"; it may not write {place}: [workspace] writable allows that"


@pytest.mark.parametrize(
    "line",
    [
        "Permission denied: '{}/workspace/file'",  # its own mode, not the confinement
        "Permission denied: '/proc/1/mem'",
        "git@example.org: Permission denied (publickey).",
        "wrote {}/elsewhere",
    ],
)
def test_other_complaints_name_nothing(tmp_path: Path, line: str) -> None:
    (tmp_path / "workspace").mkdir()
    assert denied_write(line.format(tmp_path), [tmp_path / "workspace"]) == ""
