"""What an item may be without a person's approval. Pure."""

from __future__ import annotations

from .item import Asks, Assessments, Cause, Item, Question, Status
from .rules import Guardrails

REVIEW = "Requires human review before entering pipeline"
EXCEEDED = "Exceeds autonomous guardrail thresholds"


def exceeded(ratings: Assessments, most: Guardrails) -> tuple[str, ...]:
    """Return in words which ratings are too high; what nobody rated is not. Impact is free."""
    found = []
    for name, rating, limit in (
        ("size", ratings.size, most.max_size),
        ("complexity", ratings.complexity, most.max_complexity),
        ("risk", ratings.risk, most.max_risk),
    ):
        if rating is not None and rating.rank > limit.rank:
            found.append(f"{name} {rating.value} (at most {limit.value})")
    return tuple(found)


def approval(
    item: Item, most: Guardrails, *, since: Status, review: bool = False
) -> Question | None:
    """Return what a person has to approve before the item goes on to ``since``, if anything.

    What a person let pass needs no further approval.

    Args:
      review: whether it is about to become ready, which somebody may want to see.
    """
    if item.overridden:
        return None
    texts, cause = [], Cause.GUARDRAILS
    if review and item.needs_review:
        texts, cause = [REVIEW], Cause.REVIEW
    if too_much := exceeded(item.ratings, most):
        texts.append(f"{EXCEEDED}: {', '.join(too_much)}")
    if not texts:
        return None
    return Question(text="; ".join(texts), asks=Asks.APPROVAL, cause=cause, since=since)
