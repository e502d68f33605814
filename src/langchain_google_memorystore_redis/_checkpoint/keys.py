"""The keys of a thread.

Strategy: a thread has two keys in one slot of a cluster, since its id, percent-encoded, stands
between braces. No id can imitate the keys of another.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

from langchain_google_memorystore_redis._redis.keys import session_key
from langchain_google_memorystore_redis.errors import InvalidArgumentError


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
