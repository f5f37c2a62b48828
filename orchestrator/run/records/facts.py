"""Facts on their way into the store and back: an event as plain values."""

from __future__ import annotations

import enum
import os
from typing import Any, TypeVar

import attrs
import trio

from orchestrator.messages import Event, Fact
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction

F = TypeVar("F", bound=Fact)


def event_name(event: Event) -> str:
    """Return the name of an event in documents, such as ``story_verified``."""
    name = type(event).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event's fields as JSON has them, without its sequence number."""
    fields = attrs.asdict(event, value_serializer=_plain)
    return {name: value for name, value in fields.items() if name != "seq"}


def add_fact(tx: Transaction, fact: F, *, item: str, run: str) -> F:
    """Record a fact with the state that it tells of; returns it with its sequence number."""
    seq = tx.add_fact(event_name(fact), event_fields(fact), item=item, run=run)
    return attrs.evolve(fact, seq=seq)


async def record_fact(store: Store, fact: F, *, item: str, run: str) -> F:
    """Record a fact on its own; returns it, durable, with its sequence number.

    A caller that is cancelled waits until it is recorded.

    Raises:
      StoreError: when it could not be recorded.
    """
    return await trio.to_thread.run_sync(
        store.write, lambda tx: add_fact(tx, fact, item=item, run=run)
    )


def _plain(_: object, __: object, value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    return os.fsdecode(value) if isinstance(value, bytes) else value
