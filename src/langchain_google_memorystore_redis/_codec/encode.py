"""Encoding of messages to elements; an error names the field that cannot be stored.

Strategy: msgspec writes the data and parses it back, and comparing the two catches whatever JSON
or msgspec would silently change (tuples, dates, UUIDs, NaN). Where they differ, the standard
library's json writes the message, with NaN, Infinity and lone surrogates as release 0.3.0 did.
Then each value is compared, and the first that would come back different is named in the error.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.shapes import SHAPES, Shape, is_tool_call_list
from langchain_google_memorystore_redis.errors import InvalidMessageError

_write = msgspec.json.Encoder().encode


def element_tail(entry_id: bytes, written_at_ms: int | None) -> bytes:
    """Return the last part of an element: id (escaped as in JSON) and milliseconds since 1970."""
    if written_at_ms is None:
        return b',"id":"%b"}' % entry_id
    return b',"id":"%b","ts":%d}' % (entry_id, written_at_ms)


def encode(message: BaseMessage, index: int, tail: bytes) -> bytes:
    """Encode a message as an element that ends with `tail` (see `element_tail`).

    Raises `InvalidMessageError` with `index` and the field that would not come back equal.
    """
    shape = SHAPES.get(type(message))
    if shape is None:
        raise InvalidMessageError(index, None, _describe_unknown_class(message))
    try:
        data = _encode_fast(shape, message)
    except Exception:  # noqa: BLE001 - odd values raise anything; the slow way names them
        data = _encode_checked(shape, message, index)
    # Joined into bytes of exact size. msgspec's own are shrunk from larger buffers: a thousand took
    # twice as long where the heap had to grow for them (page faults).
    return b"".join((shape.element_head, data, tail))


def _encode_fast(shape: Shape, message: BaseMessage) -> bytes:
    """Write the data with msgspec; raises anything if it would not come back equal."""
    fields = shape.fields(**message.__dict__)
    if extra := message.__pydantic_extra__:
        data = _write({**msgspec.to_builtins(fields), **extra})
        is_same = shape.build_from_dict(msgspec.json.decode(data)) == message
    else:
        data = _write(fields)
        calls = message.__dict__.get("tool_calls")
        is_same = shape.parse(data) == fields and (not calls or is_tool_call_list(calls))
    if not is_same:
        raise ValueError("would not come back equal")
    return data


def _describe_unknown_class(message: object) -> str:
    cls = type(message)
    if not isinstance(message, BaseMessage):
        return f"an object of type {cls.__name__} is not a message; use HumanMessage or the like"
    return (
        f"{cls.__module__}.{cls.__qualname__} is not one of LangChain's own message classes; "
        "convert it to one of them"
    )


def _encode_checked(shape: Shape, message: BaseMessage, index: int) -> bytes:
    """Write the data with json, value by value; raises `InvalidMessageError` naming the field."""
    fields, extra = shape.fields_to_store(message)
    for name in shape.required:
        if name not in fields:
            raise InvalidMessageError(index, name, f"missing; a {shape.cls.__name__} needs it")
    for name in extra:
        if not isinstance(name, str) or name in shape.field_types:
            raise InvalidMessageError(
                index, f"{name!r:.80}", "not allowed as the name of an extra field; rename it"
            )
    texts = [
        f"{json.dumps(name)}: {_value_to_json(shape, index, name, value)}"
        for name, value in {**fields, **extra}.items()
    ]
    return f"{{{', '.join(texts)}}}".encode()


def _value_to_json(shape: Shape, index: int, name: str, value: Any) -> str:
    """Write the value of a field as JSON, after checking that it comes back equal."""
    try:
        # A value that json cannot write becomes null or is left out, so the comparison finds it.
        text = json.dumps(value, default=lambda _: None, skipkeys=True)
        stored = json.loads(text)
        difference = _find_difference(value, stored, name)
    except (RecursionError, ValueError) as error:
        raise InvalidMessageError(
            index,
            name,
            "nested too deeply, circular, or with a number of thousands of digits; simplify it",
        ) from error
    except Exception as error:
        # Another thread changes the value meanwhile, or its own methods raise.
        raise InvalidMessageError(
            index,
            name,
            f"cannot be converted to JSON: reading it raised {type(error).__name__}; use plain "
            "values, and change no message while it is being added",
        ) from error
    if difference is not None:
        path, kind = difference
        raise InvalidMessageError(
            index,
            path,
            f"JSON cannot store this {kind} so that it comes back equal; convert it to "
            "str, int, float, list or a dict with str keys",
        )
    if not shape.accepts(name, stored):
        raise InvalidMessageError(
            index,
            name,
            f"a {shape.cls.__name__} cannot hold {value!r:.80} there; use a value that its "
            "constructor accepts",
        )
    return text


def _find_difference(value: Any, stored: Any, path: str) -> tuple[str, str] | None:
    """Find the first difference of two values; return its path and the type of the value there."""
    if isinstance(value, dict) and isinstance(stored, dict):
        for key, item in value.items():
            item_path = f"{path}[{key!r}]"
            if not isinstance(key, str) or key not in stored:
                return item_path, f"{type(key).__name__} key"
            if found := _find_difference(item, stored[key], item_path):
                return found
        return None
    if isinstance(value, list) and isinstance(stored, list):
        for index, item in enumerate(value):
            if found := _find_difference(item, stored[index], f"{path}[{index}]"):
                return found
        return None
    is_same = isinstance(value, (str, int, float, type(None))) and (
        value == stored or (_is_nan(value) and _is_nan(stored))
    )
    return None if is_same else (path, type(value).__name__)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
