"""Promises of the table of branches: what is wrong is named, what is left out has a default."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config import load_config
from orchestrator.errors import ConfigError
from orchestrator.settings import Config
from orchestrator.work.machine.policy import Branches
from orchestrator.work.machine.preset import WORKFLOWS
from orchestrator.work.machine.scope import names


def load(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "orchestrator.toml"
    file.write_text(text)
    return load_config(file, environ={"HOME": str(tmp_path)})


def test_everything_has_a_default(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert config.branches == Branches()
    assert list(config.rules().pipelines) == ["feature"]


def test_the_preset_has_six_workflows_which_the_project_may_replace(tmp_path: Path) -> None:
    text = '[branches]\npreset = "standard"\n[[pipelines.docs.phases]]\nname = "write"\n'
    pipelines = load(tmp_path, text).rules().pipelines
    assert set(pipelines) == {"feature", "bug", "hotfix", "refactor", "docs", "epic"}
    assert names(pipelines["docs"]) == ("write",)
    assert pipelines["feature"] is WORKFLOWS["feature"]


@pytest.mark.parametrize(
    ("workflow", "phases"),
    [
        ("feature", "research design planning implementation validation documentation ready"),
        ("bug", "research design planning implementation validation documentation ready"),
        ("hotfix", "implementation validation documentation ready"),
        ("refactor", "research planning implementation validation documentation ready"),
        ("docs", "planning documentation ready"),
        ("epic", "research design planning coordination documentation ready"),
    ],
)
def test_the_preset_goes_its_way(workflow: str, phases: str) -> None:
    """The phases of the reference, §2.1; cycles in all implementations but a hotfix's, §2.3."""
    assert names(WORKFLOWS[workflow]) == tuple(phases.split())
    cyclic = [phase.name for phase in WORKFLOWS[workflow].phases if phase.cycles]
    expected = ["implementation"] if workflow in ("feature", "bug", "refactor") else []
    assert cyclic == expected
    assert all(phase.prompt for phase in WORKFLOWS[workflow].phases)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('preset = "other"', "branches.preset: expected 'standard'"),
        ("types = []", "branches.types: expected a list of one or more words"),
        ('types = ["a b"]', "branches.types"),
        ('names = "["', "branches.names: expected a regular expression"),
        ("title_max = -1", "branches.title_max: expected 0 or more"),
        ('bases = { other = ["main"] }', "branches.bases.other: no such type of branch"),
        ('bases = { hotfix = "main" }', "branches.bases: expected lists"),
        ('protect = ["x"]', "branches.protect: unknown key"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, f"[branches]\n{line}\n")
    assert says in wrong.value.message
