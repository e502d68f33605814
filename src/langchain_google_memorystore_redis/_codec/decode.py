"""Bytes to message.

Strategy: an element with our `id` and `ts` was checked when it was written, so its message is
rebuilt from its fields without LangChain's validators, after the same checks (see shapes). Nearly
every element is parsed and checked in one go. What that refuses is parsed without types: with extra
fields or values that are JSON to Python alone (NaN), or not ours, but of release 0.3.0 or made by
hand, which is read the way LangChain reads it. A compressed element is read as the one it was
before. Decoding builds LangChain's own message classes and nothing else, and runs no code the
element could choose.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias, Union

import msgspec
from langchain_core.messages import AIMessageChunk, BaseMessage

from langchain_google_memorystore_redis._codec.compression import FrameError, expanded
from langchain_google_memorystore_redis._codec.shapes import (
    SHAPE_OF_ELEMENT,
    SHAPE_OF_TYPE,
    YEAR_10000,
    ParsedElement,
    WrongFieldError,
)

_parse: Callable[[bytes], ParsedElement] = msgspec.json.Decoder(
    Union[tuple(SHAPE_OF_ELEMENT)]  # noqa: UP007 - of types that only run time knows
).decode


class UndecodableError(ValueError):
    """The element is no message; the text says why. Callers add session and index."""


Decoded: TypeAlias = tuple[BaseMessage, str | None, int | None]
"""A message, the id of its entry, and when it was written in milliseconds since 1970.

Elements of release 0.3.0 have no id and no time.
"""


def time_of(written_at: int | None) -> datetime | None:
    """The time in UTC; None for none, and for a year that Python's calendar does not have."""
    if written_at is None or not 0 <= written_at < YEAR_10000:
        return None
    return datetime.fromtimestamp(written_at / 1e3, UTC)


def decode(element: bytes | str) -> Decoded:
    """What an element holds; raises `UndecodableError`, and no other error.

    But `MissingExtraError` for a compressed element where zstandard is not installed.
    """
    if isinstance(element, str):
        element = element.encode("utf-8", "surrogatepass")
    if element.startswith(b'{"type":"'):
        try:
            parsed = _parse(element)
            return SHAPE_OF_ELEMENT[type(parsed)].build(parsed.data), parsed.id, parsed.ts
        except (ValueError, RecursionError):
            return _decode_tolerantly(element)  # compressed, with extra fields, corrupt or not ours
    return _decode_tolerantly(element)


def _decode_tolerantly(element: bytes) -> Decoded:
    plain = _expanded(element)
    if plain is not element:
        return decode(plain)
    row = _parse_tolerantly(element)
    shape, fields = SHAPE_OF_TYPE.get(row["type"]), row["data"]
    if shape is None:
        raise UndecodableError(f"unknown message type {row['type']!r:.80}")
    entry_id, written_at = row.get("id"), row.get("ts")
    is_ours = type(entry_id) is str and type(written_at) is int and 0 <= written_at < YEAR_10000
    if not is_ours and shape.cls is not AIMessageChunk:
        return _as_langchain_reads_it(shape.cls, fields), None, None
    # The constructor of a chunk of 0.3.0 would parse the calls out of their chunks again, in a time
    # that grows with the square of what is broken; they are stored beside the chunks.
    try:
        message = shape.read(fields)
    except WrongFieldError as error:
        raise UndecodableError(f"a field is missing or of the wrong type: {error}") from error
    return (message, entry_id, written_at) if is_ours else (message, None, None)


def _expanded(element: bytes) -> bytes:
    try:
        return expanded(element)
    except FrameError as error:
        raise UndecodableError(str(error)) from error


def _parse_tolerantly(element: bytes) -> dict[str, Any]:
    try:
        row = _parse_any(element)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"not JSON that can be read ({type(error).__name__})") from error
    if isinstance(row, dict) and isinstance(row.get("data"), dict):
        if isinstance(row.get("type"), str):
            return row
    raise UndecodableError('not a JSON object with "type" and "data"')


def _parse_any(element: bytes) -> Any:
    try:
        return msgspec.json.decode(element)
    except (ValueError, RecursionError):  # NaN, lone surrogates, or no JSON
        return json.loads(element.decode("utf-8", "surrogatepass"))


def _as_langchain_reads_it(cls: type[BaseMessage], fields: dict[str, Any]) -> BaseMessage:
    try:
        return cls(**fields)
    except Exception as error:
        # Whatever LangChain's constructors and validators raise: KeyError and TypeError too.
        raise UndecodableError(
            f"LangChain cannot read it as {cls.__name__} ({type(error).__name__})"
        ) from error
