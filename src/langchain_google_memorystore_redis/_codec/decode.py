"""Decoding of elements to messages.

Strategy: nearly every element was checked when this package wrote it, so msgspec parses and checks
it in one go, and the message is built without LangChain's validators (see shapes). Any other
(extra fields, NaN, release 0.3.0, made by hand) is parsed without types, and one without our `id`
and `ts` is validated by LangChain. Decoding builds only LangChain's own message classes, and runs
no code that the element could choose.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias, Union

import msgspec
from langchain_core.messages import AIMessageChunk, BaseMessage

from langchain_google_memorystore_redis._codec.compression import FrameError, expand_element
from langchain_google_memorystore_redis._codec.shapes import (
    SHAPE_BY_ELEMENT,
    SHAPE_BY_TYPE,
    YEAR_10000_MS,
    FieldError,
    ParsedElement,
)

_parse: Callable[[bytes], ParsedElement] = msgspec.json.Decoder(
    Union[tuple(SHAPE_BY_ELEMENT)]  # noqa: UP007 - the types are known at run time only
).decode


class UndecodableError(ValueError):
    """An element that is not a message; the text gives the reason. Callers add the position."""


EntryTuple: TypeAlias = tuple[BaseMessage, str | None, int | None, tuple[str, ...]]
"""A message, the id of its entry, its time of writing in milliseconds since 1970, and the names of
its inexact fields (see `Entry`).

Elements of release 0.3.0 have neither id nor time. A named tuple would make decoding a tenth
slower.
"""


def time_of(milliseconds: int | None) -> datetime | None:
    """Return milliseconds since 1970 as a time in UTC; None for None and for a year over 9999."""
    if milliseconds is None or not 0 <= milliseconds < YEAR_10000_MS:
        return None
    return datetime.fromtimestamp(milliseconds / 1e3, UTC)


def decode(element: bytes | str) -> EntryTuple:
    """Decode an element.

    Raises `UndecodableError`, and for a compressed element where zstandard is not installed
    `MissingExtraError`; nothing else.
    """
    if isinstance(element, str):
        element = element.encode("utf-8", "surrogatepass")
    if element.startswith(b'{"type":"'):
        try:
            parsed = _parse(element)
            message = SHAPE_BY_ELEMENT[type(parsed)].build(parsed.data)
            return message, parsed.id, parsed.ts, parsed.inexact
        except (ValueError, RecursionError):
            return _decode_untyped(element)  # compressed, with extra fields, corrupt or not ours
    return _decode_untyped(element)


def _decode_untyped(element: bytes) -> EntryTuple:
    plain = _expand(element)
    if plain is not element:
        return decode(plain)
    parsed = _parse_object(element)
    shape, fields = SHAPE_BY_TYPE.get(parsed["type"]), parsed["data"]
    if shape is None:
        raise UndecodableError(f"unknown message type {parsed['type']!r:.80}")
    entry_id, written_at = parsed.get("id"), parsed.get("ts")
    is_ours = type(entry_id) is str and type(written_at) is int and 0 <= written_at < YEAR_10000_MS
    listed = parsed.get("inexact")
    inexact = tuple(each for each in listed if type(each) is str) if type(listed) is list else ()
    if not is_ours and shape.cls is not AIMessageChunk:
        return _construct(shape.cls, fields), None, None, inexact
    # Never by the constructor of AIMessageChunk: it would parse the tool calls from their chunks
    # again, in time quadratic in the length of a broken one. They are stored beside the chunks.
    try:
        message = shape.build_from_dict(fields)
    except FieldError as error:
        raise UndecodableError(f"a field is missing or of the wrong type: {error}") from error
    return message, *((entry_id, written_at) if is_ours else (None, None)), inexact


def _expand(element: bytes) -> bytes:
    try:
        return expand_element(element)
    except FrameError as error:
        raise UndecodableError(str(error)) from error


def _parse_object(element: bytes) -> dict[str, Any]:
    try:
        parsed = _parse_json(element)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"not JSON that can be read ({type(error).__name__})") from error
    if isinstance(parsed, dict) and isinstance(parsed.get("data"), dict):
        if isinstance(parsed.get("type"), str):
            return parsed
    raise UndecodableError('not a JSON object with "type" and "data"')


def _parse_json(element: bytes) -> Any:
    try:
        return msgspec.json.decode(element)
    except (ValueError, RecursionError):  # NaN, lone surrogates, or no JSON
        return json.loads(element.decode("utf-8", "surrogatepass"))


def _construct(cls: type[BaseMessage], fields: dict[str, Any]) -> BaseMessage:
    """Construct a message with LangChain's validators, as `messages_from_dict` does."""
    try:
        return cls(**fields)
    except Exception as error:
        # Constructors and validators raise anything, KeyError and TypeError too.
        raise UndecodableError(
            f"LangChain cannot read it as {cls.__name__} ({type(error).__name__})"
        ) from error
