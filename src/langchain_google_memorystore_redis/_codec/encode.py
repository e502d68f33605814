"""Encoding of messages to elements; an error names the field that cannot be stored.

Strategy: msgspec writes the data and parses it back, and comparing the two catches whatever JSON
or msgspec would silently change (tuples, dates, UUIDs, NaN). Where they differ, each field is
written in its plain form, which is compared as it is made: what would come back different is
refused or listed under "inexact". NaN, Infinity and lone surrogates are written as release 0.3.0
did.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
from langchain_core.messages import BaseMessage

from langchain_google_memorystore_redis._codec.kinds import join_surrogates
from langchain_google_memorystore_redis._codec.plain import (
    LEFT_OUT,
    Loss,
    PlainForm,
    Policy,
    RefusedError,
)
from langchain_google_memorystore_redis._codec.shapes import SHAPES, Shape, is_tool_call_list
from langchain_google_memorystore_redis.errors import InvalidMessageError

_write = msgspec.json.Encoder().encode


def element_tail(entry_id: bytes, written_at_ms: int | None) -> bytes:
    """Return the last part of an element: id (escaped as in JSON) and milliseconds since 1970."""
    if written_at_ms is None:
        return b',"id":"%b"}' % entry_id
    return b',"id":"%b","ts":%d}' % (entry_id, written_at_ms)


class InexactField(NamedTuple):
    """A field that was stored in a plain form, or left out, in whole or in part."""

    message_index: int
    """In its batch."""
    message_class: str
    name: str
    losses: list[Loss]


def encode(
    message: BaseMessage, index: int, tail: bytes, inexact: list[InexactField] | None = None
) -> bytes:
    """Encode a message as an element that ends with `tail` (see `element_tail`).

    Values that would not come back equal are converted to a plain form (see `plain`), and their
    fields added to `inexact`; without that list they are refused. Raises `InvalidMessageError` with
    `index` and the field of what is refused.
    """
    shape = SHAPES.get(type(message))
    if shape is None:
        raise InvalidMessageError(index, None, _describe_unknown_class(message))
    try:
        data = _encode_fast(shape, message)
    except Exception:  # noqa: BLE001 - odd values raise anything; the slow way names them
        data = _encode_checked(shape, message, index, inexact)
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


def _encode_checked(
    shape: Shape, message: BaseMessage, index: int, inexact: list[InexactField] | None
) -> bytes:
    """Write the data value by value, and the names of the fields that are inexact after it.

    Raises `InvalidMessageError` naming the field.
    """
    fields, extra = shape.fields_to_store(message)
    for name in shape.required:
        if name not in fields:
            raise InvalidMessageError(index, name, f"missing; a {shape.cls.__name__} needs it")
    for name in extra:
        if not isinstance(name, str) or name in shape.field_types or join_surrogates(name) != name:
            raise InvalidMessageError(
                index, f"{name!r:.80}", "not allowed as the name of an extra field; rename it"
            )
    texts = []
    inexact_names = []
    for name, value in {**fields, **extra}.items():
        text, losses = _write_field(shape, index, name, value, _policy(shape, name, inexact))
        if text is not None:
            texts.append(b"%b:%b" % (_write_plain(name), text))
        if losses and inexact is not None:
            inexact_names.append(name)
            inexact.append(InexactField(index, shape.cls.__name__, name, losses))
    data = b"{%b}" % b",".join(texts)
    if not inexact_names:
        return data
    return b'%b,"inexact":%b' % (data, _write_plain(inexact_names))


def _policy(shape: Shape, name: str, inexact: list[InexactField] | None) -> Policy:
    if inexact is None:
        return Policy.REFUSE
    # LangChain sends every other field to models, or may do so.
    is_artifact = name == "artifact" and name in shape.field_types
    return Policy.CONVERT_OR_OMIT if is_artifact else Policy.CONVERT


def _write_field(
    shape: Shape, index: int, name: str, value: Any, policy: Policy
) -> tuple[bytes | None, list[Loss]]:
    """Write the value of a field as JSON, None if it is left out; return also what is lost."""
    plain = PlainForm(name, policy)
    try:
        form = plain.convert(value)
        text = None if form is LEFT_OUT else _write_plain(form)
        is_accepted = text is None or shape.accepts(name, form)
    except RefusedError as error:
        raise InvalidMessageError(index, error.path, error.problem) from error
    except RecursionError as error:
        if policy is Policy.CONVERT_OR_OMIT:
            return None, [Loss(f"{type(value).__name__} nested too deeply", is_left_out=True)]
        raise InvalidMessageError(index, name, "nested too deeply; simplify it") from error
    except Exception as error:
        # Another thread changes the value meanwhile, or its own methods raise.
        raise InvalidMessageError(
            index,
            name,
            f"cannot be converted to JSON: reading it raised {type(error).__name__}; use plain "
            "values, and change no message while it is being added",
        ) from error
    if not is_accepted:
        raise InvalidMessageError(
            index,
            name,
            f"a {shape.cls.__name__} cannot hold {form!r:.80} there; use a value that its "
            "constructor accepts",
        )
    return text, plain.losses


def _write_plain(form: Any) -> bytes:
    """Write a plain form; with json, if it holds what msgspec cannot write or read back."""
    try:
        text = _write(form)
        if msgspec.json.decode(text) == form:
            return text
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    ascii_text = json.dumps(form)
    json.loads(ascii_text)  # raises RecursionError here, rather than wherever it is read
    return ascii_text.encode()
