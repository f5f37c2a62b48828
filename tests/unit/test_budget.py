"""Promise: no more is used than a person allowed, however it is measured and divided."""

from __future__ import annotations

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from orchestrator.run.attempts.meter import Meter
from orchestrator.work.budget import Budget
from orchestrator.work.worker import Usage

amounts = st.integers(0, 10**6)
usages = st.builds(Usage, turns=amounts, input_tokens=amounts, output_tokens=amounts, cost=amounts)
limits = st.none() | st.integers(1, 10**6)
budgets = st.builds(Budget, cost=limits, tokens=limits, turns=limits, seconds=limits)


@given(budgets, st.lists(usages, max_size=6))
def test_rest_is_reached_exactly_when_the_whole_is(budget: Budget, parts: list[Usage]) -> None:
    """Dividing a budget among attempts, or restarts, changes nothing."""
    used = Usage()
    for part in parts:
        rest = budget.rest(used)
        used += part
        assert (rest.reached(part) is None) == (budget.reached(used) is None)
        if budget.reached(used) is not None:
            break


@given(budgets, budgets, usages, amounts)
def test_smaller_of_two_budgets_ends_when_either_does(
    one: Budget, other: Budget, used: Usage, seconds: float
) -> None:
    both = one.within(other).reached(used, seconds)
    either = (one.reached(used, seconds), other.reached(used, seconds))
    assert (both is None) == (either == (None, None))


def test_limit_is_named_with_what_was_used() -> None:
    reached = Budget(cost=10).reached(Usage(cost=10.414))
    assert reached is not None
    assert (reached.key, str(reached)) == ("max_cost", "$10.41 of $10.00")


async def test_meter_asks_to_stop_at_the_limit_and_not_before(autojump_clock: MockClock) -> None:
    meter = Meter(Budget(tokens=100))
    meter.take(Usage(input_tokens=60, output_tokens=39))
    assert not meter.stop.is_set()
    meter.take(Usage(input_tokens=60, output_tokens=40))
    assert meter.stop.is_set()
    assert meter.reached is not None
    assert meter.reached.key == "max_tokens"


@pytest.mark.parametrize("interrupted", [True, False])
async def test_meter_asks_to_stop_when_time_is_over_or_somebody_stops(
    autojump_clock: MockClock, interrupted: bool
) -> None:
    meter, interrupt = Meter(Budget(seconds=60)), trio.Event()
    if interrupted:
        interrupt.set()
    await meter.watch(interrupt)
    assert meter.stop.is_set()
    assert (meter.reached is None) == interrupted
    assert trio.current_time() == (0 if interrupted else 60)


@given(usages, usages)
def test_two_counts_of_the_same_are_not_added(one: Usage, other: Usage) -> None:
    both = one.at_least(other)
    assert all(
        getattr(both, field.name) in (getattr(one, field.name), getattr(other, field.name))
        for field in attrs.fields(Usage)
    )
    assert both.at_least(one) == both
