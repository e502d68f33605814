"""The only place a key name is made.

Strategy: a session is one key, `key_prefix + session_id` in UTF-8, with an empty prefix the key
of release 0.3.0. Under one prefix two ids never share a key. Nothing in an id is special:
braces only choose the cluster slot of that one key, and the one pattern there is, to list the
sessions under a prefix, is escaped.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

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


class ThreadKeys(NamedTuple):
    """The two keys of a thread of checkpoints, in one slot of a cluster."""

    index_key: bytes
    data_key: bytes


def thread_keys(key_prefix: str, thread_id: str) -> ThreadKeys:
    """The keys of a thread; an id is percent-encoded, so none can imitate another's keys."""
    if not thread_id:
        raise InvalidArgumentError("thread_id", "must not be empty")
    try:
        tag = session_key(thread_prefix(key_prefix), quote(thread_id, safe=""))
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            "thread_id", "holds a lone surrogate, which UTF-8 cannot carry"
        ) from error
    return ThreadKeys(tag + b"}:index", tag + b"}:data")


def thread_prefix(key_prefix: str) -> str:
    """What the keys of all threads under `key_prefix` begin with."""
    if isinstance(key_prefix, str) and key_prefix.partition("{")[2].startswith("}"):
        # With an empty hash tag a cluster hashes whole keys, so a thread's two in two slots.
        raise InvalidArgumentError("key_prefix", "must not have {} for its first braces")
    return session_key(key_prefix, "{").decode()


def thread_id_of(rest: str) -> str | None:
    """The thread whose index has `rest` behind the prefix; None for any other key."""
    tag, found, after = rest.partition("}:index")
    return unquote(tag) if found and not after and quote(unquote(tag), safe="") == tag else None
