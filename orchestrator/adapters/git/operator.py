"""What the operator's own git configuration says, read once with his own environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import RepositoryError

from .discover import as_operator
from .runner import split_z

NO_PUSH = "/pushing is off in this workspace - its files are the result and are taken from it"
"""Where a workspace pushes to: git says that this is no repository."""

_TREE = frozenset({
    "core.autocrlf", "core.eol", "core.safecrlf", "core.sparsecheckout", "core.sparsecheckoutcone",
})  # fmt: skip
_FILES = frozenset({"core.filemode", "core.symlinks", "core.ignorecase", "core.precomposeunicode"})
_LINKED = re.compile(r"remote\..+\.(url|fetch|tagopt)|submodule\..+\.(url|active)", re.DOTALL)


class OperatorConfig(NamedTuple):
    """Every setting in force in a checkout, in git's order: the last of a key wins.

    Attributes:
      checkout: the work tree that relative paths start from.
    """

    entries: tuple[tuple[str, str], ...]
    checkout: Path

    def get(self, key: str) -> str | None:
        """Return the value in force; ``key`` with section and variable in lower case."""
        return next((value for name, value in reversed(self.entries) if name == key), None)

    def is_on(self, key: str) -> bool:
        """Whether a setting is there and not off."""
        return (self.get(key) or "false").lower() not in {"false", "no", "off", "0"}

    def tree_settings(self) -> dict[str, str]:
        """Return the settings that decide which files are there, and with which bytes."""
        settings = {name: value for name, value in self.entries if name in _TREE}
        settings["core.excludesFile"] = str(self.checkout / self._excludes())
        return settings

    def drivers(self) -> tuple[tuple[str, str], ...]:
        """Return kind (filter, diff, merge) and name of every configured driver."""
        found = set()
        for key, _ in self.entries:
            section, _, rest = key.partition(".")
            if section in {"filter", "diff", "merge"} and "." in rest:
                found.add((section, rest.rpartition(".")[0]))
        return tuple(sorted(found))

    def for_clone(self) -> list[tuple[str, str]]:
        """Return what a clone's configuration takes over: no credentials, no way to push."""
        settings = [(name, value) for name, value in self.entries if name in _FILES]
        for name, value in self.entries:
            if _LINKED.fullmatch(name):
                kept = self._clean_url(value) if name.endswith(".url") else value
                settings.append((name, kept))
        remotes = {name.rpartition(".")[0] for name, _ in settings if name.startswith("remote.")}
        settings += [(f"{remote}.pushurl", NO_PUSH) for remote in sorted(remotes)]
        settings += [("commit.gpgsign", "false"), ("tag.gpgsign", "false")]
        return settings

    def promisor(self) -> str | None:
        """Return the setting that makes the repository a partial clone, or None."""
        for key, value in self.entries:
            if key == "extensions.partialclone" or (
                key.startswith("remote.") and key.endswith(".promisor") and value != "false"
            ):
                return key
        return None

    def _excludes(self) -> str:
        path = self.get("core.excludesfile")
        if path:
            return os.path.expanduser(path)
        config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        return os.path.join(config, "git", "ignore")

    def _clean_url(self, url: str) -> str:
        if "://" in url:
            scheme, _, rest = url.partition("://")
            authority, slash, path = rest.partition("/")
            user, at, host = authority.rpartition("@")
            keep = f"{user.partition(':')[0]}@" if at and not scheme.startswith("http") else ""
            return f"{scheme}://{keep}{host}{slash}{path}"
        place = self.checkout / url
        return str(place.resolve()) if place.exists() else url


def read_operator(executable: str, checkout: Path, deadline: float) -> OperatorConfig:
    """Return the configuration in force in a checkout. Blocking; one process.

    Raises:
      RepositoryError: when git cannot read it.
    """
    done = as_operator(executable, checkout, "config", "-z", "--list", deadline=deadline)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise RepositoryError(f"git cannot read its configuration: {said}", where=str(checkout))
    entries = []
    for entry in split_z(done.stdout):
        key, newline, value = os.fsdecode(entry).partition("\n")
        entries.append((key, value if newline else "true"))
    return OperatorConfig(tuple(entries), checkout)


def config_text(settings: list[tuple[str, str]]) -> str:
    """Return settings in the form of a git configuration file."""
    lines = []
    for key, value in settings:
        section, _, rest = key.partition(".")
        subsection, _, name = rest.rpartition(".")
        quoted = subsection.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'[{section} "{quoted}"]' if subsection else f"[{section}]")
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'\t{name} = "{escaped}"')
    return "".join(f"{line}\n" for line in lines)
