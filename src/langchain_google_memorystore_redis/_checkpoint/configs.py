"""LangGraph's configs and tuples, taken apart and put together.

Strategy: what a saver is given and gives back has LangGraph's shapes; below this module there are
only ids, mappings and `Stored`. Nothing here sends anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple

from langchain_google_memorystore_redis._checkpoint.pages import Listing, Place, Stored
from langchain_google_memorystore_redis._redis.scan import ScanCursor
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError


def text_of(name: str, value: Any) -> str:
    """An id; what is no text but stands for itself as text (an int, a UUID) may be given too."""
    if isinstance(value, (str, int, uuid.UUID)):
        return str(value)
    raise ArgumentTypeError(name, f"must be a str, not {type(value).__name__}")


def place_of(config: RunnableConfig) -> Place:
    """What a config names; without a namespace it is the root graph's."""
    found = config.get("configurable") or {}
    if found.get("thread_id") is None:
        raise InvalidArgumentError("thread_id", 'is missing from config["configurable"]')
    names = ("checkpoint_ns", "checkpoint_id")
    texts = (text_of(name, found.get(name) or "") for name in names)
    return Place(text_of("thread_id", found["thread_id"]), *texts)


def checkpoint_place_of(config: RunnableConfig) -> Place:
    """What a config names, which must be a checkpoint."""
    place = place_of(config)
    if not place.checkpoint_id:
        raise InvalidArgumentError("checkpoint_id", 'is missing from config["configurable"]')
    return place


def config_of(place: Place) -> RunnableConfig:
    """The config that names a checkpoint."""
    names = ("thread_id", "checkpoint_ns", "checkpoint_id")
    return {"configurable": dict(zip(names, place, strict=True))}


def listing_of(
    config: RunnableConfig | None,
    filter: dict[str, Any] | None,  # noqa: A002
    before: RunnableConfig | None,
    limit: int | None,
) -> Listing | None:
    """What `list` is asked for; None for nothing at all."""
    if limit is not None and limit <= 0:
        return None
    if not isinstance(filter or {}, Mapping):
        raise ArgumentTypeError("filter", f"must be a dict, not {type(filter).__name__}")
    asked: dict[str, Any] = {"filter": filter or {}, "left": limit}
    if before is not None:
        id_ = (before.get("configurable") or {}).get("checkpoint_id")
        asked["before"] = text_of("checkpoint_id", id_ or "")
    if not config:
        return Listing((), scan=ScanCursor(()), **asked)
    place = place_of(config)
    if place.checkpoint_id and place.checkpoint_id >= (asked.get("before") or "\U0010ffff"):
        return None
    if config["configurable"].get("checkpoint_ns") is not None:
        asked["namespace"] = place.namespace
    return Listing((place.thread_id,), checkpoint_id=place.checkpoint_id, **asked)


def tuple_of(stored: Stored) -> CheckpointTuple:
    """A checkpoint in the shape that LangGraph takes."""
    parent = stored.place._replace(checkpoint_id=stored.parent_id)
    return CheckpointTuple(
        config_of(stored.place),
        stored.checkpoint,
        stored.metadata,
        config_of(parent) if stored.parent_id else None,
        stored.writes,
    )


def indexed(writes: Sequence[tuple[str, Any]]) -> Iterator[tuple[int, str, Any]]:
    """Writes with their indices: negative for what replaces (errors, interrupts, resumes)."""
    for index, (channel, value) in enumerate(writes):
        yield WRITES_IDX_MAP.get(channel, index), channel, value
