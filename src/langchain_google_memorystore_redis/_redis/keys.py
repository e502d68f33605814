"""Key names: the key of a session, and the pattern of all keys under a prefix.

Strategy: a session is one key, `key_prefix + session_id` in UTF-8; with an empty prefix that is the
key of release 0.3.0. No character of an id is special: braces only choose the cluster slot of that
key, and the pattern for SCAN is escaped.
"""

from __future__ import annotations

import re

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError


def session_key(key_prefix: str, session_id: str) -> bytes:
    """Return the key of a session; raises `InvalidArgumentError` for an id that cannot be one."""
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


def tagged_prefix(key_prefix: str) -> str:
    """Check a prefix of keys whose slot of a cluster is chosen by braces after it.

    Raises `InvalidArgumentError` for one that would put keys that belong together in several slots.
    """
    if isinstance(key_prefix, str) and key_prefix.partition("{")[2].startswith("}"):
        # A cluster ignores an empty hash tag, and any after it, and hashes the whole key.
        raise InvalidArgumentError(
            "key_prefix",
            "must not have {} as its first braces: a cluster would keep keys that belong together "
            "in several slots",
        )
    return session_key(key_prefix, "{").decode()[:-1]


def prefix_pattern(key_prefix: str) -> bytes:
    """Return the pattern with which SCAN finds all keys that begin with `key_prefix`."""
    prefix = session_key(key_prefix, "*").removesuffix(b"*")
    return re.sub(rb"([*?\[\]\\^-])", rb"\\\1", prefix) + b"*"


def strip_prefix(key_prefix: str, key: bytes) -> str | None:
    """Return what follows `key_prefix` in a key; None if that is nothing, or no text."""
    try:
        return key.decode().removeprefix(key_prefix) or None
    except UnicodeDecodeError:
        return None
