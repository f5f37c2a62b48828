"""The pipeline of a project that configures none: plan, build, review, told in prompts."""

from __future__ import annotations

from .pipeline import DEFAULT, Phase, Pipeline

_PLAN = """\
Plan how to do this item. Change nothing but the change folder.

1. Read the code, the tests and the documents that the item touches, until you know how it is \
done today and which conventions hold there.
2. Find out whether it is done already, or not worth doing. If so, say which and why, and report \
the phase as blocked with the decision that a person has to make.
3. Write `plan.md` into the change folder: what will be different for whoever uses it; the files \
to change, each with what changes in it; the tests that will show it works, and that fail today; \
edge cases and how each is handled; what is left out on purpose. Decide what can be decided, and \
list your assumptions.
4. Rate size, complexity, risk and impact again by what you found.

Work that you come across and that is not this item's is a follow-up: report it, do not plan it."""

_BUILD = """\
Implement this item as `plan.md` in the change folder says.

1. Read the plan. Where the code turns out to be different, do what the item needs and note the \
difference at the end of the plan.
2. Write the tests first where that is possible, and see them fail for the right reason.
3. Make the change: whole, in the style of the code around it, without stubs, commented-out code \
or changes that the item does not need. Update documents that would be wrong afterwards.
4. Run the tests and the linters of the project, and mend what fails.

When the plan has several steps and this one session cannot do them all well, finish some of them \
wholly, tick them off in the plan and report the subphase as complete: you will be asked again for \
the rest. Work that is not this item's is a follow-up."""

_REVIEW = """\
Review what was built for this item, as an experienced colleague who did not write it, and mend it.

1. Read the item, `plan.md` in the change folder and the whole difference to the commit that the \
item's branch started from.
2. Ask of every change: is it right, also for empty, huge, hostile and concurrent input; is it \
tested, by a test that would fail without it; is it as simple as it can be; is it safe; is \
anything left over that does not belong; do the documents still tell the truth?
3. Mend what you find, smallest change first, and run the tests again.
4. Write `review.md` into the change folder: what you checked, what you mended, what is left and \
why.

Report the phase as complete when you would put your name to it. When it must be built otherwise, \
report it as failed and say what is wrong. A question that only a person can answer blocks it."""

FEATURE = Pipeline(
    name=DEFAULT,
    description="any change: planned, built and reviewed",
    phases=(
        Phase(name="plan", prompt=_PLAN, verify=False),
        Phase(name="build", prompt=_BUILD),
        Phase(name="review", prompt=_REVIEW),
    ),
)
"""What an item goes through where no pipeline is configured; it needs no other file."""
