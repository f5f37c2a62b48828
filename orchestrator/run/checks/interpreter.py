"""Asks the Python that a workspace's commands get whether it runs code of the user's checkout."""

from __future__ import annotations

import re
import shlex

import attrs

from orchestrator.errors import ConfigError
from orchestrator.run.checks.checker import Checker
from orchestrator.settings import Check

_USES_PYTHON = re.compile(r"(?<![\w-])(?:python3?|pytest|py\.test|tox|nox)(?![\w-])")
_PROBE = """\
import glob, os, re, sys
checkout = os.path.realpath(sys.argv[1])
names = "(?:%s|%s)" % (re.escape(checkout), re.escape(sys.argv[1])) + r"(?![\\w.-])"
patterns = ("*.pth", "__editable__*", "*.egg-link", "*.dist-info/direct_url.json")
for place in filter(None, sys.path):
    found = [place] + [f for p in patterns for f in glob.glob(os.path.join(glob.escape(place), p))]
    for path in found:
        text = os.path.realpath(place) if path == place else ""
        if path != place and os.path.isfile(path):
            with open(path, errors="surrogateescape") as file:
                text = file.read(65536)
        if re.search(names, text):
            print(sys.executable + " (" + path + ")")
            sys.exit(3)
"""


async def require_own_code(checker: Checker) -> None:
    """Refuse to verify with an interpreter whose packages lie in the user's checkout.

    PATH alone does not tell: a shim on it may start any interpreter. It is asked as the commands
    would get it, in the workspace, and only when a verify command seems to use Python.

    Raises:
      ConfigError: naming the interpreter and what leads from it into the checkout.
    """
    if not any(_USES_PYTHON.search(run) for run in checker.build.commands):
        return
    silent = attrs.evolve(checker, publish=lambda _: None)
    for name in ("python3", "python"):
        words = shlex.join((name, "-c", _PROBE, str(checker.checkout)))
        # Only its own answer counts: an interpreter that is missing or broken is no danger.
        asked = f"command -v {name} >/dev/null 2>&1 || exit 0; {words}"
        (result,) = await silent.run((Check(run=asked),))
        if result.reason == "exit 3":
            raise ConfigError(
                "verification would test your checkout instead of the workspace, "
                f"by the Python {result.output.strip()}",
                fix="uninstall it there, and install the project in an environment of its own",
            )
