"""Tags the head of a repository through a plugin, printing events: ``script.py VERSION [DIR]``."""

from __future__ import annotations

import sys
from pathlib import Path

import trio
from orchestrator_plugins.tags import TagHead, TagPort
from orchestrator_plugins.tags import plugin as tags

from orchestrator import Subscription, open_orchestrator


class Repository(TagPort):
    """Implements the plugin's port with git itself."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def tag_head(self, name: str) -> str:
        """Tag the current commit and return its id."""
        await self._git("tag", "--end-of-options", name)
        return await self._git("rev-parse", "HEAD")

    async def _git(self, *arguments: str) -> str:
        done = await trio.run_process(["git", *arguments], cwd=self._directory, capture_stdout=True)
        return str(done.stdout.decode().strip())


async def print_all(events: Subscription) -> None:
    """Print events until the orchestrator has ended."""
    async for event in events:
        print(event)


async def main(version: str, directory: Path) -> None:
    """Tag, say so, leave."""
    services = {TagPort: Repository(directory)}
    async with open_orchestrator(plugins=[tags], services=services) as orch:
        with orch.events() as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(print_all, events)
                with trio.fail_after(10):
                    tagged = await orch.call(TagHead(version=version))
                print(f"{tagged.tag} is {tagged.commit}")
                nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "."))
