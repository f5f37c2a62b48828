"""Promise: an agent gets one credential, a login before a key, and it is said which one pays."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.run.hosting.credential import Credential, choose_credential

KEY = {"ANTHROPIC_API_KEY": "k"}


def choose(wanted: str, environ: dict[str, str], **own: str) -> Credential:
    return choose_credential(wanted, environ, own, agent="claude")


@pytest.fixture
def login(isolated_home: Path) -> dict[str, str]:
    """An environment whose home has a stored login."""
    (isolated_home / ".claude").mkdir()
    (isolated_home / ".claude" / ".credentials.json").write_text("{}")
    return {"HOME": str(isolated_home)}


def test_stored_login_pays_and_the_key_is_withheld_and_said(login: dict[str, str]) -> None:
    found = choose("auto", login | KEY | {"CLAUDE_CODE_OAUTH_TOKEN": "t"})
    assert found.given == ()
    assert str(found) == "subscription (ANTHROPIC_API_KEY withheld: it would be billed)"


def test_key_pays_when_it_is_wanted_or_all_there_is(login: dict[str, str]) -> None:
    expected = Credential(pays="API key", given=("ANTHROPIC_API_KEY",))
    assert choose("key", login | KEY) == expected
    assert choose("auto", KEY | {"ANTHROPIC_AUTH_TOKEN": "t"}) == expected


def test_token_of_a_subscription_counts_as_login() -> None:
    found = choose("auto", KEY | {"CLAUDE_CODE_OAUTH_TOKEN": "t"})
    assert (found.pays, found.given) == ("subscription", ("CLAUDE_CODE_OAUTH_TOKEN",))
    assert found.withheld == ("ANTHROPIC_API_KEY",)


def test_agents_own_variable_beats_both(login: dict[str, str]) -> None:
    assert choose("auto", login, ANTHROPIC_API_KEY="mine") == Credential(pays="API key")


def test_cloud_gets_its_own_names_only() -> None:
    environ = KEY | {"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_PROFILE": "p", "GITHUB_TOKEN": "t"}
    assert choose("auto", environ) == Credential(pays="Amazon Bedrock", given=("AWS_PROFILE",))


@pytest.mark.parametrize(("wanted", "missing"), [("login", "no login"), ("key", "no API key")])
def test_wanted_credential_that_is_missing_is_named(wanted: str, missing: str) -> None:
    environ = KEY if wanted == "login" else {}
    with pytest.raises(ConfigError, match=missing):
        choose(wanted, environ)


def test_without_any_it_is_said_and_the_agent_may_still_know_one() -> None:
    assert choose("auto", {}).pays == "no credential found"
