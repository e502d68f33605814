"""Conditions as the filter of an FT.SEARCH.

Strategy: an expression matches at least what its condition holds for, on every server, and
`predicate.py` drops the rest from the answer. What a server may read in another way is left out of
the expression: negations, order among strings, and tags with characters that have a meaning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from langchain_google_memorystore_redis._filters.language import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Not,
)
from langchain_google_memorystore_redis._filters.predicate import is_number

TAG_SEPARATOR = "}"
"""Separator of tags, for FT.CREATE: no query can ask for a tag with a closing brace anyway."""

_MAX_BYTES = 9_000
"""Bytes of an expression; valkey-search takes queries of 10,240."""

_MAX_EXACT = 2**53
"""Below this, numbers that differ in Python differ for the server too, which has doubles."""

# Control characters, whitespace at an end, a parameter, a backslash before the closing brace, and
# characters of the grammar that some version of valkey-search reads even behind a backslash.
_UNASKABLE = re.compile(r"[\x00-\x1f\x7f{|}*]|=>|\A[ $]|[ \\]\Z|\A\Z")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED = re.compile(r"([^0-9A-Za-z_\x80-\U0010ffff])")


class Expression(NamedTuple):
    """Filter of an FT.SEARCH."""

    text: str | None
    """Text as FT.SEARCH has it, `*` for everything; None if nothing can match."""
    exact: bool
    """True if it matches nothing else, apart from tags that a server trims or splits."""


_ALL = Expression("*", exact=True)
_UNKNOWN = Expression("*", exact=False)
_NONE = Expression(None, exact=True)


class ExpressionWriter:
    """Writer of expressions over declared fields.

    Args:
        fields: the type of each field, "tag" or "numeric".
        tag_text: returns the text under which a value is stored, and so indexed as a tag.
        escapes: whether the server is known to read a backslash in a tag as an escape. Where it
            is not, a tag is asked for with backslashes and without.
    """

    def __init__(
        self, fields: Mapping[str, str], tag_text: Callable[[Any], str], *, escapes: bool
    ) -> None:
        self._fields = fields
        self._tag_text = tag_text
        self._escapes = escapes

    def write(self, condition: Condition) -> Expression:
        """Return the expression of a condition."""
        written = self._write(condition)
        too_long = written.text is not None and len(written.text.encode()) > _MAX_BYTES
        return _UNKNOWN if too_long else written

    def _write(self, condition: Condition) -> Expression:
        match condition:
            case AllOf(conditions):
                return _join_all(map(self._write, conditions))
            case AnyOf(conditions):
                return _join_any(map(self._write, conditions))
            case Not() | Comparison(_, "$ne" | "$nin"):
                return _UNKNOWN
            case Comparison(field, "$in", operands):
                return _join_any(self._equal(field, each) for each in operands)
            case Comparison(field, "$eq", operand):
                return self._equal(field, operand)
            case Comparison(field, name, operand):
                return self._order(field, name, operand)

    def _equal(self, field: str, operand: Any) -> Expression:
        if self._fields[field] == "numeric":
            if not is_number(operand) or not math.isfinite(_double(operand)):
                return _NONE  # no document has it
            bound = _bound(operand)
            return Expression(f"@{alias(field)}:[{bound} {bound}]", abs(operand) < _MAX_EXACT)
        if not is_number(operand):
            return self._tag(field, self._tag_text(operand))
        texts = dict.fromkeys(map(self._tag_text, _equal_numbers(operand)))
        return _join_any(self._tag(field, text) for text in texts)

    def _tag(self, field: str, text: str) -> Expression:
        if _SURROGATE.search(text):
            return _NONE  # no document has it
        if _UNASKABLE.search(text):
            return _UNKNOWN
        escaped = _ESCAPED.sub(r"\\\1", text)
        texts = [escaped] if self._escapes or escaped == text else [escaped, text]
        # Not `{a|b}`, which valkey-search 1.0 takes for one tag.
        clauses = [f"@{alias(field)}:{{{each}}}" for each in texts]
        return Expression(_group(clauses, " | "), exact=True)

    def _order(self, field: str, name: str, operand: Any) -> Expression:
        if self._fields[field] != "numeric":
            return _UNKNOWN if is_number(operand) or isinstance(operand, str) else _NONE
        if not is_number(operand) or math.isnan(_double(operand)):
            return _NONE
        above = name in ("$gt", "$gte")
        if _double(operand) == (math.inf if above else -math.inf):
            return _NONE  # documents have finite numbers
        # Inclusive for `$gt` and `$lt` too: above 2**53 the next number may be the same double.
        bound = _bound(operand)
        low, high = (bound, "+inf") if above else ("-inf", bound)
        is_inclusive = name in ("$gte", "$lte")
        return Expression(
            f"@{alias(field)}:[{low} {high}]", is_inclusive and abs(operand) < _MAX_EXACT
        )


def alias(field: str) -> str:
    """Return the name of a field in expressions: itself, or its bytes in hexadecimal digits."""
    return field if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", field) else f"_{field.encode().hex()}"


def _join_all(expressions: Iterable[Expression]) -> Expression:
    parts = list(expressions)
    exact = all(part.exact for part in parts)
    if any(part.text is None for part in parts):
        return _NONE
    texts = dict.fromkeys(part.text for part in parts if part.text and part.text != "*")
    return Expression(_group(list(texts), " "), exact) if texts else Expression("*", exact)


def _join_any(expressions: Iterable[Expression]) -> Expression:
    parts = [part for part in expressions if part.text is not None]
    if not parts:
        return _NONE
    exact = all(part.exact for part in parts)
    if any(part.text == "*" for part in parts):
        return Expression("*", any(part == _ALL for part in parts))
    return Expression(_group(list(dict.fromkeys(part.text or "" for part in parts)), " | "), exact)


def _group(texts: list[str], between: str) -> str:
    return texts[0] if len(texts) == 1 else f"({between.join(texts)})"


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _equal_numbers(number: float) -> list[float]:
    """Return the ints and floats that equal a number, each of which is stored as another text."""
    if number == 0:
        return [0, 0.0, -0.0]
    if isinstance(number, float):
        return [number, int(number)] if number.is_integer() else [number]
    return [number, _double(number)] if _double(number) == number else [number]


def _bound(number: float) -> str:
    """Return a number in plain digits: valkey-search 1.0 reads no exponent."""
    double = _double(number)
    if math.isinf(double):
        return "+inf" if double > 0 else "-inf"
    return str(number) if isinstance(number, int) else format(Decimal(repr(number)), "f")
