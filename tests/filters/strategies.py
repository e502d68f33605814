"""Filters and documents for hypothesis, hostile ones included."""

from __future__ import annotations

import json
import string
from typing import Any

from hypothesis import strategies as st

FIELDS = {"lang": "tag", "kind of-": "tag", "year": "numeric"}

SPECIAL = string.punctuation + " \t\n\0é中\U0001f600\u00a0"
texts = st.one_of(
    st.sampled_from(["", "en", "EN", "en-US", " lead", "trail ", "a b", "a|b", "a}b", "1", "1.0"]),
    st.sampled_from(
        ["true", "null", "NaN", '"q"', "\\", "a\\", "C:\\a.txt", "=>", "a*", "$q", "*"]
    ),
    st.sampled_from(
        ["docs/a-b.md", "a@b.example", "it's", "50%", "(x)", "[1 2]", "-x", "~x", "a,b"]
    ),
    st.text(alphabet=SPECIAL + "ab1", max_size=6),
    st.text(max_size=4),
)
numbers = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 10**22, 0.1, 1e-7, 1e22, -0.0]),
    st.sampled_from([5e-324, 1.7976931348623157e308, 2.5, 1e16]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**60), 2**60),
)
operands = st.one_of(
    texts, numbers, st.booleans(), st.none(), st.floats(), st.integers(-(10**400), 10**400)
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "lang": st.one_of(texts, st.booleans(), st.none(), numbers),
        "kind of-": texts,
        "year": numbers,
    },
)


def filters(fields: dict[str, str] = FIELDS, operands: Any = operands) -> Any:
    """Filters over fields, of all operators."""
    single = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"])
    listed = st.sampled_from(["$in", "$nin"])
    operators = st.one_of(
        operands,
        st.dictionaries(single, operands, min_size=1, max_size=2),
        st.dictionaries(listed, st.lists(operands, max_size=3), min_size=1, max_size=1),
    )
    leaves = st.dictionaries(st.sampled_from(list(fields)), operators, max_size=2)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"$and": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"$or": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"$not": inner}),
        ),
        max_leaves=4,
    )


def stored(value: Any) -> str:
    """The text of a value in a hash, in the layout of release 0.3.0."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)
