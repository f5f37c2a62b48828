"""Decides how a workspace is set up and verified: as configured, else as the project declares."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import attrs

from orchestrator.errors import ConfigError
from orchestrator.project.inference import look
from orchestrator.run.hosting.environment import clean_path, interpreters_into
from orchestrator.settings import Check, Config


@attrs.frozen(kw_only=True)
class Build:
    """The set-up and verification in force.

    Attributes:
      setup: shell commands run once in a fresh workspace.
      verify: what must pass before a story counts as done; nothing: done means unverified.
      copy: untracked paths of the checkout that go into a fresh workspace.
      wrap: words before the argv of every process.
      protect: globs of paths that a worker may change only when a task names them.
      own_python: whether the workspace gets a Python environment of its own, for set-up to fill.
      inferred: which of "setup" and "verify" the project declares and nobody configured.
      not_used: what was seen in the project and left alone.
    """

    setup: tuple[str, ...] = ()
    verify: tuple[Check, ...] = ()
    copy: tuple[str, ...] = ()
    wrap: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    own_python: bool = False
    inferred: tuple[str, ...] = ()
    not_used: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """The verify commands as the shell gets them."""
        return tuple(check.run for check in self.verify)


def choose_build(
    config: Config, root: Path, checkout: Path, environ: Mapping[str, str] = os.environ
) -> Build:
    """Return what is configured, and for what is not, what the project in ``root`` declares.

    Blocking; only reads. An empty list is a configured one: nothing is inferred for it. A checkout
    that is worked in itself is set up already, and keeps its own Python environment.
    """
    setup, verify = config.workspace.setup, config.execution.verify
    in_place = config.workspace.mode == "in-place"
    if in_place and setup is None:
        setup = ()
    project = look(
        root,
        path=os.pathsep.join(clean_path(environ.get("PATH", os.defpath), checkout)),
        wanted=tuple(check.run for check in verify or ()),
    )
    chosen = project.setup if setup is None else setup
    return Build(
        setup=chosen,
        verify=tuple(Check(run=run) for run in project.verify) if verify is None else verify,
        copy=() if in_place else config.workspace.copy,
        wrap=config.workspace.wrap,
        protect=config.workspace.protect,
        own_python=project.own_python and bool(chosen) and not in_place,
        inferred=tuple(
            name
            for name, given, found in (
                ("setup", setup, project.setup),
                ("verify", verify, project.verify),
            )
            if given is None and found
        ),
        not_used=project.not_used,
    )


def require_honest(build: Build, checkout: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Refuse what would test the user's checkout instead of the workspace.

    Raises:
      ConfigError: naming the interpreter, or the command, and the way out.
    """
    into = interpreters_into(environ.get("PATH", os.defpath), checkout)
    if into and build.verify:
        raise ConfigError(
            f"the Python in {into[0]} has this checkout installed: verification would test it "
            "instead of the workspace",
            fix="uninstall it there, and install the project in an environment of its own",
        )
    # Not what only begins like it: app-data is a neighbour of app.
    inside = re.compile(re.escape(str(checkout)) + r"(?![\w.-])")
    for key, commands in (("workspace.setup", build.setup), ("execution.verify", build.commands)):
        named = next((run for run in commands if inside.search(run)), None)
        if named is not None:
            raise ConfigError(
                f"a command names the checkout, so it would not use the workspace: {named}",
                where=key,
                fix="use a path relative to the project",
            )
