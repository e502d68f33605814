"""The errors of the package, as objects."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

from langchain_google_memorystore_redis import errors

VALUES: dict[str, Any] = {
    "str": "text",
    "str | None": "text",
    "int": 2,
    "list[str]": ["text"],
    "tuple[str, ...]": ("text",),
}


def arguments_of(error: type) -> list[Any]:
    """Arguments to create an error with."""
    try:
        parameters = inspect.signature(error).parameters.values()
    except ValueError:  # that of Exception, which takes anything
        return ["text"]
    return [VALUES[each.annotation] for each in parameters if each.kind is not each.KEYWORD_ONLY]


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_reaches_another_process_as_it_is(name: str) -> None:
    error = getattr(errors, name)
    error = error(*arguments_of(error))
    error.add_note("a note")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert (str(other), vars(other)) == (str(error), vars(error))
