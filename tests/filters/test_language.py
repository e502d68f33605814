"""Filters are checked as a whole, and each error names what is wrong."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest

from langchain_google_memorystore_redis import InvalidArgumentError, InvalidFilterError
from langchain_google_memorystore_redis._filters.language import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Comparison,
    Not,
    parse_filter,
)

FIELDS = ("lang", "year")


def test_a_filter_becomes_a_condition() -> None:
    assert parse_filter({"lang": "en"}, FIELDS) == Comparison("lang", "$eq", "en")
    assert parse_filter({"lang": "en", "year": {"$gte": 1, "$lt": 2}}, FIELDS) == AllOf(
        (
            Comparison("lang", "$eq", "en"),
            AllOf((Comparison("year", "$gte", 1), Comparison("year", "$lt", 2))),
        )
    )
    assert parse_filter({"$or": [{"lang": {"$in": ["a", "b"]}}, {}]}, FIELDS) == AnyOf(
        (Comparison("lang", "$in", ("a", "b")), AllOf(()))
    )
    assert parse_filter({"year": {"$not": {"$gt": 1}}}, FIELDS) == Not(Comparison("year", "$gt", 1))
    assert parse_filter({"$not": {"year": 1}}, FIELDS) == Not(Comparison("year", "$eq", 1))


def test_no_filter_and_an_empty_one_match_everything() -> None:
    assert parse_filter(None) == parse_filter({}) == parse_filter({"$and": []}) == EVERYTHING


def test_without_declared_fields_any_field_and_value_is_taken() -> None:
    assert parse_filter({"a.b": {"c": [1]}}) == Comparison("a.b", "$eq", {"c": [1]})


@pytest.mark.parametrize(
    ("operand", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("en"), "en"),
        (enum.Enum("Lang", {"EN": "en"}, type=str).EN, "en"),  # type: ignore[attr-defined]
        (enum.IntEnum("Year", {"NOW": 2026}).NOW, 2026),  # type: ignore[attr-defined]
    ],
    ids=str,
)
def test_operands_become_plain_values(operand: Any, plain: Any) -> None:
    condition = parse_filter({"lang": operand}, FIELDS)
    assert condition == Comparison("lang", "$eq", plain)
    assert isinstance(condition, Comparison)
    assert type(condition.operand) is type(plain)


def nested(depth: int) -> dict[str, Any]:
    return {"lang": "en"} if depth == 0 else {"$not": nested(depth - 1)}


CYCLE: dict[str, Any] = {}
CYCLE["$and"] = [CYCLE]


@pytest.mark.parametrize(
    ("filter_", "named"),
    [
        ({"Lang": "en"}, "'Lang' is not declared.*'lang', 'year'"),
        ({"$where": "1"}, r"'\$where' is no operator here"),
        ({"$gt": 1}, r"behind a field"),
        ({"year": {"$regex": "x"}}, r"'year' has no operator '\$regex'.*\$lte"),
        ({"year": {"$gte": 1, "max": 2}}, "'year' has no operator 'max'"),
        ({"year": {"from": 1}}, "'year' needs an operator"),
        ({"year": {}}, "'year' needs an operator"),
        ({"year": {"$in": "ab"}}, r"\$in of field 'year' needs a list"),
        ({"year": {"$nin": 5}}, r"\$nin of field 'year' needs a list"),
        ({"year": {"$in": [[1]]}}, "'year' is compared with .* not list"),
        ({"year": [1]}, "'year' is compared with .* not list"),
        ({"year": np.array([1.0])}, "'year' is compared with .* not ndarray"),
        ({"year": {"$not": 5, "$gt": {}}}, "'year' is compared with .* not dict"),
        ({"$and": {"lang": "en"}}, r"\$and needs a list of filters"),
        ({"$or": "lang"}, r"\$or needs a list"),
        ({"$or": ["lang"]}, "a filter must be a dict, not str"),
        ({"$not": [1]}, "a filter must be a dict, not list"),
        ({1: 2}, "1 must be a str"),
        ([("lang", "en")], "a filter must be a dict, not list"),
        (nested(101), "100 levels"),
        (CYCLE, "100 levels"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_has_no_meaning_is_named(filter_: Any, named: str) -> None:
    with pytest.raises(InvalidFilterError, match=named) as caught:
        parse_filter(filter_, FIELDS)
    assert isinstance(caught.value, InvalidArgumentError)
    assert caught.value.argument == "filter"


def test_a_hundred_levels_are_enough_for_anyone() -> None:
    assert isinstance(parse_filter(nested(100)), Not)
