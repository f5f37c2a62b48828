"""The environments of workers and of verification: the operator's, minus what must not leak."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.redact import SECRETS, matches
from orchestrator.run.hosting.credential import CREDENTIALS

ALWAYS_WITHHELD = (
    "GIT_*", "BASH_ENV", "ENV", "LD_PRELOAD", "LD_AUDIT", "PYTHONPATH", "PYTHONHOME",
    "PYTHONSTARTUP", "NODE_OPTIONS", "NODE_PATH", "RUBYOPT", "PERL5OPT", "JAVA_TOOL_OPTIONS",
    "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_PREFIX", "ORCHESTRATOR_*", "ORC_*", "OLDPWD",
)  # fmt: skip


def child_environment(
    operator: Mapping[str, str],
    *,
    checkout: Path,
    workspace: Path,
    temporary: Path,
    allow: Sequence[str] = (),
    credentials: Iterable[str] = (),
) -> dict[str, str]:
    """Return the environment of a worker or of a verify command.

    Withheld are secrets by pattern, what changes how tools load code, and whatever points into
    the user's checkout: a virtual environment there would let broken code in the workspace pass.

    Args:
      allow: names or patterns given all the same; after a "!", withheld. The last match wins.
      credentials: names of the one credential the chosen agent gets; none for verification.
    """
    kept = {}
    credentials = tuple(credentials)
    inside = _names(checkout)
    for name, value in operator.items():
        if not (name in credentials or _is_given(name, allow)):
            continue
        exact = name in allow or name in credentials
        if name == "PWD" or (not exact and _points_into(value, inside) and name != "PATH"):
            continue
        kept[name] = value
    kept["PATH"] = os.pathsep.join(clean_path(operator.get("PATH", os.defpath), checkout))
    return kept | {
        "PWD": str(workspace),
        "TMPDIR": str(temporary),
        # A workspace that lost its .git must not find another one above.
        "GIT_CEILING_DIRECTORIES": str(workspace.parent),
        "GIT_TERMINAL_PROMPT": "0",
        "ORCHESTRATOR_WORKSPACE": str(workspace),
    }


def _is_given(name: str, rules: Sequence[str]) -> bool:
    """Apply the deny-list, then ``rules``; what is never given needs a rule with its very name."""
    never = matches(name, ALWAYS_WITHHELD) or name in CREDENTIALS
    given = not never and not matches(name, SECRETS)
    for rule in rules:
        pattern = rule.removeprefix("!")
        if matches(name, (pattern,)):
            given = pattern == rule and (pattern == name or not never)
    return given


def withheld(operator: Mapping[str, str], given: Mapping[str, str]) -> tuple[str, ...]:
    """Name the operator's variables that a child does not get, for `doctor` and the log."""
    return tuple(sorted(name for name in operator if name not in given))


def clean_path(path: str, checkout: Path) -> tuple[str, ...]:
    """Return the entries of PATH that do not run code of the checkout.

    Left out are relative entries, entries below the checkout, and the ``bin`` of a virtual
    environment that has something installed from the checkout (an editable install).
    """
    inside = _names(checkout)
    return tuple(
        entry
        for entry in path.split(os.pathsep)
        if os.path.isabs(entry)
        and not _points_into(entry, inside)
        and not _environment_uses(Path(entry).parent, checkout)
    )


def interpreters_into(path: str, checkout: Path) -> tuple[str, ...]:
    """Name the interpreters on ``path`` whose packages include code of the checkout.

    A virtual environment of this kind is left out of PATH already; what remains is an
    interpreter outside any environment (system or user site), which cannot be used to verify.
    """
    found = []
    for entry in clean_path(path, checkout):
        prefix = Path(entry).parent
        for sites in ("lib/python3*/site-packages", "lib/python3*/dist-packages"):
            with suppress(OSError):
                if any(_site_uses(site, checkout) for site in prefix.glob(sites)):
                    found.append(entry)
                    break
    return tuple(found)


def _environment_uses(prefix: Path, checkout: Path) -> bool:
    try:
        if not (prefix / "pyvenv.cfg").is_file():
            return False
        sites = list(prefix.glob("lib*/python3*/site-packages"))
    except OSError:
        return False  # what this user cannot read he cannot run either
    return any(_site_uses(site, checkout) for site in sites)


def _site_uses(site: Path, checkout: Path) -> bool:
    needles = {os.fsencode(checkout), os.fsencode(checkout.resolve())}
    for pattern in ("*.pth", "__editable__*", "*.egg-link", "*.dist-info/direct_url.json"):
        with suppress(OSError):
            for file in site.glob(pattern):
                text = file.read_bytes()[:65_536]
                if any(needle in text for needle in needles):
                    return True
    return False


def _names(directory: Path) -> tuple[str, str]:
    """Return a directory as it is called, and as it is."""
    return str(directory), str(directory.resolve())


def _points_into(value: str, names: Sequence[str]) -> bool:
    return any(
        part == name or part.startswith(name + os.sep)
        for part in value.split(os.pathsep)
        for name in names
    )
