"""Documents as the fields of a hash, and back: the layout of release 0.3.0.

Strategy: a string is stored as it is unless it reads as JSON; all else, and such strings, as JSON.
Both releases so read back what either has written. What JSON would change is refused by name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.documents import Document

from langchain_google_memorystore_redis._filters.predicate import is_number
from langchain_google_memorystore_redis._redis.arguments import is_unicode
from langchain_google_memorystore_redis.errors import InvalidDocumentError

_JSON_BEGINS = frozenset(' \t\n\r"[{-0123456789tfnNI')
"""First characters of texts that json.loads takes."""


@dataclass(frozen=True, slots=True)
class RowCodec:
    """Names of the fields of a document, and their encoding.

    `fields` are declared: the type of each, "tag" or "numeric".
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    content_field: str = "page_content"
    vector_field: str = "vector"
    distance_field: str = "__distance"
    """Name under which FT.SEARCH returns the distance, beside the fields of a document."""
    takes_empty_text: bool = False

    @property
    def reserved(self) -> tuple[str, ...]:
        """Names that metadata cannot have."""
        names = (self.content_field, self.vector_field, self.distance_field)
        return tuple(name for name in names if name)

    def encode(self, index: int, text: Any, metadata: Any) -> dict[bytes, bytes]:
        """Return the fields of a document but for its vector.

        Raises `InvalidDocumentError`, which names the document by its position.
        """
        if not isinstance(text, str) or not (text or self.takes_empty_text):
            problem = "is empty" if text == "" else f"must be a str, not {type(text).__name__}"
            raise InvalidDocumentError(index, self.content_field, problem)
        if not isinstance(metadata, Mapping):
            kind = type(metadata).__name__
            raise InvalidDocumentError(index, "metadata", f"must be a dict, not {kind}")
        try:
            row = {self.content_field.encode(): text.encode()}
        except UnicodeEncodeError as error:
            problem = "holds a lone surrogate, which UTF-8 cannot carry"
            raise InvalidDocumentError(index, self.content_field, problem) from error
        for name, value in metadata.items():
            self._check_name(index, name)
            try:
                plain = plain_value(value)
                self._check_declared(name, plain)
                row[name.encode()] = encode_value(plain).encode()
            except (ValueError, RecursionError) as error:
                raise InvalidDocumentError(index, f"metadata[{name!r:.80}]", f"{error}") from error
        return row

    def _check_name(self, index: int, name: Any) -> None:
        if not isinstance(name, str):
            problem = f"has the key {name!r:.80}, which must be a str"
            raise InvalidDocumentError(index, "metadata", problem)
        if name in self.reserved:
            problem = (
                f"is the name of a field of the layout ({', '.join(self.reserved)}): rename it"
            )
            raise InvalidDocumentError(index, f"metadata[{name!r}]", problem)

    def _check_declared(self, name: str, value: Any) -> None:
        kind = self.fields.get(name)
        if kind == "tag" and isinstance(value, (list, dict)):
            raise ValueError(
                f"is declared as a tag and must be one str, number, bool or None, not "
                f"{type(value).__name__}"
            )
        if kind == "numeric" and not is_finite(value):
            raise ValueError(
                f"is declared as numeric and must be a finite number, not {value!r:.80}: the "
                "server would leave the document out of the index, in silence"
            )

    def decode(self, id: str, row: Mapping[bytes, bytes]) -> Document | None:  # noqa: A002
        """Return the document of a row; None for a foreign row, without text."""
        text = self.text(row)
        if text is None:
            return None
        hidden = {name.encode() for name in self.reserved}
        metadata = {
            name.decode("utf-8", "backslashreplace"): decode_value(value)
            for name, value in row.items()
            if name not in hidden
        }
        return Document(text, id=id, metadata=metadata)

    def text(self, row: Mapping[bytes, bytes]) -> str | None:
        """Return the text of a row; None if it has none."""
        try:
            return row[self.content_field.encode()].decode()
        except (KeyError, UnicodeDecodeError):
            return None

    def declared(self, row: Mapping[bytes, bytes]) -> dict[str, Any]:
        """Return the values of declared fields of a row."""
        names = ((name, name.encode()) for name in self.fields)
        return {name: decode_value(row[key]) for name, key in names if key in row}


def encode_value(value: Any) -> str:
    """Return the text under which a value is stored."""
    if isinstance(value, str) and decode_text(value) is value and is_unicode(value):
        return value
    return json.dumps(value)


def decode_value(raw: bytes) -> Any:
    """Return the value of a stored text."""
    return decode_text(raw.decode("utf-8", "backslashreplace"))


def decode_text(text: str) -> Any:
    """Return the value that a text reads as in JSON; the text itself if in none."""
    if text[:1] not in _JSON_BEGINS:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it; ValueError if that would not equal it."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()  # a scalar of numpy
    if isinstance(value, str):
        return str.__str__(value)  # str() of an enum that is a str is its name
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, list):
        return [plain_value(each) for each in value]
    if isinstance(value, dict):
        if all(isinstance(name, str) for name in value):
            return {name: plain_value(each) for name, each in value.items()}
        raise ValueError("has a key that is no str, which JSON would turn into one")
    advice = "; use a list" if isinstance(value, tuple) else "; store its text"
    raise ValueError(f"holds a {type(value).__name__}, which JSON has none of{advice}")


def is_finite(value: Any) -> bool:
    """Tell whether a value is a number that a double can hold."""
    try:
        return is_number(value) and math.isfinite(value)
    except OverflowError:
        return False
