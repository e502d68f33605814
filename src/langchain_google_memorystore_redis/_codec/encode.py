"""Message to bytes, or a refusal that names the field.

Strategy: msgspec writes the data and reads it back; if that gives the same fields, the bytes are
good. This one comparison catches whatever JSON or msgspec would alter in silence (tuples, dates,
UUIDs, NaN). What it finds goes the slow way through the standard library's json, which carries NaN,
Infinity and lone surrogates as release 0.3.0 did, and is checked value by value; the first value
that would come back different is named.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.shapes import SHAPES, Shape, are_tool_calls
from langchain_google_memorystore_redis.errors import InvalidMessageError

_write = msgspec.json.Encoder().encode


def ending(entry_id: bytes, written_at: int | None) -> bytes:
    """What follows the data in an element: the id as JSON has it, milliseconds since 1970."""
    if written_at is None:
        return b',"id":"%b"}' % entry_id
    return b',"id":"%b","ts":%d}' % (entry_id, written_at)


def encode(message: BaseMessage, index: int, end: bytes) -> bytes:
    """The element for one message, which closes with `end`.

    Raises `InvalidMessageError` naming `index` and the field for what cannot be read back equal.
    """
    shape = SHAPES.get(type(message))
    if shape is None:
        raise InvalidMessageError(index, None, _unknown_class(message))
    try:
        data = _compact(shape, message)
    except Exception:  # noqa: BLE001 - odd values raise what they like; below they are named
        data = _dump(shape, message, index)
    # Joined, as bytes of their very size. A thousand as msgspec leaves them, shrunk from larger
    # ones, took twice as long where the heap had to grow for them: page faults.
    return b"".join((shape.head, data, end))


def _compact(shape: Shape, message: BaseMessage) -> bytes:
    """The data; raises what msgspec raises, and `ValueError` for what would read back different."""
    fields = shape.fields(**message.__dict__)
    if extra := message.__pydantic_extra__:
        data = _write({**msgspec.to_builtins(fields), **extra})
        is_same = shape.read(msgspec.json.decode(data)) == message
    else:
        data = _write(fields)
        calls = message.__dict__.get("tool_calls")
        is_same = shape.parse(data) == fields and (not calls or are_tool_calls(calls))
    if not is_same:
        raise ValueError("reads back different, or LangChain could not read it")
    return data


def _unknown_class(message: object) -> str:
    cls = type(message)
    if not isinstance(message, BaseMessage):
        return f"an object of type {cls.__name__} is no message; use HumanMessage or the like"
    return (
        f"{cls.__module__}.{cls.__qualname__} is not one of LangChain's own message classes and "
        "would come back as another class"
    )


def _dump(shape: Shape, message: BaseMessage, index: int) -> bytes:
    fields, extra = shape.fields_to_store(message)
    for name in shape.required:
        if name not in fields:
            raise InvalidMessageError(index, name, f"a {shape.cls.__name__} needs it")
    for name in extra:
        if not isinstance(name, str) or name in shape.types:
            raise InvalidMessageError(index, f"{name!r:.80}", "is no name for an extra field")
    texts = [
        f"{json.dumps(name)}: {_text(shape, index, name, value)}"
        for name, value in {**fields, **extra}.items()
    ]
    return f"{{{', '.join(texts)}}}".encode()


def _text(shape: Shape, index: int, name: str, value: Any) -> str:
    """The value as JSON, which gives it back equal and may stand in that field."""
    try:
        # What json cannot write becomes null or is left out, and so differs when read back.
        text = json.dumps(value, default=lambda _: None, skipkeys=True)
        stored = json.loads(text)
        place = _difference(value, stored, name)
    except (RecursionError, ValueError) as error:
        raise InvalidMessageError(
            index,
            name,
            "nested too deeply, in a circle, or holding a number of thousands of digits",
        ) from error
    except Exception as error:
        # Another thread changes it meanwhile, or methods of its own raise.
        raise InvalidMessageError(
            index, name, f"cannot be read while it is written ({type(error).__name__})"
        ) from error
    if place is not None:
        path, culprit = place
        raise InvalidMessageError(
            index,
            path,
            f"JSON cannot carry this {culprit} so that it comes back equal; convert it to "
            "str, int, float, list or a dict with str keys",
        )
    if not shape.takes(name, stored):
        raise InvalidMessageError(
            index, name, f"a {shape.cls.__name__} cannot hold {value!r:.80} there"
        )
    return text


def _difference(value: Any, stored: Any, path: str) -> tuple[str, str] | None:
    """Where `stored` first is not what `value` is, and the kind of value there."""
    if isinstance(value, dict) and isinstance(stored, dict):
        for key, item in value.items():
            place = f"{path}[{key!r}]"
            if not isinstance(key, str) or key not in stored:
                return place, f"{type(key).__name__} key"
            if found := _difference(item, stored[key], place):
                return found
        return None
    if isinstance(value, list) and isinstance(stored, list):
        for position, item in enumerate(value):
            if found := _difference(item, stored[position], f"{path}[{position}]"):
                return found
        return None
    same = isinstance(value, (str, int, float, type(None))) and (
        value == stored or (_is_nan(value) and _is_nan(stored))
    )
    return None if same else (path, type(value).__name__)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
