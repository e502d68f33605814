"""Bytes to message.

Strategy: an element with our `id` and `ts` was checked when it was written, so its message is
rebuilt from its fields without LangChain's validators, after the same checks (see shapes). Any
other element was written by release 0.3.0 or by hand and is read the way LangChain reads it.
Only compact JSON was written by orjson and may be read by it: orjson turns integers of more than
64 bits into floats, which the standard library's json keeps. A compressed element is no JSON, and
is read as the one it was before. Decoding builds LangChain's own message classes and nothing else,
and runs no code the element could choose.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson
from langchain_core.messages import AIMessageChunk, BaseMessage

from langchain_google_memorystore_redis._codec.compression import FrameError, expanded
from langchain_google_memorystore_redis._codec.shapes import SHAPE_OF_TYPE, WrongFieldError

YEAR_10000 = 253_402_300_800_000


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
    row: Any = None
    if is_compact := element.startswith(b'{"type":"'):
        try:
            row = orjson.loads(element)
        except orjson.JSONDecodeError:
            is_compact = False  # compressed, or for the tolerant parser
    if not is_compact:
        plain = _expanded(element)
        if plain is not element:
            return decode(plain)
        row = _parse_tolerantly(element)
    try:
        shape, fields = SHAPE_OF_TYPE[row["type"]], row["data"]
        entry_id, written_at = row["id"], row["ts"]
        is_ours = (
            type(entry_id) is str
            and type(written_at) is int
            and 0 <= written_at < YEAR_10000
            and type(fields) is dict
        )
    except (KeyError, TypeError):
        is_ours = False
    if not is_ours:
        foreign = _parse_tolerantly(element) if is_compact else row
        return _as_langchain_reads_it(foreign), None, None
    try:
        return shape.build(fields), entry_id, written_at
    except WrongFieldError as error:
        raise UndecodableError(
            f"field {str(error)!r:.80} is missing or of the wrong type"
        ) from error


def _expanded(element: bytes) -> bytes:
    try:
        return expanded(element)
    except FrameError as error:
        raise UndecodableError(str(error)) from error


def _parse_tolerantly(element: bytes) -> dict[str, Any]:
    try:
        row = json.loads(element.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"not JSON that can be read ({type(error).__name__})") from error
    if isinstance(row, dict) and isinstance(row.get("data"), dict):
        if isinstance(row.get("type"), str):
            return row
    raise UndecodableError('not a JSON object with "type" and "data"')


def _as_langchain_reads_it(row: dict[str, Any]) -> BaseMessage:
    shape, fields = SHAPE_OF_TYPE.get(row["type"]), row["data"]
    if shape is None:
        raise UndecodableError(f"unknown message type {row['type']!r:.80}")
    try:
        if shape.cls is AIMessageChunk:
            # Its constructor parses the calls out of their chunks again, in a time that grows with
            # the square of what is broken; 0.3.0 stored the parsed calls beside the chunks.
            return shape.build(fields)
        return shape.cls(**fields)
    except Exception as error:
        # Whatever LangChain's constructors and validators raise: KeyError and TypeError too.
        raise UndecodableError(
            f"LangChain cannot read it as {shape.cls.__name__} ({type(error).__name__})"
        ) from error
