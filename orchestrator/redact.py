"""Takes secrets out of text on its way to a file, a screen or a prompt. Imports little."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from urllib.parse import quote

SECRETS = (
    "*TOKEN", "*_PAT", "*SECRET*", "*PASSWORD*", "*PASSWD*", "*CREDENTIALS*", "*_KEY", "AWS_*",
    "SSH_AUTH_SOCK",
)  # fmt: skip
"""Names of variables that a worker does not get unless it is told so; later ones win over these."""

_HARMLESS = ("AWS_*REGION", "AWS_PROFILE", "AWS_*OUTPUT", "AWS_*FILE", "AWS_SDK_*", "AWS_PAGER")
_SHORTEST = 8
_SHORTEST_LINE = 16
_SHAPES = (
    r"sk-(?:ant|proj|live|test)-[A-Za-z0-9_\-]{16,}",
    r"gh[opsur]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{30,}",
    r"glpat-[A-Za-z0-9_\-]{20,}",
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_\-]{40,}",
    r"AIza[A-Za-z0-9_\-]{35}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}",
    r"(?<=://)[^\s/:@]{0,100}:[^\s/:@]{1,300}(?=@)",
)
"""What tokens of well-known services look like, and a password inside an address."""

_STARTS = re.compile(rb"sk-|gh[opsur]_|github_pat_|glpat-|xox|npm_|pypi-|AIza|AKIA|ASIA|eyJ|://")


class Redactor:
    """Replaces known secrets, and what looks like one, by ``[redacted NAME]``."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """Know ``secrets``: values by the name that takes their place."""
        self._names: dict[str, str] = {}
        for name, value in secrets.items():
            for form in _forms(value):
                self._names.setdefault(form, name)
        # The longest first: one may begin with another.
        known = sorted(self._names, key=len, reverse=True)
        pattern = "|".join([*map(re.escape, known), *_SHAPES])
        self._text = re.compile(pattern)
        self._data = re.compile(pattern.encode(errors="surrogateescape"))
        self._values = tuple(form.encode(errors="surrogateescape") for form in known)

    def text(self, text: str) -> str:
        """Return ``text`` without secrets."""
        return self._text.sub(lambda found: self._mark(found[0]), text)

    def data(self, data: bytes) -> bytes:
        """Return ``data`` without secrets. Give it whole lines: it does not see what was cut."""
        if _STARTS.search(data) is None and not any(value in data for value in self._values):
            return data
        return self._data.sub(
            lambda found: self._mark(found[0].decode(errors="surrogateescape")).encode(), data
        )

    def _mark(self, secret: str) -> str:
        return f"[redacted {self._names.get(secret, 'token')}]"


def redactor(environ: Mapping[str, str], *more: Mapping[str, str]) -> Redactor:
    """Return what takes the secrets of an environment out of text.

    Args:
      more: further variables, such as those that an agent is given.
    """
    variables = {name: value for each in (*more, environ) for name, value in each.items()}
    return Redactor({name: value for name, value in variables.items() if _is_secret(name, value)})


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether the name of a variable is one of ``patterns``."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_secret(name: str, value: str) -> bool:
    if not matches(name, SECRETS) or matches(name, _HARMLESS):
        return False
    return len(value) >= _SHORTEST and not os.path.isabs(value)


def _forms(value: str) -> Iterable[str]:
    """Return how a value may be written: as it is, in JSON, in an address, line by line."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    lines = [line.strip() for line in value.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE)
