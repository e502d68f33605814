"""Encoding of values as contents to be stored, of which only the new ones are sent.

Strategy: a list names its elements by their fields, and 32 names are replaced by the field of
their group, a list too, and 32 groups again: a growing list adds its new elements and a few names.
What the process holds is named and not sent; a message that it holds is not even encoded. The
script says which names it lacks (`lua/_lacking.lua`), and these are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from langchain_google_memorystore_redis._checkpoint.contents import CachedContent, State, state_of
from langchain_google_memorystore_redis._checkpoint.thread_cache import CachedThread
from langchain_google_memorystore_redis._checkpoint.values import (
    MAX_ELEMENTS,
    MAX_REPETITION,
    Serializer,
    dump,
    field_of,
    split_fields,
)

_GROUP_SIZE = 32
"""Names of a list that are replaced by the field of their group."""

_MIN_ELEMENT_BYTES = 64
"""Average size from which on each element has a field of its own, of about 90 bytes more."""


class ValueEncoder:
    """Encoder of the values of a checkpoint.

    Args:
        serde: the serializer.
        thread: contents that the process holds; `put.lua` is told only their names.
        unknown: fields that the script lacks, to be sent whatever the process holds.
        knows_nothing: the thread is likely to be new, so that all is to be sent.
    """

    def __init__(
        self,
        serde: Serializer,
        thread: CachedThread,
        unknown: set[bytes],
        *,
        knows_nothing: bool = False,
    ) -> None:
        self._serde = serde
        self._thread = thread
        self._unknown = unknown
        self._knows_nothing = knows_nothing
        self._lists: dict[bytes, bytes] = {}
        self.contents: dict[bytes, CachedContent] = {}
        """Contents to send."""

    def encode(self, value: Any) -> bytes:
        """Encode a value and return its field."""
        if type(value) is list and 1 < len(value) <= MAX_ELEMENTS:
            new: dict[bytes, CachedContent] = {}
            sizes: dict[bytes, int] = {}
            fields = [self._encode_element(each, new, sizes) for each in value]
            size = sum(map(sizes.__getitem__, fields))
            most = MAX_REPETITION * sum(sizes.values())
            if _MIN_ELEMENT_BYTES * len(fields) <= size <= most:
                self.contents |= new
                return self._encode_list(fields)
        content = dump(self._serde, value)
        return self._add(content, None, self.contents)

    def _encode_element(
        self, value: Any, new: dict[bytes, CachedContent], sizes: dict[bytes, int]
    ) -> bytes:
        state = state_of(value)
        known = None if self._knows_nothing else self._thread.find(state)
        if known is not None and known[0] not in self._unknown:
            sizes[known[0]] = known[1]
            return known[0]
        content = dump(self._serde, value)
        field = self._add(content, state, new)
        sizes[field] = len(content)
        return field

    def _add(self, content: bytes, state: State | None, new: dict[bytes, CachedContent]) -> bytes:
        """Add the content of an element if it is to be sent; return its field."""
        field = field_of(b"e", content)
        if not self._is_known(field):
            states = () if state is None else (state,)
            new[field] = CachedContent(self._serde, len(content), content, states)
        return field

    def _is_known(self, field: bytes) -> bool:
        return not self._knows_nothing and field not in self._unknown and self._thread.has(field)

    def _encode_list(self, fields: Sequence[bytes]) -> bytes:
        """Encode the list of some fields, in groups of groups; return its field."""
        ungrouped: list[bytes] = []
        while len(fields) >= _GROUP_SIZE:
            end = len(fields) - len(fields) % _GROUP_SIZE
            ungrouped = [*fields[end:], *ungrouped]
            firsts = range(0, end, _GROUP_SIZE)
            fields = [self._add_list(fields[first : first + _GROUP_SIZE]) for first in firsts]
        return self._add_list([*fields, *ungrouped])

    def _add_list(self, fields: Iterable[bytes]) -> bytes:
        content = b"".join(fields)
        field = field_of(b"l", content)
        self._lists[field] = content
        if not self._is_known(field):
            self.contents[field] = CachedContent(self._serde, len(content), content)
        return field

    def sent(self) -> dict[bytes, bytes]:
        """Return the contents to send, as bytes."""
        return {field: each.content or b"" for field, each in self.contents.items()}

    def with_elements(self, fields: Iterable[bytes]) -> set[bytes]:
        """Return fields with all that they name."""
        found: set[bytes] = set()
        pending = [*fields]
        while pending:
            field = pending.pop()
            if field not in found:
                found.add(field)
                pending += split_fields(self._lists.get(field, b""))
        return found
