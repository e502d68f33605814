"""Message classes and the types of their fields.

Strategy: `type` in an element names the message class, so exactly LangChain's own classes can be
stored. A `Shape` describes one of them to msgspec, which checks types, leaves out defaults and
fills them in, all in C. LangChain's validators are not used, because they change what they
validate (`tool_calls` are rewritten, chunks parsed again): a stored message would come back
different.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Protocol, cast

import msgspec
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)
from pydantic.fields import FieldInfo

from langchain_google_memorystore_redis._codec.model_parts import (
    new,
    set_extra,
    set_fields_set,
    set_private,
    set_values,
)

YEAR_10000_MS = 253_402_300_800_000
"""The first time, in milliseconds since 1970, that Python's datetime cannot hold."""

_asdict = msgspec.structs.asdict
_OBJECT = dict[str, Any]

# A field that a later langchain-core adds is not listed and may hold any JSON.
_FIELD_TYPES: dict[str, Any] = {
    "content": str | list[str | _OBJECT],
    "additional_kwargs": _OBJECT,
    "response_metadata": _OBJECT,
    "name": str | None,
    "id": str | None,
    "tool_calls": list[_OBJECT],
    "invalid_tool_calls": list[_OBJECT],
    "tool_call_chunks": list[_OBJECT],
    "usage_metadata": _OBJECT | None,
    "chunk_position": Literal["last"] | None,
    "tool_call_id": str,
    "status": Literal["success", "error"],
    "role": str,
}


class FieldError(ValueError):
    """Fields that do not make a message; the text gives the reason."""


class ParsedElement(Protocol):
    """An element that this package wrote, parsed by msgspec."""

    data: msgspec.Struct
    """All fields of the message."""
    id: str
    ts: int
    inexact: tuple[str, ...]


class Shape:
    """Fields of one message class, and their types for msgspec."""

    def __init__(self, cls: type[BaseMessage]) -> None:
        self.cls = cls
        self.type: str = cls.model_fields["type"].default
        self.element_head = b'{"type":"%b","data":' % self.type.encode()
        """First bytes of an element of this class."""
        self.field_types = {
            name: self._field_type(name, field) for name, field in cls.model_fields.items()
        }
        self.fields = msgspec.defstruct(
            f"{cls.__name__}Fields",
            [
                (name, self.field_types[name], *_struct_default(field))
                for name, field in cls.model_fields.items()
            ],
            kw_only=True,
            omit_defaults=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        self.element = msgspec.defstruct(
            f"{cls.__name__}Element",
            [
                ("data", self.fields),
                ("id", str),
                ("ts", Annotated[int, msgspec.Meta(ge=0, lt=YEAR_10000_MS)]),
                ("inexact", tuple[str, ...], ()),
            ],
            tag=self.type,
            forbid_unknown_fields=True,  # msgspec would skip them without validating them
            gc=False,
        )
        self.parse = msgspec.json.Decoder(self.fields).decode
        self._defaults = {
            name: field.get_default(call_default_factory=True, validated_data={})
            for name, field in cls.model_fields.items()
            if not field.is_required()
        }
        self.required = [name for name in self.field_types if name not in self._defaults]

    def _field_type(self, name: str, field: FieldInfo) -> Any:
        if name == "type":
            return Literal[self.type]
        return str if name == "name" and field.is_required() else _FIELD_TYPES.get(name, Any)

    def accepts(self, name: str, value: Any) -> bool:
        """Return True if a field can hold this JSON value; an extra field can hold any."""
        if name not in self.field_types:
            return True
        try:
            msgspec.convert(value, self.field_types[name])
        except ValueError:
            return False
        return name != "tool_calls" or is_tool_call_list(value)

    def fields_to_store(self, message: BaseMessage) -> tuple[dict[str, Any], dict[Any, Any]]:
        """Return the fields that are not at their defaults, and the extra fields."""
        fields = {
            name: value
            for name, value in list(message.__dict__.items())  # another thread may add one
            if name in self.field_types and not self._is_default(name, value)
        }
        return fields, getattr(message, "__pydantic_extra__", None) or {}

    def _is_default(self, name: str, value: Any) -> bool:
        default = self._defaults.get(name, ...)
        # The type first: `==` of arbitrary objects (an array) may not return a bool.
        return type(value) is type(default) and bool(value == default)

    def build(self, fields: msgspec.Struct, extra: dict[str, Any] | None = None) -> BaseMessage:
        """Build a message that takes over the values of these fields. Raises `FieldError`."""
        values = _asdict(fields)
        calls = values.get("tool_calls")
        if calls and not is_tool_call_list(calls):
            raise FieldError("a tool call without name and args")
        message = new(self.cls)
        set_values(message, values)
        # All fields count as given, as in LangChain's messages_from_dict.
        set_fields_set(message, {*values, *extra} if extra else set(values))
        set_extra(message, extra or {})
        set_private(message, None)
        return message

    def build_from_dict(self, data: dict[str, Any]) -> BaseMessage:
        """Build the message of these fields, some of which may be extra. Raises `FieldError`."""
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in data.items():
            (known if name in self.field_types else extra)[name] = value
        try:
            fields = msgspec.convert(known, self.fields)
        except ValueError as error:  # UnicodeEncodeError too: a lone surrogate in a Literal
            raise FieldError(f"{error!s:.200}") from error
        return self.build(fields, extra)


def is_tool_call_list(calls: list[dict[str, Any]]) -> bool:
    """Return True if LangChain accepts these tool calls; the type of the field is not enough."""
    return all(
        isinstance(call.get("name"), str)
        and isinstance(call.get("args"), dict)
        and (call.get("id") is None or isinstance(call["id"], str))
        for call in calls
    )


def _struct_default(field: FieldInfo) -> tuple[Any, ...]:
    """Return the third item of a field of `msgspec.defstruct`, if it has a default."""
    if field.is_required():
        return ()
    if field.default_factory is not None:
        return (msgspec.field(default_factory=cast("Callable[[], Any]", field.default_factory)),)
    return (field.default,)


def _shapes(classes: Iterable[type[BaseMessage]]) -> dict[type[BaseMessage], Shape]:
    return {cls: Shape(cls) for cls in classes}


SHAPES = _shapes(
    (
        AIMessage,
        AIMessageChunk,
        ChatMessage,
        ChatMessageChunk,
        FunctionMessage,
        FunctionMessageChunk,
        HumanMessage,
        HumanMessageChunk,
        RemoveMessage,
        SystemMessage,
        SystemMessageChunk,
        ToolMessage,
        ToolMessageChunk,
    )
)
SHAPE_BY_TYPE = {shape.type: shape for shape in SHAPES.values()}
SHAPE_BY_ELEMENT: dict[type[Any], Shape] = {shape.element: shape for shape in SHAPES.values()}
