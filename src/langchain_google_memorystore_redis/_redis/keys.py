"""The only place a key name is made.

Strategy: a session is one key, `key_prefix + session_id` in UTF-8, with an empty prefix the key
of release 0.3.0. Under one prefix two ids never share a key. Nothing in an id is special:
braces only choose the cluster slot of that one key, and the one pattern there is, to list the
sessions under a prefix, is escaped.
"""

from __future__ import annotations

import re

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


def keys_pattern(key_prefix: str) -> bytes:
    """The pattern that SCAN takes for all keys that begin with `key_prefix`."""
    prefix = session_key(key_prefix, "*").removesuffix(b"*")
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", prefix) + b"*"


def session_id_of(key_prefix: str, key: bytes) -> str | None:
    """The session that a key holds; None for a key that no session id makes."""
    try:
        return key.decode().removeprefix(key_prefix) or None
    except UnicodeDecodeError:
        return None
