"""Conversion between LangGraph's configs and tuples and this package's values.

Strategy: a saver takes and returns LangGraph's shapes; all other modules of the folder know
addresses, mappings and `StoredCheckpoint` alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, CheckpointTuple

from langchain_google_memorystore_redis._checkpoint.pages import (
    CheckpointAddress,
    Listing,
    StoredCheckpoint,
)
from langchain_google_memorystore_redis._redis.arguments import iterable_not_str
from langchain_google_memorystore_redis._redis.scan import ScanCursor
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_ADDRESS_KEYS = ("thread_id", "checkpoint_ns", "checkpoint_id")

_AFTER_ALL = "\U0010ffff"
"""Text that no id sorts after."""


def parse_id(argument: str, value: Any) -> str:
    """Return an id as a str, which must not be empty; an int or a UUID is accepted too.

    Absent is not empty: no id stands for all that have none.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, uuid.UUID)):
        raise ArgumentTypeError(argument, f"must be a str, not {type(value).__name__}")
    if value == "":
        raise InvalidArgumentError(argument, "must not be empty")
    return str(value)


def parse_ids(argument: str, values: Sequence[Any]) -> list[str]:
    """Return ids as a list of str; `argument` names one of them."""
    return [parse_id(argument, value) for value in iterable_not_str(f"{argument}s", values)]


def parse_config(config: RunnableConfig) -> CheckpointAddress:
    """Return the address in a config; without a namespace it is the root graph's.

    LangGraph's configs say that there is no checkpoint by None or "".
    """
    configurable = config.get("configurable") or {}
    if configurable.get("thread_id") is None:
        raise InvalidArgumentError("thread_id", 'is missing from config["configurable"]')
    thread_id = parse_id("thread_id", configurable["thread_id"])
    optional = (_parse_optional_id(key, configurable.get(key)) for key in _ADDRESS_KEYS[1:])
    return CheckpointAddress(thread_id, *optional)


def _parse_optional_id(argument: str, value: Any) -> str:
    return "" if value is None or value == "" else parse_id(argument, value)


def parse_checkpoint_config(config: RunnableConfig) -> CheckpointAddress:
    """Return the address in a config, which must name a checkpoint."""
    address = parse_config(config)
    if not address.checkpoint_id:
        raise InvalidArgumentError("checkpoint_id", 'is missing from config["configurable"]')
    return address


def make_config(address: CheckpointAddress) -> RunnableConfig:
    """Return the config that names a checkpoint."""
    return {"configurable": dict(zip(_ADDRESS_KEYS, address, strict=True))}


def make_tuple(stored: StoredCheckpoint) -> CheckpointTuple:
    """Return a checkpoint in LangGraph's shape."""
    parent = stored.address._replace(checkpoint_id=stored.parent_id)
    return CheckpointTuple(
        make_config(stored.address),
        stored.checkpoint,
        stored.metadata,
        make_config(parent) if stored.parent_id else None,
        stored.writes,
    )


def make_listing(
    config: RunnableConfig | None,
    filter: dict[str, Any] | None,  # noqa: A002
    before: RunnableConfig | None,
    limit: int | None,
) -> Listing | None:
    """Return the listing for the arguments of `list`; None if nothing can match."""
    if limit is not None and limit <= 0:
        return None
    if not isinstance(filter or {}, Mapping):
        raise ArgumentTypeError("filter", f"must be a dict, not {type(filter).__name__}")
    conditions: dict[str, Any] = {"filter": filter or {}, "remaining": limit}
    if before is not None:
        checkpoint_id = (before.get("configurable") or {}).get("checkpoint_id")
        conditions["before"] = _parse_optional_id("checkpoint_id", checkpoint_id)
    if not config:
        return Listing((), scan_cursor=ScanCursor(()), **conditions)
    address = parse_config(config)
    if address.checkpoint_id and address.checkpoint_id >= (conditions.get("before") or _AFTER_ALL):
        return None
    if config["configurable"].get("checkpoint_ns") is not None:
        conditions["namespace"] = address.namespace
    return Listing((address.thread_id,), checkpoint_id=address.checkpoint_id, **conditions)


def index_writes(writes: Sequence[tuple[str, Any]]) -> Iterator[tuple[int, str, Any]]:
    """Yield writes with their indices; one that replaces (error, interrupt, resume) has < 0."""
    for index, (channel, value) in enumerate(writes):
        yield WRITES_IDX_MAP.get(channel, index), channel, value
