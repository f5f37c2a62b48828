"""Promise: each phase has the agent it names, else the one that is configured for all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.agents import own_tools
from orchestrator.agents.claude import ClaudeWorker
from orchestrator.errors import AgentUnavailableError, ConfigError
from orchestrator.run.hosting.agent import choose_agent
from orchestrator.settings import AgentSettings, Config, Execution

CONFIG = Config(
    execution=Execution(agent="one"),
    agents={
        "one": AgentSettings(kind="command", argv=(sys.executable,)),
        "two": AgentSettings(kind="command", argv=(sys.executable, "-V")),
        "gone": AgentSettings(kind="command", argv=("/no/such/program",)),
    },
)


@pytest.mark.parametrize(("wanted", "name"), [(None, "one"), ("", "one"), ("two", "two")])
def test_the_agent_that_is_named_is_chosen(wanted: str | None, name: str) -> None:
    assert choose_agent(CONFIG, {}, wanted).name == name


@pytest.mark.parametrize(
    ("wanted", "installed", "there"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_our_own_tools_are_for_who_wants_them_where_their_sdk_is(
    wanted: bool, installed: bool, there: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(own_tools, "are_installed", lambda: installed)
    settings = AgentSettings(kind="claude", argv=(sys.executable,), mcp=wanted)
    agent = choose_agent(Config(agents={"one": settings}), {"HOME": str(tmp_path)}, "one")
    assert isinstance(agent.worker, ClaudeWorker)
    assert (agent.own_tools, agent.worker.own_tools) == (there, there)


def test_a_command_reports_by_its_own_means() -> None:
    assert not choose_agent(CONFIG, {}).own_tools


def test_a_directory_that_is_called_like_the_sdk_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert own_tools.are_installed()
    (tmp_path / "mcp").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "mcp", raising=False)
    assert not own_tools.are_installed()


def test_an_agent_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no agent three"):
        choose_agent(CONFIG, {}, "three")
    with pytest.raises(AgentUnavailableError, match="gone: /no/such/program"):
        choose_agent(CONFIG, {}, "gone")
