"""The filter language: dicts with operators, checked and turned into conditions.

Strategy: a filter is checked as a whole before anything is sent, and whatever it says that has no
meaning here is an error that names it. Conditions are plain values, which `predicate.py` evaluates
and `expression.py` writes for a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_google_memorystore_redis.errors import InvalidFilterError

COMPARISONS = ("$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt", "$lte")
"""Operators between a field and an operand."""

_LISTS = ("$in", "$nin")
_GROUPS = ("$and", "$or")
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (int, int),
    (float, float),
    (str, str.__str__),  # str() of an enum that is a str is its name
)
_MAX_DEPTH = 100
"""Levels of nesting; also ends a filter that contains itself."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of a field with an operand; of `$in` and `$nin`, with a tuple of operands."""

    field: str
    operator: str
    operand: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """Conditions that must all hold; none always holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions of which one must hold; none never holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Condition that must not hold."""

    condition: Condition


Condition: TypeAlias = Comparison | AllOf | AnyOf | Not

EVERYTHING = AllOf(())
"""The condition of an empty filter."""


def parse_filter(
    filter: Mapping[str, Any] | None,  # noqa: A002
    fields: Iterable[str] | None = None,
) -> Condition:
    """Check a filter and return its condition; None and `{}` match everything.

    With `fields`, only these may be named, and only compared with strings, numbers, bools and
    None. Raises `InvalidFilterError` for anything else.
    """
    return EVERYTHING if filter is None else _Parser(fields).condition(filter, 0)


class _Parser:
    """Parser of one filter."""

    def __init__(self, fields: Iterable[str] | None) -> None:
        self._fields = None if fields is None else tuple(fields)

    def condition(self, filter: Any, depth: int) -> Condition:  # noqa: A002
        """Parse fields and groups, which must all hold."""
        return self._all_of(filter, depth, self._member)

    def _all_of(
        self, mapping: Any, depth: int, parse: Callable[[str, Any, int], Condition]
    ) -> Condition:
        if not isinstance(mapping, Mapping):
            raise InvalidFilterError(f"a filter must be a dict, not {type(mapping).__name__}")
        if depth > _MAX_DEPTH:
            raise InvalidFilterError(f"more than {_MAX_DEPTH} levels of nesting")
        parsed = []
        for name, value in mapping.items():
            if not isinstance(name, str):
                raise InvalidFilterError(f"{name!r:.80} must be a str: a field or an operator")
            parsed.append(parse(name, value, depth + 1))
        return parsed[0] if len(parsed) == 1 else AllOf(tuple(parsed))

    def _member(self, name: str, value: Any, depth: int) -> Condition:
        if name == "$not":
            return Not(self.condition(value, depth))
        if name in _GROUPS:
            if not _is_list(value):
                raise InvalidFilterError(f"{name} needs a list of filters")
            conditions = tuple(self.condition(each, depth) for each in value)
            return AllOf(conditions) if name == "$and" else AnyOf(conditions)
        if name.startswith("$"):
            raise InvalidFilterError(
                f"{name!r:.80} is no operator here: $and, $or and $not stand here, the others "
                'behind a field, as in {"year": {"$gte": 2020}}'
            )
        if self._fields is not None and name not in self._fields:
            declared = ", ".join(map(repr, self._fields)) or "none"
            raise InvalidFilterError(f"field {name!r:.80} is not declared (declared: {declared})")
        return self._field(name, value, depth)

    def _field(self, field: str, value: Any, depth: int) -> Condition:
        if not isinstance(value, Mapping):
            return Comparison(field, "$eq", self._operand(field, value))
        if not any(isinstance(name, str) and name.startswith("$") for name in value):
            if self._fields is None:
                return Comparison(field, "$eq", value)
            raise InvalidFilterError(
                f'field {field!r:.80} needs an operator, as in {{"{field:.80}": {{"$ne": 1}}}}'
            )

        def operation(name: str, operand: Any, depth: int) -> Condition:
            if name == "$not":
                return Not(self._field(field, operand, depth))
            if name not in COMPARISONS:
                known = ", ".join((*COMPARISONS, "$not"))
                raise InvalidFilterError(
                    f"field {field!r:.80} has no operator {name!r:.80} (known: {known})"
                )
            if name in _LISTS:
                if not _is_list(operand):
                    raise InvalidFilterError(f"{name} of field {field!r:.80} needs a list")
                return Comparison(
                    field, name, tuple(self._operand(field, each) for each in operand)
                )
            return Comparison(field, name, self._operand(field, operand))

        return self._all_of(value, depth, operation)

    def _operand(self, field: str, value: Any) -> Any:
        """Return a plain str, number, bool or None; numpy's scalars and enums become plain."""
        if getattr(value, "ndim", None) == 0:
            value = value.item()
        for kind, plain in _PLAIN:
            if isinstance(value, kind):
                return plain(value)
        if value is None or self._fields is None:
            return value
        raise InvalidFilterError(
            f"field {field!r:.80} is compared with a str, number, bool or None, not "
            f"{type(value).__name__}"
        )


def _is_list(value: Any) -> bool:
    """Tell whether a value is several values: a list, or another iterable of no text or names."""
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
