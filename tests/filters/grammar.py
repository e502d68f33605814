"""The grammar of filter expressions as Google documents it, and two readings of it.

Strategy: a reader that takes nothing else, so that an expression it reads is one for Memorystore.
What it read can be evaluated on stored documents as each kind of server would, with a backslash in
a tag as an escape or as a character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Matcher = Callable[[Mapping[str, str]], bool]

_FIELD = re.compile(r"@([A-Za-z_][A-Za-z0-9_]*):")
_NUMBER = r"(-?\d+(?:\.\d+)?|[+-]inf)"
_RANGE = re.compile(rf"\[{_NUMBER} {_NUMBER}\]")
_MAX_QUERY_BYTES = 10_240


class GrammarError(AssertionError):
    """An expression that Memorystore may refuse or read in another way."""


class FilterReader:
    """Reader of one filter expression; `escapes` is how it reads a backslash in a tag."""

    def __init__(self, text: str, *, escapes: bool) -> None:
        self._text = text
        self._at = 0
        self._escapes = escapes
        if "=>" in text or len(text.encode()) > _MAX_QUERY_BYTES:
            raise GrammarError(text)

    def read(self) -> Matcher:
        """Read the whole text: `*`, or expressions."""
        if self._text == "*":
            return lambda _: True
        matcher = self._operand()
        if self._at != len(self._text):
            raise GrammarError(f"{self._text!r}: more at {self._at}")
        return matcher

    def _take(self, literal: str) -> bool:
        found = self._text.startswith(literal, self._at)
        self._at += len(literal) * found
        return found

    def _operand(self) -> Matcher:
        if not self._take("("):
            return self._field()
        parts = [self._operand()]
        between = next((each for each in (" | ", " ") if self._take(each)), None)
        while between:
            parts.append(self._operand())
            if not self._take(between):
                break
        if not self._take(")"):
            raise GrammarError(f"{self._text!r}: no `)` at {self._at}")
        test = any if between == " | " else all
        return lambda document: test(part(document) for part in parts)

    def _field(self) -> Matcher:
        named = _FIELD.match(self._text, self._at)
        if named is None:
            raise GrammarError(f"{self._text!r}: no field at {self._at}")
        self._at = named.end()
        field = named[1]
        if self._take("{"):
            tag = self._tag()
            return lambda document: tag in tags_of(document.get(field))
        bounds = _RANGE.match(self._text, self._at)
        if bounds is None:
            raise GrammarError(f"{self._text!r}: no range at {self._at}")
        self._at = bounds.end()
        low, high = float(bounds[1]), float(bounds[2])
        if low > high:
            raise GrammarError(f"{self._text!r}: an empty range")
        return lambda document: field in document and low <= float(document[field]) <= high

    def _tag(self) -> str:
        tag, escaped = "", False
        for each in self._text[self._at :]:
            self._at += 1
            if self._escapes and not escaped and each == "\\":
                escaped = True
                continue
            if each == "}" and not escaped:
                break
            tag += each
            escaped = False
        else:
            raise GrammarError(f"{self._text!r}: a tag without an end")
        # Some version reads each of these in its own way, escaped or not.
        if not tag or tag != tag.strip(" \t\n\v\f\r") or re.search(r"[{|}*\0]", tag):
            raise GrammarError(f"{self._text!r}: the tag {tag!r}")
        return tag


def tags_of(text: str | None, separator: str = "}") -> set[str]:
    """The tags that a server indexes of a field."""
    parts = (part.strip(" \t\n\v\f\r") for part in (text or "").split(separator))
    return {part for part in parts if part}
