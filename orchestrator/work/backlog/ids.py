"""Ids of items: which are valid, how new ones are made, and which one a beginning names. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable

from orchestrator.errors import UnknownItemError, UsageError

from .change import View
from .text import one_line

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: nothing in it looks like something else."""

LENGTH = 5
TRIES = 10
RANDOM = LENGTH * TRIES
"""How many random bytes make an id as good as certain."""

_SHOWN = 8
"""How many candidates an ambiguous beginning is answered with."""

_ID = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.|\Z))*", re.ASCII)
_PREFIX = re.compile(r"(?=.{1,32}\Z)[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)


def check_id(text: str) -> str:
    """Return the id when it can name files, branches and refs as it is.

    Raises:
      UsageError: it holds something else than letters, digits, ``-``, ``_`` and single dots, or
        is longer than 64 characters.
    """
    if not _ID.fullmatch(text) or text.endswith(".lock"):
        raise UsageError(
            f'"{one_line(text, 80)}" is no id of an item',
            fix="an id is up to 64 letters, digits, - and _, and begins with a letter or digit",
        )
    return text


def check_prefix(text: str) -> str:
    """Return what new ids are to begin with.

    Raises:
      UsageError: it holds something else than letters, digits, ``-`` and ``_``, or is longer than
        32 characters.
    """
    if not _PREFIX.fullmatch(text):
        raise UsageError(
            f'"{one_line(text, 80)}" cannot be what ids begin with',
            fix="take up to 32 letters, digits, - and _, beginning with a letter or digit",
        )
    return text


def make_id(prefix: str, random_bytes: bytes, taken: Callable[[str], bool]) -> str:
    """Return a new id: the prefix and five characters.

    Args:
      random_bytes: `RANDOM` of them allow ten tries.
      taken: says whether an id is known already.

    Raises:
      UsageError: all that the bytes allow are taken.
    """
    check_prefix(prefix)
    for start in range(0, len(random_bytes) - LENGTH + 1, LENGTH):
        window = random_bytes[start : start + LENGTH]
        made = f"{prefix}-{''.join(ALPHABET[byte % 32] for byte in window)}"
        if not taken(made):
            return made
    raise UsageError("no id is free", where=prefix, fix="choose another prefix")


def fresh(mint: Callable[[], str], view: View) -> str:
    """Return an id that the backlog does not know.

    Args:
      mint: gives an id that is probably new; asked again when it is not.

    Raises:
      UsageError: it gave known ones only.
    """
    for _ in range(TRIES):
        made = check_id(mint())
        if view.get(made) is None:
            return made
    raise UsageError("no id is free", fix="choose another prefix")


def resolve(text: str, ids: Collection[str]) -> str:
    """Return the id that a person means: the whole id, or the beginning of exactly one.

    When no id begins like it, it may be the beginning of the part after the prefix. Case matters
    in nothing but a whole id.

    Args:
      ids: all that are known.

    Raises:
      UnknownItemError: none begins like it, or several do; it names some that may be meant.
    """
    wanted = text.strip()
    if wanted in ids:
        return wanted
    folded, told = wanted.lower(), one_line(wanted, 80)
    for part in (str.lower, _suffix):
        found = [id for id in ids if folded and part(id).startswith(folded)]
        exact = [id for id in found if part(id) == folded]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            raise UnknownItemError(
                f'{len(exact or found)} items begin with "{told}": {_some(exact or found)}',
                where=told,
                fix="write more of the id",
            )
    near = difflib.get_close_matches(wanted[:64], ids)
    raise UnknownItemError(
        f'there is no item "{told}"',
        where=told,
        fix=f"did you mean {' or '.join(near)}?" if near else "orc list shows all",
    )


def _some(ids: Iterable[str]) -> str:
    known = sorted(ids)
    shown = ", ".join(known[:_SHOWN])
    return shown if len(known) <= _SHOWN else f"{shown} and {len(known) - _SHOWN} more"


def _suffix(id: str) -> str:
    return id.rpartition("-")[2].lower()
