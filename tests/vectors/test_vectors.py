"""Vectors are packed or refused, and measured as a server measures them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from langchain_google_memorystore_redis import InvalidVectorError
from langchain_google_memorystore_redis._vectors.distances import (
    DISTANCES,
    cosines,
    distances_to,
    relevance,
)
from langchain_google_memorystore_redis._vectors.diversity import choose_diverse
from langchain_google_memorystore_redis._vectors.packing import pack_vectors, unpack_vectors

components = st.floats(-100, 100, width=32).filter(lambda each: abs(each) > 1e-3)


@pytest.mark.parametrize(
    "vector",
    [
        [0.5, 2, -1],
        (0.5, 2.0, -1.0),
        np.array([0.5, 2, -1]),
        np.array([0.5, 2, -1], "f2"),
        np.array([0.5, 2, -1], ">f8"),
        [np.float32(0.5), np.int64(2), np.float64(-1)],
    ],
    ids=repr,
)
def test_vectors_of_any_kind_are_float32_in_little_endian(vector: Any) -> None:
    assert pack_vectors([vector], distance="COSINE") == [
        b"\x00\x00\x00\x3f\x00\x00\x00\x40\x00\x00\x80\xbf"
    ]


def test_vectors_come_back_as_rows() -> None:
    packed = pack_vectors([[1, 2], [3, 4]], distance="L2", dimensions=2)
    assert unpack_vectors(packed).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("vector", "distance", "problem"),
    [
        ([1.0, 2.0, 3.0], "L2", "has 3 numbers, where the index has 2"),
        ([], "L2", "has 0 numbers"),
        ([0.0] * 32_769, "L2", "has 32769 numbers"),
        ([1.0, float("nan")], "L2", "NaN"),
        ([1.0, float("inf")], "IP", "infinite"),
        ([1.0, 1e39], "L2", "beyond float32"),
        ([1.0, 1e30], "L2", "squares is beyond float32"),
        ([0, 0], "COSINE", "is zero"),
        ([1e-50, 0], "COSINE", "is zero"),
        ([1e-25, 0], "COSINE", "too short"),
        (["1", "2"], "L2", "no list of numbers"),
        ([True, False], "L2", "no list of numbers"),
        ([[1.0, 2.0]], "L2", "no list of numbers"),
        ([1.0, [2.0]], "L2", "no list of numbers"),
        ([1.0, None], "L2", "no list of numbers"),
        (None, "L2", "no list of numbers"),
        ("12", "L2", "no list of numbers"),
        (5, "L2", "no list of numbers"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_vector_that_no_index_can_use_is_refused_by_its_position(
    vector: Any, distance: str, problem: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidVectorError, match=problem) as caught:
            pack_vectors([[1, 1], vector], distance=distance)
    assert caught.value.index == 1
    assert str(caught.value).startswith("vectors[1] ")


def test_zero_is_a_vector_where_only_its_place_counts() -> None:
    assert pack_vectors([[0, 0]], distance="L2") == [bytes(8)]


def test_distances_are_those_of_an_index() -> None:
    rows = [[1, 0], [0, 2], [-1, 0], [0, 0]]
    assert distances_to([2, 0], rows, "COSINE").tolist() == [0, 1, 2, 1]
    assert distances_to([2, 0], rows, "L2").tolist() == [1, 8, 9, 4]
    assert distances_to([2, 0], rows, "IP").tolist() == [-1, 1, 3, 1]


@pytest.mark.parametrize("distance", DISTANCES)
@given(arrays(np.float32, (8, 3), elements=components))
@settings(deadline=None)
def test_relevance_falls_from_one_with_the_distance(distance: str, rows: Any) -> None:
    query = rows[0]
    found = sorted(distances_to(query, rows, distance))
    scores = [relevance(each, distance, query) for each in found]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    equal = float(distances_to(query, rows[:1], distance)[0])
    assert relevance(equal, distance, query) == pytest.approx(1, abs=1e-6)


def test_relevance_under_ip_needs_no_query_of_length_one() -> None:
    assert relevance(0.0, "IP") == 1
    assert relevance(1.0, "IP", [0.6, 0.8]) == pytest.approx(0.5)
    assert relevance(1.0, "IP", [0, 0]) == 1
    assert relevance(-1e-7, "COSINE") == 1


@given(
    arrays(np.float32, (9, 4), elements=components),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
@settings(deadline=None)
def test_a_diverse_choice_is_that_of_langchain(rows: Any, k: int, lambda_mult: float) -> None:
    query, matrix = rows[0], rows[1:]
    chosen = choose_diverse(query, matrix, k, lambda_mult)
    assert sorted(set(chosen)) == sorted(chosen)
    assert len(chosen) == min(k, 8)
    expected = maximal_marginal_relevance(query, list(matrix), lambda_mult, k)
    same = [one == other for one, other in zip(chosen, expected, strict=True)]
    if not all(same):  # then two of equal value, but for rounding
        first = same.index(False)
        values = [
            marginal_relevance(query, matrix, chosen[:first], row, lambda_mult)
            for row in (chosen[first], expected[first])
        ]
        assert values[0] == pytest.approx(values[1], abs=1e-5)


def marginal_relevance(
    query: Any, matrix: Any, chosen: list[int], row: int, lambda_mult: float
) -> float:
    nearness = 1 - distances_to(query, matrix[[row]], "COSINE")[0]
    if not chosen:
        return float(nearness)
    redundancy = 1 - distances_to(matrix[row], matrix[chosen], "COSINE").min()
    return float(lambda_mult * nearness - (1 - lambda_mult) * redundancy)


def test_nothing_is_chosen_of_nothing() -> None:
    assert choose_diverse([1, 2], np.empty((0, 2)), 4, 0.5) == []


@settings(deadline=None)
@given(arrays("<f4", (5, 3), elements=st.floats(-10, 10, width=32) | st.just(0.0)))
def test_cosines_are_those_of_double_precision(matrix: Any) -> None:
    found = cosines(matrix[0], matrix)
    assert found == pytest.approx(1 - distances_to(matrix[0], matrix, "COSINE"), abs=1e-5)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1
