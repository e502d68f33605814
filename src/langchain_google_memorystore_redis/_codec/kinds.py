"""Kinds of values: how each is written in JSON's own types.

Strategy: `simplify` turns a value into one of JSON's own types, one function for each kind, and
looks at nothing inside it (see `plain`).
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections import UserString
from collections.abc import Callable, Mapping, Sequence, Set, ValuesView
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import singledispatch
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec
from pydantic import BaseModel, RootModel, SecretBytes, SecretStr


class NoPlainFormError(Exception):
    """A value that JSON cannot carry in any form."""

    def __init__(self, kind: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        """Words for it, empty if the name of its type will do."""


def join_surrogates(text: str) -> str:
    """Return a str as it is read from JSON: two halves of a character become that character."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@singledispatch
def simplify(value: Any) -> Any:
    """Return a value as None, bool, int, float, str, or a new list or dict of its parts.

    Raises `NoPlainFormError`, and whatever the value's own methods raise.
    """
    names = _field_names(type(value))
    if names is not None:
        return {name: getattr(value, name) for name in names}
    for module, classes, convert in _SLOW_TO_IMPORT:
        # A value of such a library exists only if the library is imported.
        library = sys.modules.get(module)
        if library is not None and isinstance(value, tuple(getattr(library, c) for c in classes)):
            return convert(value)
    raise NoPlainFormError


def _field_names(cls: Any) -> list[str] | None:
    """Return the field names of a dataclass, an attrs class or a msgspec Struct."""
    if is_dataclass(cls):
        return [field.name for field in fields(cls)]
    if hasattr(cls, "__attrs_attrs__"):
        return [field.name for field in cls.__attrs_attrs__]
    return list(cls.__struct_fields__) if issubclass(cls, msgspec.Struct) else None


_NUMPY_CASTS: dict[str, Any] = {"f": float, "c": complex, "M": str, "m": "m8[us]"}
"""By kind of dtype, the type whose values become Python's own: not all do by themselves."""


def _simplify_numpy(value: Any) -> Any:
    if value.dtype.kind in _NUMPY_CASTS:
        value = value.astype(_NUMPY_CASTS[value.dtype.kind])
    form = value.tolist()
    if type(form) is type(value):
        raise NoPlainFormError
    return simplify(form)


def _simplify_pydantic_v1(value: Any) -> Any:
    excluded = {n for n, field in value.__fields__.items() if field.field_info.exclude}
    values = {name: item for name, item in list(vars(value).items()) if name not in excluded}
    return simplify(values["__root__"]) if "__root__" in values else values


_SLOW_TO_IMPORT: tuple[tuple[str, tuple[str, ...], Callable[[Any], Any]], ...] = (
    ("numpy", ("ndarray", "generic"), _simplify_numpy),
    ("pydantic.networks", ("AnyUrl",), str),
    ("pydantic.v1", ("BaseModel",), _simplify_pydantic_v1),
    ("pydantic.v1", ("SecretStr", "SecretBytes"), str),
)
"""Modules, their classes, and functions that simplify the instances."""


@simplify.register(type(None))
@simplify.register(bool)
def _(value: Any) -> Any:
    return value


@simplify.register
def _(value: str) -> str:
    return join_surrogates(str.__str__(value))


@simplify.register
def _(value: int) -> int:
    try:
        int.__repr__(value)
    except ValueError as error:
        raise NoPlainFormError("int of thousands of digits") from error
    return int.__index__(value)


@simplify.register
def _(value: float) -> float:
    return float.__float__(value)


@simplify.register
def _(value: Enum) -> Any:
    return simplify(value.value)


@simplify.register(bytes)
@simplify.register(bytearray)
@simplify.register(memoryview)
def _(value: bytes | bytearray | memoryview) -> str:
    return b64encode(bytes(value)).decode()


@simplify.register(date)
@simplify.register(datetime)
@simplify.register(time)
def _(value: date | datetime | time) -> str:
    return value.isoformat()


@simplify.register
def _(value: timedelta) -> Any:
    # Days and seconds: years and months have no fixed length. msgspec takes no subclasses.
    return msgspec.to_builtins(timedelta(value.days, value.seconds, value.microseconds))


@simplify.register(Mapping)
def _(value: Any) -> dict[Any, Any]:
    return dict(list(value.items()))


@simplify.register(list)
@simplify.register(Sequence)
@simplify.register(Set)
@simplify.register(ValuesView)
def _(value: Any) -> list[Any]:
    return list(value)


@simplify.register
def _(value: BaseModel) -> dict[str, Any]:
    # Not by iterating: that gives cached properties too, if they happen to be cached.
    values, extra = vars(value), value.__pydantic_extra__ or {}
    # A field with `exclude` is not to be written anywhere: it may be a secret or a connection.
    names = [name for name, field in type(value).model_fields.items() if not field.exclude]
    return {name: values[name] for name in names if name in values} | extra


@simplify.register(RootModel)
def _(value: Any) -> Any:
    return simplify(value.root)


for _kind in (
    UUID,
    Decimal,
    Fraction,
    complex,
    PurePath,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    UserString,
    SecretStr,  # as asterisks
    SecretBytes,
):
    simplify.register(_kind, str)
