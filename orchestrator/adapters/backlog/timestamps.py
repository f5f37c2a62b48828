"""Points in time as other tools write them, to the nanosecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?"
    r"(?:[Zz]|([+-])(\d\d):([0-5]\d))",
    re.ASCII,
)


def read_time(text: str) -> int:
    """Return the Unix time in nanoseconds that an RFC 3339 text says.

    Digits beyond the ninth are cut off.

    Raises:
      ValueError: when it says none, or one that 64 bits cannot hold.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("no time such as 2026-02-10T12:00:00Z")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    # A leap second is the first one of the next minute.
    leap = second == 60
    moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC) - _EPOCH
    whole = moment.days * 86_400 + moment.seconds + leap
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        whole += offset if sign == "-" else -offset
    time = whole * _SECOND + int((fraction or "").ljust(9, "0"))
    if not -(2**63) <= time < 2**63:
        raise ValueError("not between the years 1678 and 2262")
    return time


def write_time(nanoseconds: int) -> str:
    """Return the text of a Unix time: in UTC, with 0, 3, 6 or 9 digits, as few as say it all."""
    whole, fraction = divmod(nanoseconds, _SECOND)
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z" if digits else f"{text}Z"
