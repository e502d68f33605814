"""Bytes to message.

Strategy: an element with our `id` and `ts` was checked when it was written, so its message is
rebuilt from its fields without LangChain's validators, after the same checks (see shapes). Any
other element was written by release 0.3.0 or by hand and is read the way LangChain reads it.
Only compact JSON was written by orjson and may be read by it: orjson turns integers of more than
64 bits into floats, which the standard library's json keeps. Decoding builds LangChain's own
message classes and nothing else, and runs no code the element could choose.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import orjson
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.shapes import SHAPE_OF_TYPE, Shape

_YEAR_10000 = 253_402_300_800_000


class UndecodableError(ValueError):
    """The element is no message; the text says why. Callers add session and index."""


class Decoded(NamedTuple):
    """What one element holds. Elements of release 0.3.0 have no id and no time."""

    message: BaseMessage
    entry_id: str | None
    written_at: int | None
    """Milliseconds since 1970."""


def decode(element: bytes | str) -> Decoded:
    """The message of an element; raises `UndecodableError`, and no other error."""
    if isinstance(element, str):
        element = element.encode()
    row = _parse(element)
    shape = SHAPE_OF_TYPE.get(row["type"])
    if shape is None:
        raise UndecodableError(f"unknown message type {row['type']!r:.80}")
    fields = row["data"]
    if not _is_ours(row):
        return Decoded(_as_langchain_reads_it(shape, fields), None, None)
    wrong = shape.wrong_field(fields)
    if wrong is not None:
        raise UndecodableError(f"field {wrong!r:.80} is missing or of the wrong type")
    return Decoded(shape.build(fields), row["id"], row["ts"])


def _parse(element: bytes) -> dict[str, Any]:
    row: Any
    if element.startswith(b'{"type":"'):
        try:
            row = orjson.loads(element)
        except orjson.JSONDecodeError:
            row = None
        if isinstance(row, dict) and _is_ours(row):
            return _require_row(row)
    try:
        row = json.loads(element)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"not JSON that can be read ({type(error).__name__})") from error
    return _require_row(row)


def _require_row(row: Any) -> dict[str, Any]:
    if isinstance(row, dict) and isinstance(row.get("data"), dict):
        if isinstance(row.get("type"), str):
            return row
    raise UndecodableError('not a JSON object with "type" and "data"')


def _is_ours(row: dict[str, Any]) -> bool:
    written_at = row.get("ts")
    return (
        isinstance(row.get("id"), str) and type(written_at) is int and 0 <= written_at < _YEAR_10000
    )


def _as_langchain_reads_it(shape: Shape, fields: dict[str, Any]) -> BaseMessage:
    try:
        return shape.cls(**fields)
    except Exception as error:
        # Whatever LangChain's constructors and validators raise: KeyError and TypeError too.
        raise UndecodableError(
            f"LangChain cannot read it as {shape.cls.__name__} ({type(error).__name__})"
        ) from error
