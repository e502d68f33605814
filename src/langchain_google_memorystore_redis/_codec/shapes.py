"""The message classes, and what each of their fields may hold.

Strategy: a message is stored by the class LangChain names with `type`, so exactly LangChain's
own classes can be stored. A `Shape` knows the defaults of a class (left out of what is stored)
and a check for each field. The encoder and the decoder share the checks: what passes at write
passes at read, and a message is then rebuilt from its fields as they are. LangChain's own
validators are not asked, because they change what they validate (`tool_calls` are rewritten,
chunks are parsed again), which would make a stored message come back different.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

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

_set = object.__setattr__
_REQUIRED = object()


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_str_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_dict_or_none(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _is_content(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list) and all(isinstance(part, (str, dict)) for part in value)


def _is_tool_calls(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(call, dict)
        and isinstance(call.get("name"), str)
        and isinstance(call.get("args"), dict)
        and _is_str_or_none(call.get("id"))
        for call in value
    )


def _is_list_of_dicts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


# A field that a later langchain-core adds has no check here: it is kept as it is.
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "content": _is_content,
    "additional_kwargs": _is_dict,
    "response_metadata": _is_dict,
    "name": _is_str_or_none,
    "id": _is_str_or_none,
    "tool_calls": _is_tool_calls,
    "invalid_tool_calls": _is_list_of_dicts,
    "tool_call_chunks": _is_list_of_dicts,
    "usage_metadata": _is_dict_or_none,
    "chunk_position": lambda value: value in (None, "last"),
    "tool_call_id": _is_str,
    "status": lambda value: value in ("success", "error"),
    "role": _is_str,
}


class Shape:
    """What is known of one message class."""

    def __init__(self, cls: type[BaseMessage]) -> None:
        self.cls = cls
        fields = cls.model_fields
        self.type: str = fields["type"].default
        self._defaults: dict[str, Any] = {
            name: _REQUIRED
            if field.is_required()
            else field.get_default(call_default_factory=True, validated_data={})
            for name, field in fields.items()
        }
        self._required = [n for n, default in self._defaults.items() if default is _REQUIRED]
        self._mutable = [(n, type(d)) for n, d in self._defaults.items() if d in ([], {})]
        self._checks = {n: check for n, check in _CHECKS.items() if n in fields}
        self._checks["type"] = lambda value: value == self.type
        if "name" in self._required:
            self._checks["name"] = _is_str

    def fields_to_store(self, message: BaseMessage) -> dict[str, Any]:
        """The fields of a message that are not at their defaults, extra ones included."""
        values = message.__dict__
        stored = {}
        for name, default in self._defaults.items():
            value = values.get(name, default)
            # The type first: `==` of an arbitrary object (an array) may not be a bool.
            if value is not default and not (type(value) is type(default) and value == default):
                stored[name] = value
        if message.__pydantic_extra__:
            stored.update(message.__pydantic_extra__)
        return stored

    def wrong_field(self, fields: dict[str, Any]) -> str | None:
        """The first field that is missing or cannot hold what it holds."""
        for name in self._required:
            if name not in fields:
                return name
        for name, value in fields.items():
            check = self._checks.get(name)
            if check is not None and not check(value):
                return name
        return None

    def build(self, fields: dict[str, Any]) -> BaseMessage:
        """The message with these fields, which `wrong_field` has passed, and nothing shared."""
        values = self._defaults.copy()
        for name, kind in self._mutable:
            values[name] = kind()
        extra = {}
        for name, value in fields.items():
            if name in values:
                values[name] = value
            else:
                extra[name] = value
        message = self.cls.__new__(self.cls)
        # The four attributes a pydantic model consists of, as its own model_construct sets them.
        _set(message, "__dict__", values)
        _set(message, "__pydantic_fields_set__", set(fields))
        _set(message, "__pydantic_extra__", extra)
        _set(message, "__pydantic_private__", None)
        return message


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
