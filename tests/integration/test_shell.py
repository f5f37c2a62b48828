"""Promise: a real bash completes commands, options, values, items and changes; `config` answers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.completion import describe
from orchestrator.cli.parser import build_parser
from tests.scratch import CHANGE, Scratch, make_scratch

pytestmark = pytest.mark.processes


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = make_scratch(tmp_path)
    odd = made.path / "openspec" / "changes" / "$(touch owned) odd"
    odd.mkdir()
    (odd / "tasks.md").write_text("- [ ] a\n")
    (made.path / "TODO.md").write_text("- [ ] a\n")
    program = tmp_path / "orc"
    python = shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nexec {python} -m orchestrator "$@"\n')
    program.chmod(0o755)
    return made


def complete(scratch: Scratch, *words: str) -> list[str]:
    """Return what bash offers for the last word."""
    script = scratch.home / "complete.bash"
    if not script.exists():
        script.write_text(scratch.orc("completion", "bash").out)
    line = " ".join(shlex.quote(word) for word in (str(scratch.home / "orc"), *words))
    done = subprocess.run(
        ["bash", "--norc", "-ec", f"source {script}; COMP_WORDS=({line}); "
         f"COMP_CWORD={len(words)}; _orc; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
        cwd=scratch.path, capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_bash_completes_commands_options_values_and_names(scratch: Scratch) -> None:
    assert complete(scratch, "sta") == ["status"]
    assert {"run", "finish", "--version"} <= set(complete(scratch, ""))
    assert complete(scratch, "run", "--ba") == ["--baseline"]
    assert complete(scratch, "run", "--baseline", "") == ["run", "skip"]
    assert complete(scratch, "run", "--model", "") == [""]
    assert complete(scratch, "-C", ".", "finish", "--disc") == ["--discard"]
    assert complete(scratch, "completion", "z") == ["zsh"]
    assert complete(scratch, "run", "add") == [CHANGE]
    assert complete(scratch, "run", "TO") == ["TODO.md"]
    assert complete(scratch, "-C", "..", "run", "add") == [""]
    assert complete(scratch, "-C", "openspec", "show", "$(t") == ["$(touch owned) odd"]
    assert not (scratch.path / "owned").exists()
    assert scratch.orc("run", CHANGE).code == 0
    assert complete(scratch, "finish", "")[-1] == CHANGE


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_option_is_in_every_script(scratch: Scratch, shell: str) -> None:
    script = scratch.orc("completion", shell).out
    top, commands = describe(build_parser())
    assert len(commands) > 10
    for command in commands:
        assert command.name in script
        for option in (*top, *command.options):
            for name in option.names:
                assert (name.lstrip("-") if shell == "fish" else name) in script, name


def test_names_are_listed_without_a_repository_too(tmp_path: Path, scratch: Scratch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for what in ("items", "changes"):
        ran = scratch.orc("-C", str(empty), "completion", "--list", what)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert scratch.orc("completion", "tcsh").code == 2


def test_config_shows_what_is_in_force(scratch: Scratch) -> None:
    ran = scratch.orc("config", "--json", "--max-attempts", "7", env={"ORC_ATTEMPT_TIMEOUT": "5m"})
    found = {row["key"]: row for row in json.loads(ran.out)["settings"]}
    assert found["execution.max_attempts"]["layer"] == "flag"
    assert found["execution.attempt_timeout"] == {
        "key": "execution.attempt_timeout", "value": "5m", "layer": "environment", "where": "",
    }  # fmt: skip
    assert found["execution.agent"]["where"] == str(scratch.path / "orchestrator.toml")
    assert scratch.orc("config", "execution.agent").out == "mine\n"
    assert "agents.mine.kind" in scratch.orc("config", "agents").out
    for arguments, said in (
        (["execution.maxattempts"], "max_attempts"),
        (["--max-attempts", "0"], "--max-attempts"),
        (["--wait", "soon"], "soon"),
    ):
        wrong = scratch.orc("config", *arguments)
        assert (wrong.code, said in wrong.err) == (2, True), wrong
    (scratch.path / "orchestrator.toml").write_text("[execution]\nagnt = 1\n")
    assert "did you mean agent?" in scratch.orc("config").err
