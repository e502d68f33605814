"""Conditions evaluated here, on the values of a document or item.

Strategy: values are compared as JSON has them. A bool is no number, and `$gt` and its like hold
between two numbers or two strings and never otherwise. What lacks a field matches only negations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from langchain_google_memorystore_redis._filters.language import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
)

_MISSING = object()
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def holds(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Tell whether a condition holds for the values of one document."""
    match condition:
        case Comparison(field, name, operand):
            return _compares(values.get(field, _MISSING), name, operand)
        case AllOf(conditions):
            return all(holds(each, values) for each in conditions)
        case AnyOf(conditions):
            return any(holds(each, values) for each in conditions)
        case Not(negated):
            return not holds(negated, values)


def is_number(value: Any) -> bool:
    """Tell whether a value is an int or a float, and no bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compares(value: Any, name: str, operand: Any) -> bool:
    match name:
        case "$eq":
            return _equals(value, operand)
        case "$ne":
            return not _equals(value, operand)
        case "$in":
            return any(_equals(value, each) for each in operand)
        case "$nin":
            return not any(_equals(value, each) for each in operand)
    comparable = (is_number(value) and is_number(operand)) or (
        isinstance(value, str) and isinstance(operand, str)
    )
    return comparable and _ORDERS[name](value, operand)


def _equals(value: Any, operand: Any) -> bool:
    # Python counts True as 1.
    return isinstance(value, bool) == isinstance(operand, bool) and bool(value == operand)
