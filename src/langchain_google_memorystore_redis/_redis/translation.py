"""Errors of this package in place of a server's error replies.

Strategy: replies are told apart by their words, since servers and clients have few classes for
them. Where none fits, the client's own error passes through.
"""

from __future__ import annotations

import re
from typing import Any

from langchain_google_memorystore_redis.errors import (
    IndexMissingError,
    SearchUnavailableError,
    WrongTypeError,
)


def translate(error: Exception, command: tuple[Any, ...]) -> Exception:
    """Return this package's error for an error reply to `command`; `error` itself if none fits."""
    if "WRONGTYPE" in _server_words(error):
        keys = command[3 : 3 + command[2]] if command[0] == "EVALSHA" else command[1:2]
        return WrongTypeError(*(key.decode("utf-8", "backslashreplace") for key in keys))
    if str(command[0]).startswith("FT."):
        return _translate_search(error, command)
    return error


def _translate_search(error: Exception, command: tuple[Any, ...]) -> Exception:
    words = _server_words(error).lower()
    # Each version has its own: "no such index", "Unknown index name", "Index schema not found: ".
    if re.search(r"no such index|unknown index name|index .*not found", words):
        return IndexMissingError(str(command[1]))
    if "unknown command" in words or type(error).__name__ == "NoPermissionError":
        return SearchUnavailableError(str(command[0]), str(error))
    return error


def is_from_demoted_primary(error: Exception) -> bool:
    """Tell whether WAIT was refused or aborted because its server has become a replica."""
    words = _server_words(error)
    return "UNBLOCKED " in words or "WAIT cannot be used with replica" in words


def is_error_reply(error: Exception) -> bool:
    """Tell whether an error of a client is the server's reply to a command."""
    # By name: the classes of redis-py and valkey-py are unrelated, and valkey-py is optional.
    return any(base.__name__ == "ResponseError" for base in type(error).__mro__)


def _server_words(error: Exception) -> str:
    """Return the words of the server; empty if the error is not the server's."""
    if not is_error_reply(error):
        return ""
    # A pipeline puts the whole command before them, and with it what a user has written.
    return str(error).rpartition("of pipeline caused error: ")[2]
