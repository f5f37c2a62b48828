"""Sets up one workspace and verifies what is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.errors import ConfigError
from orchestrator.guardian.client import Guardians
from orchestrator.messages import Event
from orchestrator.project import environment as own
from orchestrator.redact import Redactor, redactor
from orchestrator.run.build import Build
from orchestrator.run.checks.verify import CheckResult, run_checks
from orchestrator.run.events import CheckRunning
from orchestrator.run.hosting.host import GuardedHost, python_place, surroundings
from orchestrator.settings import Check, Config
from orchestrator.text import one_line


@attrs.frozen(kw_only=True)
class Checker:
    """Runs the commands of a `Build` in one workspace, inside what it may write.

    Attributes:
      root: the project's directory in the workspace; commands start there.
      checkout: the user's, whose code must not be what is verified.
      before: commands that make what set-up needs.
      timeout: seconds a command without a time of its own may take.
      interrupt: once set, the running command's tree is killed and it has failed.
      redact: takes secrets out of what the commands print.
      publish: tells what runs.
    """

    host: GuardedHost
    env: Mapping[str, str]
    root: Path
    checkout: Path
    build: Build
    before: tuple[str, ...]
    timeout: float
    interrupt: trio.Event
    redact: Redactor
    publish: Callable[[Event], None]

    @property
    def setup(self) -> tuple[Check, ...]:
        """What makes a fresh workspace ready."""
        return tuple(Check(run=run) for run in (*self.before, *self.build.setup))

    async def run(self, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
        """Run commands in order; stop at the first that fails. Cancellation kills its tree."""
        return await run_checks(
            checks,
            host=self.host,
            root=self.root,
            env=self.env,
            timeout=self.timeout,
            interrupt=self.interrupt,
            redact=self.redact,
            tell=self._tell,
        )

    def _tell(self, command: str, seconds: float) -> None:
        self.publish(CheckRunning(command=one_line(command, 400), seconds=seconds))


def make_checker(
    repo: Repository,
    config: Config,
    build: Build,
    guardians: Guardians,
    place: Workspace,
    root: str,
    interrupt: trio.Event,
    publish: Callable[[Event], None],
) -> Checker:
    """Return what checks in ``place``, whose project lies at ``root`` below it.

    Raises:
      ConfigError: when the project needs a Python and there is none.
    """
    host, environment = surroundings(
        repo, config, guardians, place, wrap=build.wrap, own_python=build.own_python
    )
    before: tuple[str, ...] = ()
    if build.own_python:
        python = own.base_python(os.environ, repo.checkout, environment["PATH"])
        if python is None:
            raise ConfigError("this is a Python project, and python3 is not installed")
        before = (own.make_command(python, python_place(place)),)
    return Checker(
        host=host,
        env=environment,
        root=place.path / root,
        checkout=repo.checkout,
        build=build,
        before=before,
        timeout=config.execution.attempt_timeout,
        interrupt=interrupt,
        redact=redactor(os.environ),
        publish=publish,
    )
