"""Promise: words and options of a command may be given in any order."""

from __future__ import annotations

import pytest

from orchestrator.cli.parser import build_parser
from orchestrator.errors import UsageError


@pytest.mark.parametrize(
    "line",
    ["answer X --no too risky", "answer --no X too risky", "answer X too --no risky"],
)
def test_options_stand_before_between_and_after_words(line: str) -> None:
    found = build_parser().parse_args(line.split())
    assert (found.item, found.text, found.verdict) == ("X", ["too", "risky"], "no")


@pytest.mark.parametrize("line", ["answer X --bogus word", "list word", "answer X --yes --no"])
def test_what_no_command_knows_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        build_parser().parse_args(line.split())
