"""Promise: configuration is layered as documented, and a mistake is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config import load_config
from orchestrator.errors import ConfigError
from orchestrator.settings import Check, parse_duration


def test_without_any_file_everything_has_a_default(tmp_path: Path) -> None:
    config = load_config(tmp_path / "orchestrator.toml", environ={})
    assert config.execution.max_attempts == 3
    assert float(config.execution.attempt_timeout) == 1800


def test_flags_over_environment_over_project_over_user(tmp_path: Path) -> None:
    user = tmp_path / "orchestrator" / "config.toml"
    user.parent.mkdir()
    user.write_text(
        "[execution]\nmax_attempts = 4\nagent = 'a'\ncommand_timeout = '4s'\nverify = ['u']\n"
    )
    project = tmp_path / "orchestrator.toml"
    project.write_text("[execution]\nagent = 'b'\ncommand_timeout = '5s'\nattempt_timeout = '2h'\n")
    config = load_config(
        project,
        environ={"XDG_CONFIG_HOME": str(tmp_path), "ORC_COMMAND_TIMEOUT": "6s", "ORC_AGENT": "c"},
        overrides={"execution": {"agent": "d", "max_attempts": None}},
    )
    execution = config.execution
    assert (execution.agent, float(execution.command_timeout)) == ("d", 6)
    assert (float(execution.attempt_timeout), execution.max_attempts) == (7200, 4)
    assert execution.verify == (Check(run="u"),)


@pytest.mark.parametrize(
    ("text", "path", "fix"),
    [
        ("[execution]\nmax_attemps = 3\n", "execution.max_attemps", "max_attempts"),
        ("[agents.x]\nkind = 'command'\nagrv = []\n", "agents.x.agrv", "argv"),
        ("[excution]\n", "excution", "execution"),
    ],
)
def test_unknown_key_is_named_with_the_nearest(
    tmp_path: Path, text: str, path: str, fix: str
) -> None:
    project = tmp_path / "orchestrator.toml"
    project.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(project, environ={})
    assert caught.value.message.startswith(f"{path}:")
    assert caught.value.where == str(project)
    assert caught.value.fix is not None
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[execution]\nmax_attempts = 'three'\n", "execution.max_attempts"),
        ("[execution]\nmax_attempts = 0\n", "execution.max_attempts"),
        ("[execution]\nverify = 'pytest'\n", "execution.verify"),
        ("[execution]\nattempt_timeout = 'soon'\n", "execution.attempt_timeout"),
        ("[execution]\nwait = '-1h'\n", "execution.wait"),
        ("[execution]\nmax_cost = inf\n", "execution.max_cost"),
        ("[execution]\nmax_tokens = 0\n", "execution.max_tokens"),
        ("[execution]\nverify = ['true', ' ']\n", "execution.verify.1.run"),
        ("[execution]\nverify = [{run = 'x', cwd = '..'}]\n", "execution.verify.0.cwd"),
        ("[workspace]\nsetup = ['']\n", "workspace.setup"),
        ("[workspace]\ncopy = ['/x']\n", "workspace.copy"),
        ("[agents.x]\nkind = 'claude'\ncredential = 'mine'\n", "agents.x.credential"),
        ("[workspace]\nwritable = ['elsewhere']\n", "workspace.writable"),
        ("[workspace]\nmode = 'elsewhere'\n", "workspace.mode"),
        ("[agents.x]\n", "agents.x"),
        ("execution = 3\n", "execution"),
        ("[execution\n", "not valid TOML"),
    ],
)
def test_wrong_value_is_named_with_its_path(tmp_path: Path, text: str, path: str) -> None:
    project = tmp_path / "orchestrator.toml"
    project.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(project, environ={})
    assert path in caught.value.message


@pytest.mark.parametrize(
    ("value", "seconds"), [(90, 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1.5", 1.5)]
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize("value", ["", "-1", "0", "1w", True, None, [], "nan"])
def test_no_durations(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["0", "0s", 0, 0.0])
def test_wait_may_be_never(tmp_path: Path, value: object) -> None:
    overrides = {"execution": {"wait": value}}
    config = load_config(tmp_path / "none", environ={}, overrides=overrides)
    assert float(config.execution.wait) == 0
