"""Promise: the same failure with the same inputs is not paid for a third time, and nothing else is
held back."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.work.records import AttemptRecord, AttemptState
from orchestrator.work.repeat import repeated

records = st.builds(
    AttemptRecord,
    id=st.just("a"),
    item=st.just("a"),
    run=st.sampled_from(["r1", "r2"]),
    story=st.sampled_from(["1", "2"]),
    number=st.just(1),
    at=st.just(1),
    state=st.sampled_from(list(AttemptState)),
    reason=st.sampled_from(["no", "other"]),
    evidence=st.sampled_from(["", "failed in 3.1 s", "failed in 4.7 s", "different"]),
    inputs=st.sampled_from(["", "x", "y"]),
)
SILENT = {
    AttemptState.STARTED, AttemptState.INTERRUPTED, AttemptState.LOST, AttemptState.LIMITED,
}  # fmt: skip


@given(st.lists(records, max_size=8))
def test_only_two_like_failures_in_a_row_with_these_inputs_hold_a_story_back(
    attempts: list[AttemptRecord],
) -> None:
    found = repeated(attempts, "1", "x")
    said = [a for a in attempts if a.story == "1" and a.state not in SILENT][-2:]
    held = (
        len(said) == 2
        and all(a.state is AttemptState.FAILED and a.inputs == "x" for a in said)
        and len({a.reason for a in said}) == 1
        and len({a.evidence.replace("3.1", "4.7") for a in said}) == 1
    )
    assert (found is not None) == held
    if held:
        assert found == said[-1]
        assert repeated(attempts, "1", "changed") is None


@given(st.lists(records, max_size=6), st.integers(0, 6), records)
def test_other_stories_and_unfinished_attempts_change_nothing(
    attempts: list[AttemptRecord], at: int, more: AttemptRecord
) -> None:
    other = attrs.evolve(more, story="2")
    silent = attrs.evolve(more, state=AttemptState.LIMITED)
    expected = repeated(attempts, "1", "x")
    for extra in (other, silent):
        assert repeated([*attempts[:at], extra, *attempts[at:]], "1", "x") == expected
