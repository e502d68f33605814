r"""Names of what a thread stores: checkpoints, pending writes, versions of channels.

Strategy: a name joins its components with \x01, escaped so that names sort as their components do;
so the checkpoints of a namespace are one range of names, oldest first, and so are the writes of a
checkpoint.
"""

from __future__ import annotations

from typing import Any

from langchain_google_memorystore_redis.errors import InvalidArgumentError


def escape(text: str) -> bytes:
    r"""Encode text without \x00 and \x01, in a way that keeps the order of texts and prefixes."""
    if text.isprintable():
        return text.encode()
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        # LangGraph's serializer would store a question mark instead.
        raise InvalidArgumentError(
            "id, namespace, channel or path", "holds a lone surrogate, which UTF-8 cannot carry"
        ) from error
    return raw.replace(b"\2", b"\2\4").replace(b"\1", b"\2\3").replace(b"\0", b"\2\2")


def unescape(raw: bytes) -> str:
    """Decode what `escape` returned."""
    if b"\2" not in raw:
        return raw.decode()
    return raw.replace(b"\2\2", b"\0").replace(b"\2\3", b"\1").replace(b"\2\4", b"\2").decode()


def checkpoint_name(namespace: str, checkpoint_id: str) -> bytes:
    """Return the name of a checkpoint: a field, and a member of the index."""
    return b"c%b\1%b" % (escape(namespace), escape(checkpoint_id))


def write_name(namespace: str, checkpoint_id: str, task_id: str, index: int) -> bytes:
    """Return the name of a pending write: a field, and a member of the index."""
    name = checkpoint_name(namespace, checkpoint_id)[1:]
    return b"w%b\1%b\1%d" % (name, escape(task_id), index)


def version_name(channel: str, version: Any) -> bytes:
    """Return a record's name for a version of a channel; 1 and "1" are two versions."""
    return b"%b\1%b" % (escape(channel), escape(repr(version)))
