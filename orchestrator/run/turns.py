"""Turns at the operator's checkout, for what changes it in the middle of something else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.messages import Command
from orchestrator.plugin import Plugin

T = TypeVar("T")

plugin = Plugin("turns")
_DEADLINE = 7 * 86400.0
"""Longer than that of any command that waits for it."""


@attrs.frozen(kw_only=True)
class ChangeCheckout(Command[Any]):
    """Do ``work`` when its turn at the checkout has come; see `in_turn`."""

    work: Callable[[], Awaitable[Any]]


@plugin.handles(
    ChangeCheckout, name="change-checkout", deadline=_DEADLINE, lane=lambda _: "checkout"
)
async def change_checkout(command: ChangeCheckout, context: Context) -> Any:
    """Handle `ChangeCheckout`."""
    return await command.work()


async def open_in_turn(context: Context, work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` returns, which opens a workspace.

    That is done in its turn where it borrows the checkout for one; see `in_turn`.
    """
    in_place = context.service(Repository).mode == "in-place"
    return await (in_turn(context, work) if in_place else work())


async def in_turn(context: Context, work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` returns, which is done while nobody else changes the checkout.

    Commands of clients that change it hold the same lane, and wait in it for nothing but the record
    of a branch. So whoever holds the lane of an item, or that of all refs, may call this.

    Raises:
      Exception: whatever ``work`` raised.
    """
    return cast(T, await context.call(ChangeCheckout(work=work)))
