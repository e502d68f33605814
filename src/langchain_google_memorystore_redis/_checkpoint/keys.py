"""Keys of a thread.

Strategy: a thread's two keys share a slot of a cluster, because its id stands between braces. The
id is percent-encoded, so that no thread can reach the keys of another.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

from langchain_google_memorystore_redis._redis.keys import session_key, tagged_prefix
from langchain_google_memorystore_redis.errors import InvalidArgumentError


class ThreadKeys(NamedTuple):
    """Two keys of a thread, in one slot of a cluster."""

    index_key: bytes
    data_key: bytes


def thread_keys(key_prefix: str, thread_id: str) -> ThreadKeys:
    """Return the keys of a thread; raises `InvalidArgumentError` for an id that cannot be one."""
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
    """Return the beginning of the keys of all threads under `key_prefix`.

    Raises `InvalidArgumentError` for a prefix that would put a thread's keys in two slots.
    """
    return tagged_prefix(key_prefix) + "{"


def parse_thread_id(suffix: str) -> str | None:
    """Return the thread whose index key ends in `suffix`, after the prefix; None for other keys."""
    tag, separator, rest = suffix.partition("}:index")
    thread_id = unquote(tag)
    return thread_id if separator and not rest and quote(thread_id, safe="") == tag else None
