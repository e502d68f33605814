"""Expressions: in Google's grammar, and never without a document that the filter holds for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from langchain_google_memorystore_redis._filters.expression import (
    TAG_SEPARATOR,
    Expression,
    ExpressionWriter,
    alias,
)
from langchain_google_memorystore_redis._filters.language import parse_filter
from langchain_google_memorystore_redis._filters.predicate import holds
from tests.filters.grammar import FilterReader, tags_of
from tests.filters.strategies import FIELDS, documents, filters, stored


def written(filter_: Any, *, escapes: bool) -> Expression:
    writer = ExpressionWriter(FIELDS, stored, escapes=escapes)
    return writer.write(parse_filter(filter_, FIELDS))


@pytest.mark.parametrize(
    ("filter_", "text", "exact"),
    [
        ({}, "*", True),
        ({"lang": "en"}, "@lang:{en}", True),
        ({"lang": "en-US"}, r"@lang:{en\-US}", True),
        ({"lang": True}, "@lang:{true}", True),
        ({"lang": "true"}, r"@lang:{\"true\"}", True),
        ({"lang": 1}, r"(@lang:{1} | @lang:{1\.0})", True),
        ({"lang": {"$in": ["a", "b"]}}, "(@lang:{a} | @lang:{b})", True),
        ({"lang": {"$in": []}}, None, True),
        ({"lang": ""}, "*", False),
        ({"lang": " lead"}, "*", False),
        ({"lang": {"$ne": "en"}}, "*", False),
        ({"lang": {"$gt": "en"}}, "*", False),
        ({"lang": "en", "year": 2020}, "(@lang:{en} @year:[2020 2020])", True),
        ({"lang": {"$ne": "de"}, "year": 2020}, "@year:[2020 2020]", False),
        ({"$or": [{"lang": {"$ne": "de"}}, {"year": 2020}]}, "*", False),
        ({"$or": [{"lang": "de"}, {}]}, "*", True),
        ({"$or": []}, None, True),
        ({"year": {"$gt": 2020}}, "@year:[2020 +inf]", False),
        ({"year": {"$gte": 2020}}, "@year:[2020 +inf]", True),
        ({"year": {"$lt": 1e-7}}, "@year:[-inf 0.0000001]", False),
        ({"year": 2**53}, "@year:[9007199254740992 9007199254740992]", False),
        ({"year": "2020"}, None, True),
        ({"year": {"$gt": "2020"}}, None, True),
        ({"year": {"$lt": 10**400}}, "@year:[-inf +inf]", False),
        ({"year": {"$gt": 10**400}}, None, True),
        ({"year": float("nan")}, None, True),
        ({"kind of-": "a"}, "@_6b696e64206f662d:{a}", True),
    ],
    ids=str,
)
def test_what_is_asked_of_a_server_that_knows_escapes(
    filter_: Any, text: str | None, exact: bool
) -> None:
    assert written(filter_, escapes=True) == (text, exact)


def test_a_server_of_unknown_escapes_is_asked_for_both_spellings() -> None:
    assert written({"lang": "en-US"}, escapes=False).text == r"(@lang:{en\-US} | @lang:{en-US})"
    assert written({"lang": "en"}, escapes=False).text == "@lang:{en}"


def test_a_filter_that_is_too_long_to_ask_is_left_to_the_client() -> None:
    languages = [f"language-{number}" for number in range(1_000)]
    assert written({"lang": {"$in": languages}}, escapes=True) == ("*", False)


@given(filters(), documents, st.booleans(), st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example({"lang": "a\\"}, {"lang": "a\\"}, False, True)
@example({"lang": {"$ne": "a"}}, {"lang": "a}"}, True, True)
@example({"year": {"$gt": 2**53}}, {"year": 2**53 + 1}, True, True)
def test_an_expression_matches_whatever_its_filter_holds_for(
    filter_: dict[str, Any], document: dict[str, Any], reads_escapes: bool, is_known: bool
) -> None:
    expression = written(filter_, escapes=reads_escapes and is_known)
    matches = False
    if expression.text is not None:
        texts = {alias(field): stored(value) for field, value in document.items()}
        matches = FilterReader(expression.text, escapes=reads_escapes).read()(texts)
    if holds(parse_filter(filter_, FIELDS), document):
        assert matches, expression
    elif expression.exact:
        split = any(tags_of(stored(each)) != {stored(each)} for each in document.values())
        assert not matches or split or not is_known, expression


def test_the_separator_of_tags_splits_only_what_no_query_can_name() -> None:
    assert written({"lang": f"a{TAG_SEPARATOR}b"}, escapes=True).text == "*"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(), st.text())
def test_names_of_fields_in_expressions_are_plain_and_distinct(one: str, other: str) -> None:
    for name in (one, other):
        if name.isascii() and name.isidentifier():
            assert alias(name) == name
    if one.isprintable() and other.isprintable() and one != other:
        assert alias(one) != alias(other)
