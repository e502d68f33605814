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
from typing import Any, NamedTuple

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
from pydantic import BaseModel

_new: Callable[[type[BaseMessage]], BaseMessage] = object.__new__
# The four attributes a pydantic model consists of, as its own model_construct sets them.
set_values = BaseModel.__dict__["__dict__"].__set__
set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
set_private = BaseModel.__dict__["__pydantic_private__"].__set__
_REQUIRED = object()

_PLAIN = frozenset((str, int, bool, type(None)))
"""Types that orjson writes as they are or refuses; a float may be NaN, which becomes null."""

_MOST_PLANS = 500
"""A class's own fields come in few sets, but somebody may have written them in any order."""


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


def _is_text(value: Any, *choices: str) -> bool:
    # The type first: `==` of an arbitrary object may raise whatever it likes.
    return isinstance(value, str) and value in choices


def _is_anything(_: Any) -> bool:
    return True


_ALWAYS: dict[Callable[[Any], bool], tuple[type, ...]] = {
    _is_str: (str,),
    _is_str_or_none: (str, type(None)),
    _is_content: (str,),
    _is_dict: (dict,),
    _is_dict_or_none: (dict, type(None)),
}
"""Types whose values pass a check whatever they are."""

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
    "chunk_position": lambda value: value is None or _is_text(value, "last"),
    "tool_call_id": _is_str,
    "status": lambda value: _is_text(value, "success", "error"),
    "role": _is_str,
}


class WrongFieldError(ValueError):
    """A field is missing or cannot hold what it holds. `args[0]` names it."""


class _Plan(NamedTuple):
    """How to build a message of one class from fields of certain names and types."""

    checks: tuple[tuple[str, Callable[[Any], bool]], ...]
    """What the type of a value leaves open."""
    dicts: tuple[str, ...]
    lists: tuple[str, ...]


class Shape:
    """What is known of one message class."""

    def __init__(self, cls: type[BaseMessage]) -> None:
        self.cls = cls
        # Nearly all messages have one of a few sets of fields, with values of the same types.
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        fields = cls.model_fields
        self.type: str = fields["type"].default
        self.head = b'{"type":"%b","data":' % self.type.encode()
        """What an element of this class begins with."""
        self._defaults: dict[str, Any] = {
            name: _REQUIRED
            if field.is_required()
            else field.get_default(call_default_factory=True, validated_data={})
            for name, field in fields.items()
        }
        self._required = [n for n, default in self._defaults.items() if default is _REQUIRED]
        self._mutable = [n for n, default in self._defaults.items() if default in ([], {})]
        self._checks = {n: _CHECKS.get(n, _is_anything) for n in fields}
        self._checks["type"] = lambda value: _is_text(value, self.type)
        if "name" in self._required:
            self._checks["name"] = _is_str
        # Name, default, and whether a str always suits it: most messages have no other values.
        self._fields = tuple(
            (name, default, str in _ALWAYS.get(self._checks[name], ()))
            for name, default in self._defaults.items()
        )

    def fields_to_store(self, message: BaseMessage) -> tuple[dict[str, Any], bool]:
        """The checked fields that are not at their defaults, and whether JSON surely carries them.

        Raises `WrongFieldError`.
        """
        stored: dict[str, Any] = {}
        is_plain = True
        values = message.__dict__
        for name, default, takes_text in self._fields:
            value = values.get(name, default)
            if value is default:
                if value is _REQUIRED:
                    raise WrongFieldError(name)
                continue
            kind = type(value)
            if takes_text and kind is str:
                stored[name] = value
            # The type first: `==` of an arbitrary object (an array) may not be a bool.
            elif kind is not type(default) or value != default:
                if not self._checks[name](value):
                    raise WrongFieldError(name)
                stored[name] = value
                is_plain = (
                    is_plain and kind is dict and _PLAIN.issuperset(map(type, value.values()))
                )
        if message.__pydantic_extra__:
            stored.update(message.__pydantic_extra__)
            is_plain = False
        return stored, is_plain

    def build(self, fields: dict[str, Any]) -> BaseMessage:
        """The message with these fields and nothing shared. Raises `WrongFieldError`."""
        kind = (*fields, *map(type, fields.values()))
        plan = self._plans.get(kind)
        if plan is None:
            if not fields.keys() <= self._checks.keys():
                return self._build_with_extras(fields)
            plan = self._plan(kind, fields)
        checks, dicts, lists = plan
        for name, check in checks:
            if not check(fields[name]):
                raise WrongFieldError(name)
        values = self._defaults | fields
        for name in dicts:
            values[name] = {}
        for name in lists:
            values[name] = []
        message = _new(self.cls)
        set_values(message, values)
        set_fields_set(message, set(fields))
        set_extra(message, {})
        set_private(message, None)
        return message

    def _build_with_extras(self, fields: dict[str, Any]) -> BaseMessage:
        # Not planned: their names are without end, and as long as somebody likes.
        known = {name: value for name, value in fields.items() if name in self._checks}
        message = self.build(known)
        set_fields_set(message, set(fields))
        set_extra(message, {name: fields[name] for name in fields if name not in known})
        return message

    def _plan(self, kind: tuple[Any, ...], fields: dict[str, Any]) -> _Plan:
        for name in self._required:
            if name not in fields:
                raise WrongFieldError(name)
        left_out = [name for name in self._mutable if name not in fields]
        plan = _Plan(
            checks=tuple(
                (name, check)
                for name, check in self._checks.items()
                if name in fields and type(fields[name]) not in _ALWAYS.get(check, ())
            ),
            dicts=tuple(name for name in left_out if self._defaults[name] == {}),
            lists=tuple(name for name in left_out if self._defaults[name] == []),
        )
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()  # rather than to remember what is rare for good
        self._plans[kind] = plan
        return plan


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
