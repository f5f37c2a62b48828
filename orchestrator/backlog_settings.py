"""What can be configured of the backlog: how much at a time, and the pipelines of its items."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from .work.backlog.pipeline import Phase, Pipeline

if TYPE_CHECKING:
    Field = attrs.Attribute[Any]

_PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,30}[A-Za-z0-9])?")


def _is_prefix(_: object, attribute: Field, prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        expected = "expected up to 32 letters and digits, with - and _ between them"
        raise ValueError(f"{expected}, got {prefix!r}", attribute)


def _at_least_one(_: object, attribute: Field, number: int) -> None:
    if number < 1:
        raise ValueError(f"expected 1 or more, got {number}", attribute)


def _is_mirror(_: object, attribute: Field, path: str | None) -> None:
    if path is None:
        return
    parts = path.split("/")
    if path.startswith(("/", "~")) or {"", "..", ".", ".git"} & set(parts) or "\0" in path:
        raise ValueError(f"expected a file below the checkout, got {path!r}", attribute)


@attrs.frozen(kw_only=True)
class BacklogSettings:
    """How the backlog is worked.

    Attributes:
      prefix: what new ids begin with.
      max_wip: items in progress at a time.
      cap: phases that one run begins at most.
      mirror: file below the checkout that holds a copy of the backlog; None: none does.
    """

    prefix: str = attrs.field(default="WRK", validator=_is_prefix)
    max_wip: int = attrs.field(default=1, validator=_at_least_one)
    cap: int = attrs.field(default=100, validator=_at_least_one)
    mirror: str | None = attrs.field(default=None, validator=_is_mirror)


@attrs.frozen(kw_only=True)
class PipelineSettings:
    """One table of ``[pipelines]``; see `Pipeline`."""

    description: str = ""
    pre_phases: tuple[Phase, ...] = ()
    phases: tuple[Phase, ...] = ()

    def named(self, name: str) -> Pipeline:
        """Return the pipeline that this table configures."""
        return Pipeline(
            name=name,
            phases=self.phases,
            pre_phases=self.pre_phases,
            description=self.description,
        )
