"""Plain forms of values: what JSON stores in place of the objects that it cannot carry.

Strategy: a value and all that is in it are simplified one by one (see `kinds`), and the first that
JSON would not give back equal is recorded. The form depends on the value alone, so every process
makes the same one, and shares nothing mutable with the value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Set
from enum import Enum
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._codec.kinds import NoPlainFormError, simplify

LEFT_OUT = object()
"""Result for a value that has no plain form and may be left out."""

_SMALL_INT = 2**63

_ADVICE = "convert it to str, int, float, list or a dict with str keys"


class Policy(Enum):
    """Treatment of values that JSON cannot carry exactly."""

    REFUSE = "refuse"
    CONVERT = "convert"
    """Convert them, and refuse what has no plain form."""
    CONVERT_OR_OMIT = "convert or omit"
    """Convert them, and leave out what has no plain form."""


class Loss(NamedTuple):
    """A value that would not come back equal."""

    kind: str
    """Name of its type."""
    is_left_out: bool


class RefusedError(Exception):
    """A value that the policy refuses, at a path."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


class PlainForm:
    """Conversion of the value of one field."""

    def __init__(self, field: str, policy: Policy) -> None:
        self.losses: list[Loss] = []
        """The first value that was converted, and the first that was left out."""
        self._field = field
        self._policy = policy
        self._keys: list[Any] = []  # path to the value that is being converted
        self._open: set[int] = set()  # identities of the values around it

    def convert(self, value: Any) -> Any:
        """Return the plain form, or `LEFT_OUT`. Raises `RefusedError`, or what the value raises."""
        # One frame for each level of nesting, as little as any recursion can use.
        if _is_unchanged(value):
            return value
        try:
            form = simplify(value)
        except NoPlainFormError as error:
            return self._leave_out(error.kind or type(value).__name__)
        if not (value is form or _is_equal(value, form)):
            self._lose(type(value).__name__)
        if type(form) not in (dict, list):
            return form
        if id(value) in self._open:
            return self._leave_out(f"{type(value).__name__} within itself")
        self._open.add(id(value))
        is_dict = type(form) is dict
        parts: dict[Any, Any] = {}
        for key, item in form.items() if is_dict else enumerate(form):
            self._keys.append(key)
            name = self._convert_key(key, parts) if is_dict else key
            if name is not LEFT_OUT and (part := self.convert(item)) is not LEFT_OUT:
                parts[name] = part
            self._keys.pop()
        self._open.discard(id(value))
        if is_dict:
            return parts
        items = list(parts.values())
        return sorted(items, key=json.dumps) if isinstance(value, Set) else items

    def _convert_key(self, key: Any, siblings: dict[str, Any]) -> Any:
        """Return a key as json.dumps writes it, or `LEFT_OUT`."""
        if type(key) is str and key.isascii() and key not in siblings:
            return key  # as nearly all are
        kind = f"{type(key).__name__} key"
        try:
            form = simplify(key)
        except NoPlainFormError:
            return self._leave_out(kind)
        if type(form) in (dict, list):
            return self._leave_out(kind)
        name = form if type(form) is str else json.dumps(form)
        if not (isinstance(key, str) and _is_equal(key, name)):
            self._lose(kind)
        if name in siblings:
            raise RefusedError(self._path, f"JSON writes two keys as {name!r:.80}; rename one")
        return name

    def _lose(self, kind: str) -> None:
        if self._policy is Policy.REFUSE:
            raise RefusedError(
                self._path, f"JSON cannot store this {kind} so that it comes back equal; {_ADVICE}"
            )
        self._record(Loss(kind, is_left_out=False))

    def _leave_out(self, kind: str) -> Any:
        if self._policy is not Policy.CONVERT_OR_OMIT:
            raise RefusedError(self._path, f"JSON cannot store this {kind}; {_ADVICE}")
        self._record(Loss(kind, is_left_out=True))
        return LEFT_OUT

    def _record(self, loss: Loss) -> None:
        if all(each.is_left_out != loss.is_left_out for each in self.losses):
            self.losses.append(loss)

    @property
    def _path(self) -> str:
        return self._field + "".join(map(_format_key, self._keys))


def _format_key(key: Any) -> str:
    try:
        return f"[{key!r:.80}]"
    except Exception:  # noqa: BLE001 - it may be of any class; an int may have too many digits
        return f"[{type(key).__name__}]"


def _is_unchanged(value: Any) -> bool:
    """Return True for most values, without the time that `simplify` takes."""
    kind = type(value)
    if kind is str:
        return bool(value.isascii())
    return kind is bool or value is None or (kind is int and -_SMALL_INT < value < _SMALL_INT)


def _is_equal(value: Any, form: Any) -> bool:
    """Tell whether a value equals its form; the form of a list or dict has the very same parts."""
    if type(value) in (list, dict) or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, (str, int, float, list, dict)) and bool(value == form)
