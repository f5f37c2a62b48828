"""Which credential an agent gets, who pays for it, and what it does not get."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from orchestrator.errors import ConfigError
from orchestrator.redact import matches

LOGINS = ("CLAUDE_CODE_OAUTH_TOKEN",)
KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
CREDENTIALS = (*LOGINS, *KEYS)
"""Variables that only the chosen agent gets, and of them only one."""

_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": ("Amazon Bedrock", ("AWS_*",)),
    "CLAUDE_CODE_USE_VERTEX": ("Google Vertex AI", ("GOOGLE_*",)),
}


@attrs.frozen(kw_only=True)
class Credential:
    """What an agent logs in with.

    Attributes:
      pays: in words: "subscription", "API key".
      given: names of the variables it gets for that.
      withheld: names of other credentials that are there and would be billed.
    """

    pays: str
    given: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()

    def __str__(self) -> str:
        note = f" ({', '.join(self.withheld)} withheld: it would be billed)"
        return self.pays + (note if self.withheld else "")


def choose_credential(
    wanted: str, environ: Mapping[str, str], own: Mapping[str, str], *, agent: str
) -> Credential:
    """Return the one credential that Claude Code gets.

    Args:
      wanted: "login", "key", or "auto": a login if there is one, else a key.
      own: the agent's own variables, from the configuration; a credential there is what it gets.
      agent: the name it is configured under.

    Raises:
      ConfigError: when what is wanted is not there.
    """
    for name, (cloud, patterns) in _CLOUDS.items():
        if {**environ, **own}.get(name, "") not in ("", "0"):
            return Credential(pays=cloud, given=tuple(n for n in environ if matches(n, patterns)))
    stated = [name for name in CREDENTIALS if own.get(name)]
    if stated:
        return Credential(pays="subscription" if stated[0] in LOGINS else "API key")
    keys = tuple(name for name in KEYS if environ.get(name))
    tokens = tuple(name for name in LOGINS if environ.get(name))
    stored = _has_stored_login(environ, own)
    if wanted != "key" and (stored or tokens):
        return Credential(pays="subscription", given=() if stored else tokens, withheld=keys)
    if wanted != "login" and keys:
        return Credential(pays="API key", given=keys[:1])
    if wanted == "auto":
        return Credential(pays="no credential found")
    missing = "no API key in the environment" if wanted == "key" else "no login is stored"
    fix = "set ANTHROPIC_API_KEY" if wanted == "key" else "log in: claude, then /login"
    raise ConfigError(f"agents.{agent}.credential is {wanted!r}, but {missing}", fix=fix)


def _has_stored_login(environ: Mapping[str, str], own: Mapping[str, str]) -> bool:
    """Tell whether the agent's own directory holds a login."""
    configured = own.get("CLAUDE_CONFIG_DIR") or environ.get("CLAUDE_CONFIG_DIR")
    home = Path(configured or Path(environ.get("HOME", "/")) / ".claude")
    return (home / ".credentials.json").is_file()
