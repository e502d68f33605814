"""What a pydantic model consists of, set without its validators.

Strategy: four attributes, as pydantic's own `model_construct` sets them. Their descriptors are
called from loops in Python and, by `map`, in C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

new: Callable[[type[BaseMessage]], BaseMessage] = object.__new__
set_values = BaseModel.__dict__["__dict__"].__set__
set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
set_private = BaseModel.__dict__["__pydantic_private__"].__set__


class FieldNames(set[str]):
    """The names of all fields of a class, which its messages share as their `model_fields_set`.

    A set for each would be a seventh of decoding and 700 bytes a message. Nothing changes this one:
    pydantic adds the name of a field that is given a value, and it is here already. The name of an
    extra field is not added; pydantic writes extra fields whatever the set says. Copies are sets.
    """

    def add(self, _: str, /) -> None:
        """Nothing: the names of all fields are here."""

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("messages share this set of all their fields; change a copy: set(...)")

    clear = discard = pop = remove = update = _refuse
    difference_update = intersection_update = symmetric_difference_update = _refuse
    __iand__ = __ior__ = __isub__ = __ixor__ = _refuse

    def copy(self) -> set[str]:
        """A set like any other."""
        return set(self)

    __copy__ = copy

    def __deepcopy__(self, _: Any) -> set[str]:
        return set(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return set, (tuple(self),)
