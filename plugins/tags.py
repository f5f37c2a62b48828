"""Tags commits. A complete plugin: a port, a command, an event, a handler."""

from __future__ import annotations

import abc

import attrs

from orchestrator import Command, Context, Event, Plugin


class TagPort(abc.ABC):
    """What the plugin needs of a repository; whoever opens the orchestrator provides it."""

    @abc.abstractmethod
    async def tag_head(self, name: str) -> str:
        """Tag the current commit and return its id."""


@attrs.frozen(kw_only=True)
class Tagged(Event):
    """A commit got a tag."""

    tag: str
    commit: str


@attrs.frozen(kw_only=True)
class TagHead(Command[Tagged]):
    """Tag the current commit as ``v<version>``."""

    version: str = attrs.field(validator=attrs.validators.matches_re(r"\d+(\.\d+)*"))


plugin = Plugin("tags")


def _lane(command: TagHead) -> str:
    return "refs:tags"


@plugin.handles(TagHead, name="tag-head", deadline=30, lane=_lane)
async def tag_head(command: TagHead, context: Context) -> Tagged:
    """Handle `TagHead`."""
    tag = f"v{command.version}"
    tagged = Tagged(tag=tag, commit=await context.service(TagPort).tag_head(tag))
    context.publish(tagged)
    return tagged
