"""Promise: what goes into the archive of a bug report is bounded and holds no known secret."""

from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.redact import Redactor
from orchestrator.report.bundle import PART, Part, sanitized, write_bundle
from orchestrator.report.diagnosis import configuration, declared_secrets
from orchestrator.settings import AgentSettings, Config

SECRET = "p1anted/secret+value"


@given(st.text(max_size=50), st.text(max_size=50))
def test_secret_is_in_no_name_and_no_text(before: str, after: str) -> None:
    text = f"{before}{SECRET}{after}"
    (part,) = sanitized(
        [Part(name=f"logs/{text}.log", about="", text=text)], Redactor({"X": SECRET}).text
    )
    assert SECRET not in part.text
    assert "p1anted" not in part.name
    assert "\x1b" not in part.text


@pytest.mark.parametrize(
    "line",
    [
        "api_key = 'abcdefghij'",
        '"access_token": "abcdefghij"',
        "Authorization: Bearer abcdefghij",
        "PASSWORD=abcdefghij",
        "client-secret: abcdefghij",
    ],
)
def test_what_is_called_a_secret_is_one(line: str) -> None:
    (part,) = sanitized([Part(name="a", about="", text=line)], str)
    assert "abcdefghij" not in part.text
    assert "[redacted]" in part.text


def test_counts_of_tokens_are_no_secrets_and_home_is_nobody() -> None:
    home = os.path.expanduser("~")
    text = f'"input_tokens": 1234567, {home}/x'
    (part,) = sanitized([Part(name="a", about="", text=text)], str)
    assert part.text == '"input_tokens": 1234567, ~/x'


def test_long_text_keeps_its_end() -> None:
    (part,) = sanitized([Part(name="a", about="", text="line\n" * PART + "end")], str)
    assert len(part.text) <= PART + 100
    assert part.text.endswith("end")


def test_archive_is_private_and_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    write_bundle(path, [Part(name="a.txt", about="", text="hello\n")], 1e9)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.size) == ("orchestrator-report/a.txt", 6)
    with pytest.raises(UsageError, match="exists already"):
        write_bundle(path, [], 1e9)


def test_values_of_agents_are_hidden_and_known(tmp_path: Path) -> None:
    config = Config(agents={"mine": AgentSettings(kind="command", env={"PLAIN": SECRET})})
    assert SECRET not in configuration(config).text
    file = tmp_path / "orchestrator.toml"
    file.write_text(f"[agents.mine]\nunknown = 1\n[agents.mine.env]\nPLAIN = '{SECRET}'\n")
    assert declared_secrets(file, tmp_path / "none") == {"PLAIN": SECRET}
