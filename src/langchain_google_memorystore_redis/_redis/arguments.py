"""Checks of arguments and settings.

Strategy: each is checked where it is given, before any message depends on it, and converted to what
the server takes.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

T = TypeVar("T")

_MAX_SECONDS = 10**11
"""About 3,000 years; the server refuses an expiry that overflows 64 bits of milliseconds."""


def milliseconds(argument: str, duration: float | timedelta) -> int:
    """Convert seconds or a timedelta, which must be 1 ms or more, to milliseconds."""
    seconds: Any = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise ArgumentTypeError(
            argument, f"must be seconds or a timedelta, not {type(duration).__name__}"
        )
    if not 0.001 <= seconds <= _MAX_SECONDS:  # NaN is not either
        raise InvalidArgumentError(
            argument,
            f"must be from 0.001 to {_MAX_SECONDS:,} seconds"
            + ("; None sets no expiry" if argument == "ttl" else ""),
        )
    if isinstance(duration, timedelta):
        return duration // timedelta(milliseconds=1)
    return round(seconds * 1000)  # 1.001 * 1000 is a little less than 1001


def ttl_milliseconds(ttl: float | timedelta | None) -> int:
    """Convert a `ttl` to milliseconds; None to 0."""
    return 0 if ttl is None else milliseconds("ttl", ttl)


def integer(argument: str, value: int, minimum: int) -> int:
    """Check an int of `minimum` or more."""
    try:
        number = operator.index(value)
    except TypeError as error:
        raise ArgumentTypeError(argument, f"must be an int, not {type(value).__name__}") from error
    if isinstance(value, bool):
        raise ArgumentTypeError(argument, "must be an int, not bool")
    if number < minimum:
        raise InvalidArgumentError(argument, f"must be {minimum} or more")
    return number


def boolean(argument: str, value: bool) -> bool:
    """Check a bool; other values that Python counts as true or false are refused."""
    if not isinstance(value, bool):
        raise ArgumentTypeError(argument, f"must be a bool, not {type(value).__name__}")
    return value


def index_or_none(argument: str, value: int | None) -> int | None:
    """Check a bound of a slice."""
    try:
        return None if value is None else operator.index(value)
    except TypeError as error:
        kind = type(value).__name__
        raise ArgumentTypeError(argument, f"must be an int or None, not {kind}") from error


def positive(argument: str, value: int) -> int:
    """Check an int of 1 or more."""
    return integer(argument, value, 1)


def not_negative(argument: str, value: int) -> int:
    """Check an int of 0 or more."""
    return integer(argument, value, 0)


def not_negative_or_none(argument: str, value: int | None) -> int | None:
    """Check an int of 0 or more, or None."""
    return None if value is None else not_negative(argument, value)


def not_negative_number(argument: str, value: float) -> float:
    """Check an int or a float of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentTypeError(argument, f"must be a number, not {type(value).__name__}")
    if not value >= 0:  # NaN is not
        raise InvalidArgumentError(argument, "must be 0 or more")
    return value


def one_of(argument: str, value: T, choices: Sequence[T]) -> T:
    """Check a value that must be one of `choices`."""
    if value not in choices:
        allowed = " or ".join(map(repr, choices))
        raise InvalidArgumentError(argument, f"must be {allowed}, not {value!r:.80}")
    return value


def iterable_not_str(argument: str, values: Iterable[T]) -> Iterable[T]:
    """Check an iterable; a str or bytes is refused, which Python would iterate by character."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise ArgumentTypeError(
            argument,
            f"must be a list or another iterable, not {type(values).__name__}; put a single one "
            "in [brackets]",
        )
    return values


def is_unicode(text: str) -> bool:
    """Tell whether a text is free of lone surrogates, which UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def instance_or_none(argument: str, value: T | None, cls: type[T]) -> T | None:
    """Check an instance of `cls`, or None."""
    if value is not None and not isinstance(value, cls):
        raise ArgumentTypeError(argument, f"must be a {cls.__name__}, not {type(value).__name__}")
    return value
