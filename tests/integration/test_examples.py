"""Promise of the examples: each runs as it stands, and does what its first line says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.gitrepo import git, make_repository

pytestmark = pytest.mark.processes

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ARGUMENTS = {"script.py": ["1.2.3"]}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit."""
    return make_repository(tmp_path / "repository")


def run_example(name: str, *arguments: str, cwd: Path) -> str:
    """Run the example and return what it printed; warnings are errors, as in every test."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_runs(name: str, repository: Path) -> None:
    assert run_example(name, *ARGUMENTS.get(name, []), cwd=repository)


def test_script_tags_the_head_and_prints_the_event(repository: Path, tmp_path: Path) -> None:
    output = run_example("script.py", "1.2.3", str(repository), cwd=tmp_path)
    head = git(repository, "rev-parse", "HEAD")
    assert git(repository, "rev-parse", "refs/tags/v1.2.3") == head
    lines = [f"Tagged(tag='v1.2.3', commit='{head}')", f"v1.2.3 is {head}"]
    assert sorted(output.splitlines()) == lines  # nobody waits for an event: either may come first
