"""Names out of headings and task lines: a leading number, else a slug. Pure."""

from __future__ import annotations

import re

# Not possessive round a group: Python 3.11.2, Debian 12's, matches that wrongly.
_STORY_NUMBER = re.compile(r"(\d+(?:\.\d+)*)(?!\d|\.\d)(?:[.):]\s*|\s+[-–—:]\s*|\s+|$)(.*)")  # noqa: RUF001
_TASK_NUMBER = re.compile(
    r"(\d+(?:\.\d+)+(?!\d|\.\d)[a-z]?|\d++(?=[.):]))[.):]?(?:\s+|$)(.*)", re.DOTALL
)


def story_name(heading: str) -> tuple[str, str]:
    """Return the id of the story under a heading, and its title without the number."""
    title = heading.strip()
    numbered = _STORY_NUMBER.match(title)
    if numbered:
        return numbered[1], numbered[2].strip() or title
    return re.sub(r"[\W_]+", "-", title.lower()).strip("-") or "section", title


def task_name(text: str) -> tuple[str, str]:
    """Return a task's leading number, "" when it has none, and the rest of its text."""
    text = text.strip()
    numbered = _TASK_NUMBER.match(text)
    return (numbered[1], numbered[2].strip()) if numbered else ("", text)


def unique(wanted: str, taken: dict[str, int]) -> str:
    """Return the id, with a suffix when it is taken, and take it.

    Args:
      taken: the ids so far, each with the last suffix that was tried for it.
    """
    chosen, suffix = wanted, taken.get(wanted, 0)
    while chosen in taken:
        suffix += 1
        chosen = f"{wanted}-{suffix}"
    taken[wanted] = max(suffix, 1)
    taken.setdefault(chosen, 1)
    return chosen
