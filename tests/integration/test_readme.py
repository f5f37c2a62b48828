"""Promises of the README: its example runs, and its tables name what is there."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from orchestrator.cli.parser import build_parser
from orchestrator.config import AgentSettings, Execution, WorkspaceSettings

README = Path(__file__).resolve().parents[2] / "README.md"
SECTIONS = {
    "execution": Execution,
    "workspace": WorkspaceSettings,
    "agents.<name>": AgentSettings,
}


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def test_table_of_the_configuration_holds_every_key_and_no_other(readme: str) -> None:
    rows = re.findall(r"^\| `([\w.<>]+\.\w+)` \|", readme, re.M)
    keys = [f"{name}.{field.name}" for name, cls in SECTIONS.items() for field in attrs.fields(cls)]
    assert sorted(rows) == sorted(keys)


def test_table_of_the_commands_holds_every_command_and_no_other(readme: str) -> None:
    rows = re.findall(r"^\| (`orc .*?) \|", readme, re.M)
    named = {word for row in rows for word in re.findall(r"`orc (\w+)", row)}
    (commands,) = (
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    assert named == set(commands.choices)


@pytest.mark.processes
def test_example_runs(readme: str, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)
    path = tmp_path / "example.py"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello, Ada!\n", "")
