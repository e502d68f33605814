"""Counts, durations and ages as text for a person.

Strategy: short enough for a column; `--json` and pipes print the exact figures.
"""

from __future__ import annotations

from datetime import datetime, timedelta


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_duration(duration: timedelta) -> str:
    """Return a duration in the largest unit of which there are two or more."""
    seconds = duration.total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def format_age(at: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, or "-" for none."""
    return "-" if at is None else f"{format_duration(now - at)} ago"
