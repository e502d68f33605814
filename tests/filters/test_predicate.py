"""Conditions evaluated on values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from langchain_google_memorystore_redis._filters.language import parse_filter
from langchain_google_memorystore_redis._filters.predicate import holds
from tests.filters.strategies import documents, filters

MATCHING: list[tuple[Any, dict[str, Any], bool]] = [
    ({"a": "x"}, {"a": "x"}, True),
    ({"a": "x"}, {}, False),
    ({"a": 1}, {"a": 1.0}, True),
    ({"a": 1}, {"a": True}, False),
    ({"a": True}, {"a": True}, True),
    ({"a": True}, {"a": 1}, False),
    ({"a": "1"}, {"a": 1}, False),
    ({"a": None}, {"a": None}, True),
    ({"a": None}, {}, False),
    ({"a": 2**53}, {"a": 2**53 + 1}, False),
    ({"a": {"$ne": "x"}}, {}, True),
    ({"a": {"$ne": "x"}}, {"a": "x"}, False),
    ({"a": {"$in": []}}, {"a": "x"}, False),
    ({"a": {"$in": ["y", "x"]}}, {"a": "x"}, True),
    ({"a": {"$nin": []}}, {"a": "x"}, True),
    ({"a": {"$nin": ["x"]}}, {}, True),
    ({"a": {"$gt": 1}}, {"a": 1}, False),
    ({"a": {"$gt": 1}}, {"a": 1.5}, True),
    ({"a": {"$gte": 1}}, {"a": 1}, True),
    ({"a": {"$lt": "b"}}, {"a": "a"}, True),
    ({"a": {"$lte": "b"}}, {"a": 1}, False),
    ({"a": {"$lt": 2}}, {"a": True}, False),
    ({"a": {"$gt": None}}, {"a": 1}, False),
    ({"a": {"$gt": 2**53}}, {"a": 2**53 + 1}, True),
    ({"a": math.nan}, {"a": math.nan}, False),
    ({"a": {"$gt": 1}}, {}, False),
    ({"$not": {"a": {"$gt": 1}}}, {}, True),
    ({"a": {"$not": {"$gt": 1}}}, {"a": "x"}, True),
    ({"$and": []}, {}, True),
    ({"$or": []}, {"a": 1}, False),
    ({"$or": [{"a": 1}, {"b": 2}]}, {"b": 2}, True),
    ({"a": 1, "b": 2}, {"a": 1}, False),
    ({"a": {"b": [1]}}, {"a": {"b": [1]}}, True),
]


@pytest.mark.parametrize(("filter_", "values", "expected"), MATCHING, ids=str)
def test_comparisons_hold_as_documented(
    filter_: Any, values: dict[str, Any], expected: bool
) -> None:
    assert holds(parse_filter(filter_), values) is expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(filters(), documents)
def test_a_negation_is_true_exactly_where_its_filter_is_not(
    filter_: dict[str, Any], document: dict[str, Any]
) -> None:
    negated = holds(parse_filter({"$not": filter_}), document)
    assert negated is not holds(parse_filter(filter_), document)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(filters(), filters(), documents)
def test_groups_are_those_of_logic(
    one: dict[str, Any], other: dict[str, Any], document: dict[str, Any]
) -> None:
    first, second = (holds(parse_filter(each), document) for each in (one, other))
    assert holds(parse_filter({"$and": [one, other]}), document) is (first and second)
    assert holds(parse_filter({"$or": [one, other]}), document) is (first or second)
