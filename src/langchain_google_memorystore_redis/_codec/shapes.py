"""The message classes, and what each of their fields may hold.

Strategy: a message is stored by the class LangChain names with `type`, so exactly LangChain's
own classes can be stored. A `Shape` describes one of them to msgspec, which then checks types,
leaves out defaults and fills them in while it writes and parses, in C. LangChain's own validators
are not asked, because they change what they validate (`tool_calls` are rewritten, chunks are
parsed again), which would make a stored message come back different.
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

YEAR_10000 = 253_402_300_800_000
"""The first millisecond since 1970 that Python's calendar does not have."""

_asdict = msgspec.structs.asdict
_OBJECT = dict[str, Any]

# A field that a later langchain-core adds has no type here: it is kept as it is.
_TYPES: dict[str, Any] = {
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


class WrongFieldError(ValueError):
    """Fields that make no message; the text says why."""


class ParsedElement(Protocol):
    """An element that this package wrote."""

    data: msgspec.Struct
    """All fields of the message."""
    id: str
    ts: int


class Shape:
    """What is known of one message class."""

    def __init__(self, cls: type[BaseMessage]) -> None:
        self.cls = cls
        self.type: str = cls.model_fields["type"].default
        self.head = b'{"type":"%b","data":' % self.type.encode()
        """What an element of this class begins with."""
        self.types = {name: self._type_of(name, field) for name, field in cls.model_fields.items()}
        self.fields = msgspec.defstruct(
            f"{cls.__name__}Fields",
            [
                (name, self.types[name], *_default(field))
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
                ("ts", Annotated[int, msgspec.Meta(ge=0, lt=YEAR_10000)]),
            ],
            tag=self.type,
            forbid_unknown_fields=True,  # msgspec passes over them whatever they hold
            gc=False,
        )
        self.parse = msgspec.json.Decoder(self.fields).decode
        self._names = frozenset(cls.model_fields)
        self._defaults = {
            name: field.get_default(call_default_factory=True, validated_data={})
            for name, field in cls.model_fields.items()
            if not field.is_required()
        }
        self.required = [name for name in self.types if name not in self._defaults]

    def _type_of(self, name: str, field: FieldInfo) -> Any:
        if name == "type":
            return Literal[self.type]  # mypy cannot know that it is one
        return str if name == "name" and field.is_required() else _TYPES.get(name, Any)

    def takes(self, name: str, value: Any) -> bool:
        """Whether a message can have this value, of JSON, in a field; extra ones take any."""
        if name not in self.types:
            return True
        try:
            msgspec.convert(value, self.types[name])
        except ValueError:
            return False
        return name != "tool_calls" or are_tool_calls(value)

    def fields_to_store(self, message: BaseMessage) -> tuple[dict[str, Any], dict[Any, Any]]:
        """The fields that are not at their defaults, and those that are extra."""
        fields = {
            name: value
            for name, value in message.__dict__.items()
            if name in self._names and not self._is_default(name, value)
        }
        return fields, getattr(message, "__pydantic_extra__", None) or {}

    def _is_default(self, name: str, value: Any) -> bool:
        default = self._defaults.get(name, ...)
        # The type first: `==` of an arbitrary object (an array) may not be a bool.
        return type(value) is type(default) and bool(value == default)

    def build(self, fields: msgspec.Struct, extra: dict[str, Any] | None = None) -> BaseMessage:
        """The message with these fields, which nothing else may hold. Raises `WrongFieldError`."""
        values = _asdict(fields)
        calls = values.get("tool_calls")
        if calls and not are_tool_calls(calls):
            raise WrongFieldError("a call without name and args")
        message = new(self.cls)
        set_values(message, values)
        # As if all had been given, as LangChain's own messages_from_dict has it.
        set_fields_set(message, {*values, *extra} if extra else set(values))
        set_extra(message, extra or {})
        set_private(message, None)
        return message

    def read(self, data: dict[str, Any]) -> BaseMessage:
        """The message with these fields, some of which may be extra. Raises `WrongFieldError`."""
        known: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for name, value in data.items():
            (known if name in self._names else extra)[name] = value
        try:
            fields = msgspec.convert(known, self.fields)
        except ValueError as error:  # of msgspec, or of a lone surrogate where a word must stand
            raise WrongFieldError(f"{error!s:.200}") from error
        return self.build(fields, extra)


def are_tool_calls(calls: list[dict[str, Any]]) -> bool:
    """Whether LangChain could read these, which the type of the field does not tell."""
    return all(
        isinstance(call.get("name"), str)
        and isinstance(call.get("args"), dict)
        and (call.get("id") is None or isinstance(call["id"], str))
        for call in calls
    )


def _default(field: FieldInfo) -> tuple[Any, ...]:
    """What a struct's field needs besides name and type."""
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
SHAPE_OF_TYPE = {shape.type: shape for shape in SHAPES.values()}
SHAPE_OF_ELEMENT: dict[type[Any], Shape] = {shape.element: shape for shape in SHAPES.values()}
