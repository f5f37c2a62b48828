"""Promise: each phase has the agent it names, else the one that is configured for all."""

from __future__ import annotations

import sys

import pytest

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


def test_an_agent_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no agent three"):
        choose_agent(CONFIG, {}, "three")
    with pytest.raises(AgentUnavailableError, match="gone: /no/such/program"):
        choose_agent(CONFIG, {}, "gone")
