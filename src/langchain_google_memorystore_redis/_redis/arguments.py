"""Checks of what a user passes in.

Strategy: every setting is checked when it is given, before any message depends on it, and
turned into what the server takes.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

T = TypeVar("T")

_MOST_SECONDS = 10**11
"""About 3,000 years; the server refuses an expiry that overflows 64 bits of milliseconds."""


def milliseconds(argument: str, duration: float | timedelta) -> int:
    """A time span given in seconds or as a timedelta, which must be 1 ms or more."""
    seconds: Any = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ArgumentTypeError(
            argument, f"must be seconds or a timedelta, not {type(duration).__name__}"
        )
    if not 0.001 <= seconds <= _MOST_SECONDS:  # NaN is not either
        raise InvalidArgumentError(
            argument,
            f"must be from 0.001 to {_MOST_SECONDS:,} seconds"
            + ("; None sets no expiry" if argument == "ttl" else ""),
        )
    if isinstance(duration, timedelta):
        return duration // timedelta(milliseconds=1)
    return round(seconds * 1000)  # 1.001 * 1000 is a little less than 1001


def time_to_live(ttl: float | timedelta | None) -> int:
    """The milliseconds of a `ttl`, 0 for None."""
    return 0 if ttl is None else milliseconds("ttl", ttl)


def integer(argument: str, value: int, least: int) -> int:
    """An int of `least` or more."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ArgumentTypeError(argument, f"must be an int, not {type(value).__name__}") from error
    if isinstance(value, bool):
        raise ArgumentTypeError(argument, "must be an int, not bool")
    if number < least:
        raise InvalidArgumentError(argument, f"must be {least} or more")
    return number


def boolean(argument: str, value: bool) -> bool:
    """True or False, and no other value that Python takes for one of them."""
    if not isinstance(value, bool):
        raise ArgumentTypeError(argument, f"must be a bool, not {type(value).__name__}")
    return value


def index_or_none(argument: str, value: int | None) -> int | None:
    """A bound as Python's slices take it."""
    try:
        return None if value is None else operator.index(value)
    except TypeError as error:
        kind = type(value).__name__
        raise ArgumentTypeError(argument, f"must be an int or None, not {kind}") from error


def positive(argument: str, value: int) -> int:
    """An int of 1 or more."""
    return integer(argument, value, 1)


def not_negative(argument: str, value: int) -> int:
    """An int of 0 or more."""
    return integer(argument, value, 0)


def not_negative_or_none(argument: str, value: int | None) -> int | None:
    """An int of 0 or more, or None."""
    return None if value is None else not_negative(argument, value)


def one_of(argument: str, value: T, choices: Sequence[T]) -> T:
    """One of a few values."""
    if value not in choices:
        allowed = " or ".join(map(repr, choices))
        raise InvalidArgumentError(argument, f"must be {allowed}, not {value!r:.80}")
    return value


def several(argument: str, values: Iterable[T]) -> Iterable[T]:
    """Any number of values; a text is refused, which Python would take apart into its letters."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ArgumentTypeError(
            argument,
            f"must be a list or another iterable, not {type(values).__name__}; put a single one "
            "in [brackets]",
        )
    return values


def instance_or_none(argument: str, value: T | None, cls: type[T]) -> T | None:
    """An object of a class, or None."""
    if value is not None and not isinstance(value, cls):
        raise ArgumentTypeError(argument, f"must be a {cls.__name__}, not {type(value).__name__}")
    return value
