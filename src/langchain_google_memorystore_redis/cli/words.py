"""Counts, sizes and times for a person.

Strategy: short enough for a column; scripts get the exact figures elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta


def size(count: float | None) -> str:
    """Bytes for a person."""
    if count is None:
        return "-"
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def span(duration: timedelta) -> str:
    """A time span for a person, in its largest unit."""
    seconds = duration.total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago something was written, for a person."""
    return "-" if at is None else f"{span(now - at)} ago"


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
