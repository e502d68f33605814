"""The only place a key name is made.

Strategy: a session is one key, `key_prefix + session_id` in UTF-8, with an empty prefix the key
of release 0.3.0. Under one prefix two ids never share a key. Nothing in an id is special: no
command here takes a pattern, and braces only choose the cluster slot of that one key.
"""

from __future__ import annotations

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError


def session_key(key_prefix: str, session_id: str) -> bytes:
    """The key of a session; raises `InvalidArgumentError` for an id that cannot name one."""
    for argument, value in (("session_id", session_id), ("key_prefix", key_prefix)):
        if not isinstance(value, str):
            raise ArgumentTypeError(argument, f"must be a str, not {type(value).__name__}")
    if not session_id:
        raise InvalidArgumentError("session_id", "must not be empty")
    try:
        return (key_prefix + session_id).encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            "session_id or key_prefix", "holds a lone surrogate, which UTF-8 cannot carry"
        ) from error
