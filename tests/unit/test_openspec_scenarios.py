"""Spec files: each scenario with its requirement, its operation and all of its steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.openspec.scenarios import parse_scenarios

DELTA = """\
## ADDED Requirements
### Requirement: Greeting
#### Scenario: Known
- **GIVEN** a name
- **AND** a language
* **when** it is asked
  for a greeting
1. THEN it greets:
   - politely
   - once
- **BUT** not twice
## REMOVED Requirements
### Requirement: Silence
#### Scenario: Quiet
**WHEN** asked
**THEN** nothing
"""


def test_steps_requirements_and_operations() -> None:
    known, quiet = parse_scenarios(DELTA, "greeting")

    assert (known.name, known.capability, known.requirement, known.operation) == (
        "Known",
        "greeting",
        "Greeting",
        "ADDED",
    )
    assert known.given == ("a name", "a language")
    assert known.when == ("it is asked for a greeting",)
    assert known.then == ("it greets:\n  - politely\n  - once", "not twice")
    assert (quiet.requirement, quiet.operation) == ("Silence", "REMOVED")
    assert (quiet.when, quiet.then) == (("asked",), ("nothing",))


def test_crlf_and_byte_order_mark_change_nothing() -> None:
    assert parse_scenarios("\ufeff" + DELTA.replace("\n", "\r\n"), "c") == parse_scenarios(
        DELTA, "c"
    )


def test_a_scenario_in_a_code_fence_is_none() -> None:
    assert parse_scenarios("```\n#### Scenario: Shown\n- WHEN x\n```\n", "c") == ()


def test_colons_and_words_that_begin_like_a_keyword() -> None:
    (scenario,) = parse_scenarios(
        "#### Scenario: S\n- **WHEN**: x\n- **THEN:** y\n- Andover is near\n", "c"
    )

    assert scenario.when == ("x",)
    assert scenario.then == ("y\n  - Andover is near",)


def test_outside_a_delta_there_is_no_operation() -> None:
    (scenario,) = parse_scenarios("## Requirements\n### Requirement: R\n#### Scenario: S\n", "c")

    assert (scenario.requirement, scenario.operation) == ("R", "")


@given(st.text() | st.text(alphabet="#*- \n`>1.WHENTScenario:"))
def test_any_text_is_readable(text: str) -> None:
    parse_scenarios(text, "c")
