"""Promises of points in time that other tools wrote: not a nanosecond is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.backlog.timestamps import read_time, write_time


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_time_comes_back_from_its_text(time: int) -> None:
    assert read_time(write_time(time)) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("2026-04-15T16:45:25.138488510Z", 1_776_271_525_138_488_510),
        ("2026-04-15T18:45:25.138488510+02:00", 1_776_271_525_138_488_510),
        ("2026-04-15t11:15:25.138488510-05:30", 1_776_271_525_138_488_510),
        ("2026-04-15 16:45:25.1384885109999z", 1_776_271_525_138_488_510),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_every_form_of_rfc_3339_is_read(text: str, time: int) -> None:
    assert read_time(text) == time


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (120_000_000, "1970-01-01T00:00:00.120Z"),
        (1_000, "1970-01-01T00:00:00.000001Z"),
        (10, "1970-01-01T00:00:00.000000010Z"),
    ],
)
def test_as_many_groups_of_digits_as_say_it_all_are_written(time: int, text: str) -> None:
    assert write_time(time) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-04-15",
        "2026-04-15T16:45:25",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "2026-04-15T16:45:25.Z",
        "٢026-04-15T16:45:25Z",
        "2026-04-15T16:45:25Z\n",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_time(text)
