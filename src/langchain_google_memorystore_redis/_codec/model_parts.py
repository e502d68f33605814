"""Setters for the parts of a message, without pydantic's validators.

Strategy: the four attributes that pydantic's own `model_construct` sets. As descriptors they can
be called from loops in Python and, through `map`, in C.
"""

from __future__ import annotations

from collections.abc import Callable

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

new: Callable[[type[BaseMessage]], BaseMessage] = object.__new__
set_values = BaseModel.__dict__["__dict__"].__set__
set_fields_set = BaseModel.__dict__["__pydantic_fields_set__"].__set__
set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
set_private = BaseModel.__dict__["__pydantic_private__"].__set__
