"""Operations on keys of any slots: one pipeline a node, and so one round trip a node.

Strategy: each operation has an answer of its own. Where a pipeline was refused, its operations are
sent again one by one, which tells those that fail, and finds the nodes that a slot has moved to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_google_memorystore_redis._redis.op import Op
from langchain_google_memorystore_redis._redis.pools import is_interrupt
from langchain_google_memorystore_redis._redis.translation import is_error_reply
from langchain_google_memorystore_redis.errors import MemorystoreError


def fan_out(
    client: Any, run: Callable[[Sequence[Op[Any]]], list[Any]], ops: Sequence[Op[Any]]
) -> list[Any]:
    """Run operations, a pipeline a node; the answer of one that failed is its error."""

    def run_group(group: Sequence[Op[Any]]) -> list[Any]:
        try:
            return run(group)
        except Exception as error:
            if is_interrupt(error):
                raise
            if len(group) == 1 or not _is_reply(error):
                return [error] * len(group)
        return [run_group([op])[0] for op in group]

    answers: list[Any] = [None] * len(ops)
    for places in _places_by_node(client, ops):
        group = run_group([ops[place] for place in places])
        for place, answer in zip(places, group, strict=True):
            answers[place] = answer
    return answers


async def async_fan_out(
    client: Any, run: Callable[[Sequence[Op[Any]]], Awaitable[list[Any]]], ops: Sequence[Op[Any]]
) -> list[Any]:
    """Async twin of `fan_out`; all nodes at once."""

    async def run_group(group: Sequence[Op[Any]]) -> list[Any]:
        try:
            return await run(group)
        except Exception as error:
            if is_interrupt(error):
                raise
            if len(group) == 1 or not _is_reply(error):
                return [error] * len(group)
        return [(await run_group([op]))[0] for op in group]

    answers: list[Any] = [None] * len(ops)
    nodes = _places_by_node(client, ops)
    groups = await asyncio.gather(*(run_group([ops[p] for p in places]) for places in nodes))
    for places, group in zip(nodes, groups, strict=True):
        for place, answer in zip(places, group, strict=True):
            answers[place] = answer
    return answers


def _is_reply(error: Exception) -> bool:
    """Tell whether an error is a server's answer to a command, rather than a lost connection."""
    return isinstance(error, MemorystoreError) or is_error_reply(error)


def _places_by_node(client: Any, ops: Sequence[Op[Any]]) -> list[list[int]]:
    """Return the places of operations, those on keys of one node together."""
    if not hasattr(client, "nodes_manager"):
        return [list(range(len(ops)))] if ops else []
    places: dict[str, list[int]] = {}
    for place, op in enumerate(ops):
        places.setdefault(client.get_node_from_key(op.key).name, []).append(place)
    return list(places.values())
