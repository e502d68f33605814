"""Commands of vector search: in Google's grammar, all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langchain_google_memorystore_redis
from langchain_google_memorystore_redis._documents import indexes, information
from langchain_google_memorystore_redis._documents.codec import RowCodec, encode_value
from langchain_google_memorystore_redis._documents.indexes import IndexSpec, check_parameters
from langchain_google_memorystore_redis._documents.keys import document_keys
from langchain_google_memorystore_redis._documents.searches import Request, Searches
from langchain_google_memorystore_redis._filters.expression import ExpressionWriter
from langchain_google_memorystore_redis._filters.language import parse_filter
from langchain_google_memorystore_redis._redis.op import Op, Primaries
from langchain_google_memorystore_redis._vectors.distances import DISTANCES
from tests.documents.grammar import check_command
from tests.filters.grammar import GrammarError
from tests.filters.strategies import FIELDS, filters

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
kinds = st.sampled_from(["tag", "numeric"])
parameters = st.fixed_dictionaries(
    {},
    optional={
        "m": st.integers(1, 512),
        "ef_construction": st.integers(1, 4096),
        "ef_runtime": st.integers(1, 4096),
        "initial_cap": st.integers(1, 10**6),
    },
)


@given(
    names,
    st.dictionaries(names, kinds, max_size=9),
    st.sampled_from(DISTANCES),
    st.integers(1, 32_768),
    parameters,
)
def test_every_index_is_created_in_the_grammar(
    name: str, fields: dict[str, str], distance: str, dimensions: int, given_parameters: Any
) -> None:
    spec = IndexSpec(document_keys("p:", name, ":"), fields, "HNSW", distance)
    checked = check_parameters("HNSW", given_parameters)
    check_command(spec.create_command(spec.keys.index, dimensions, checked))
    check_command(spec.create_command(spec.second_name, dimensions, {}))


@given(filters(), st.booleans(), st.integers(1, 10_000), st.one_of(st.none(), st.integers(1, 4096)))
def test_every_search_is_in_the_grammar(
    filter_: Any, escapes: bool, k: int, ef_runtime: int | None
) -> None:
    condition = parse_filter(filter_, FIELDS)
    expression = ExpressionWriter(FIELDS, encode_value, escapes=escapes).write(condition)
    searches = Searches(document_keys("", "docs", ":"), RowCodec(FIELDS), "L2", 10, expires=False)
    if expression.text is not None:
        request = Request(b"1234", k, condition, ef_runtime)
        check_command(searches.search_command("docs", expression.text, request, k))


@pytest.mark.parametrize("make", [indexes.drop_index, indexes.read_info])
def test_an_index_is_dropped_and_described_by_its_name_alone(make: Any) -> None:
    flow = make("docs")
    step = next(flow)
    while isinstance(step, Primaries):
        step = flow.send((None,))
    assert isinstance(step, Op)
    check_command(step.command)
    assert information.info_op("docs", None).command == ("FT.INFO", "docs")


def test_no_other_command_of_a_search_module_stands_in_the_sources() -> None:
    sources = Path(langchain_google_memorystore_redis.__file__).parent.rglob("_documents/*.py")
    found = {name for each in sources for name in re.findall(r'"(FT\.\w+)"', each.read_text())}
    assert found == {"FT.CREATE", "FT.SEARCH", "FT.INFO", "FT.DROPINDEX", "FT._LIST"}


@pytest.mark.parametrize(
    "command",
    [
        ("FT.AGGREGATE", "docs", "*"),
        ("FT.DROPINDEX", "docs", "DD"),
        ("FT.INFO", "{docs}"),
        ("FT.SEARCH", "docs", "*"),
        ("FT.SEARCH", "docs", "@year:[1 2]", "LIMIT", 0, 4, "DIALECT", 2),
        (
            *("FT.SEARCH", "docs", "*=>[KNN 4 @vector $v AS d]", "PARAMS", 2, "v", b"1234"),
            *("SORTBY", "d", "LIMIT", 0, 4, "DIALECT", 2),
        ),
        (
            *("FT.SEARCH", "docs", "*=>[KNN 4 @vector $v AS d]", "PARAMS", 2, "v", b"1234"),
            *("LIMIT", 0, 10, "DIALECT", 2),
        ),
        ("FT.CREATE", "docs", "ON", "JSON", "PREFIX", 1, "docs:", "SCHEMA", "v", "VECTOR"),
        ("FT.CREATE", "docs", "ON", "HASH", "PREFIX", 1, "docs:", "SCHEMA", "t", "TEXT"),
        ("FT.CREATE", "docs", "ON", "HASH", "PREFIX", 1, "docs:", "SCHEMA", "t", "TAG"),
    ],
    ids=lambda command: " ".join(map(str, command))[:50],
)
def test_the_checker_refuses_what_google_does_not_document(command: tuple[Any, ...]) -> None:
    with pytest.raises(GrammarError):
        check_command(command)
