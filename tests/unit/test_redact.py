"""Promise: a secret of the operator's environment is in nothing that is written or shown."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.redact import Redactor, redactor

values = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40)
# Letters that no mark and no other text here has.
around = st.text('µß\n" {}', max_size=30)


@given(values, around, around)
def test_value_is_gone_however_it_is_written(secret: str, before: str, after: str) -> None:
    redact = Redactor({"NAME": secret})
    for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        text = before + form + after
        assert "[redacted " in redact.text(text)
        assert redact.data(text.encode()).decode() == redact.text(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_stays_json_with_the_same_shape(text: str) -> None:
    redact = Redactor({"NAME": "hunter2hunter2"})
    document = {"text": text, "more": "x hunter2hunter2 y"}
    found = json.loads(redact.data(json.dumps(document).encode()))
    assert found["more"] == "x [redacted NAME] y"


@pytest.mark.parametrize(
    "token",
    [
        "sk-ant-api03-" + "aB3_" * 20,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 10,
        "AKIA" + "ABCDEFGH12345678",
        "npm_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)
def test_token_of_a_known_shape_is_taken_out_unasked(token: str) -> None:
    assert redactor({}).text(f'key="{token}";') == 'key="[redacted token]";'
    assert redactor({}).data(f"key={token}\n".encode()) == b"key=[redacted token]\n"


def test_password_in_an_address_is_taken_out() -> None:
    said = "fatal: unable to access 'https://me:s3cret@example.org/x.git/'"
    assert redactor({}).text(said) == (
        "fatal: unable to access 'https://[redacted token]@example.org/x.git/'"
    )


def test_only_what_looks_like_a_secret_is_one() -> None:
    environ = {
        "HOME": "/h/operator", "AWS_REGION": "eu-central-1", "GITHUB_TOKEN": "short",
        "SSH_AUTH_SOCK": "/run/agent.sock", "DB_PASSWORD": "correct-horse", "NAME": "long enough",
    }  # fmt: skip
    said = " ".join(environ.values())
    assert redactor(environ).text(said) == said.replace("correct-horse", "[redacted DB_PASSWORD]")


def test_each_line_of_a_long_secret_is_one() -> None:
    key = "-----BEGIN X-----\nMIIEowIBAAKCAQEA7\nq83vEzH0cPzvFxQaB\n-----END X-----"
    redact = redactor({"DEPLOY_KEY": key})
    assert b"q83v" not in redact.data(b"  q83vEzH0cPzvFxQaB\r\n")


def test_longer_secret_wins_over_one_that_begins_it() -> None:
    redact = Redactor({"A_TOKEN": "abcdefgh", "B_TOKEN": "abcdefghij"})
    assert redact.text("abcdefghij abcdefgh") == "[redacted B_TOKEN] [redacted A_TOKEN]"


def test_it_is_cheap_on_text_without_secrets() -> None:
    redact = redactor({f"N{n}_TOKEN": f"value-number-{n}" for n in range(20)})
    line = b"x" * 1_000_000
    began = time.process_time()
    for _ in range(20):
        assert redact.data(line) is line
    assert time.process_time() - began < 5
