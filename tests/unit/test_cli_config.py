"""Promise: `config` tells every setting in force and who set it, and shows no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.config import effective
from orchestrator.config import Layer, read_layers
from orchestrator.errors import ConfigError
from orchestrator.settings import parse_duration

PROJECT = """\
[execution]
max_attempts = 5
attempt_timeout = 90
wait = 0
verify = ["make test", { run = "npm test", cwd = "web", timeout = "2m" }]

[agents."my.agent"]
kind = "command"
argv = ["run", "--key", "sk-ant-abcdefghijklmnopqrstuvwxyz"]
env = { API_KEY = "hidden", MODE = "careful" }
"""


def settings(tmp_path: Path, project: str, **environ: str) -> dict[str, tuple[object, str]]:
    path = tmp_path / "orchestrator.toml"
    path.write_text(project)
    user = tmp_path / "orchestrator"
    user.mkdir(exist_ok=True)
    (user / "config.toml").write_text("[execution]\nagent = 'mine'\nmax_attempts = 9\n")
    layers = read_layers(
        path,
        environ={"XDG_CONFIG_HOME": str(tmp_path), **environ},
        overrides={"execution": {"max_cost": 2.5, "finish": None}},
    )
    return {setting.key: (setting.value, setting.layer) for setting in effective(layers)}


def test_the_strongest_layer_that_says_something_is_named(tmp_path: Path) -> None:
    found = settings(tmp_path, PROJECT, ORC_COMMAND_TIMEOUT="10s")
    assert found["execution.agent"] == ("mine", "user file")
    assert found["execution.max_attempts"] == (5, "project file")
    assert found["execution.command_timeout"] == ("10s", "environment")
    assert found["execution.max_cost"] == (2.5, "flag")
    assert found["execution.finish"] == ("keep", "default")
    assert found["execution.attempt_timeout"] == ("90s", "project file")
    assert found["execution.wait"] == ("0s", "project file")
    assert found["execution.retention"] == ("14d", "default")
    assert found["execution.verify"][0] == [
        {"run": "make test"},
        {"run": "npm test", "cwd": "web", "timeout": "2m"},
    ]


def test_secrets_are_masked_by_name_and_by_look(tmp_path: Path) -> None:
    found = settings(tmp_path, PROJECT)
    assert found["agents.my.agent.env.API_KEY"] == ("********", "project file")
    assert found["agents.my.agent.env.MODE"] == ("careful", "project file")
    assert "abcdef" not in str(found["agents.my.agent.argv"])


@pytest.mark.parametrize("text", ["30s", "90s", "30m", "6h", "14d", "1.5s"])
def test_durations_are_shown_as_they_are_written(tmp_path: Path, text: str) -> None:
    found = settings(tmp_path, f"[execution]\nmax_time = {text!r}\n")
    shown = found["execution.max_time"][0]
    assert parse_duration(shown) == parse_duration(text)
    assert shown == text


def test_what_does_not_go_together_is_an_error() -> None:
    with pytest.raises(ConfigError, match="max_attempts"):
        list(effective([Layer("flag", "", {"execution": {"max_attempts": 0}})]))
