"""What every operation costs, counted on the wire."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage

from langchain_google_memorystore_redis._history import operations as ops
from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.doors import Door, DoorHistory


def numbered(count: int) -> list[BaseMessage]:
    return [HumanMessage(str(number)) for number in range(count)]


async def cost(proxy: Proxy | ClusterProxy, call: Callable[[], Awaitable[Any]]) -> int:
    with proxy.counting() as count:
        await call()
    return count.round_trips


async def warm(door: Door, history: DoorHistory) -> None:
    """Opens the connections and teaches every node the scripts."""
    # Names that have little in common: those that differ in a digit share few nodes.
    for name in (uuid.uuid4().hex for _ in range(24)):
        other = door.open(name, ttl=100, refresh_ttl_on_read=True)
        await other.add_messages(numbered(1))
        await other.messages()
        await other.replace_from((await other.entries())[0].id, numbered(1))
        await (await other.copy(f"{name}-copy")).clear()
        await other.clear()
    await history.add_messages(numbered(8))


async def test_each_operation_costs_one_round_trip(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    plain: dict[str, Any] = {}
    for options in (plain, {"ttl": 100, "max_messages": 50, "refresh_ttl_on_read": True}):
        history = proxied_door.open(**options)
        await warm(proxied_door, history)
        fifth = (await history.entries(4, 5))[0].id
        for call in (
            history.messages,
            history.iterated,
            history.count,
            history.entries,
            partial(history.get_messages, -5),
            partial(history.get_messages, 2, 6),
            partial(history.get_messages, -4, -1),
            partial(history.replace_from, fifth, numbered(3)),
            partial(history.add_message, HumanMessage("x")),
            partial(history.add_messages, numbered(100)),
            partial(history.truncate, 4),
            history.clear,
        ):
            assert await cost(proxy, call) == 1
        assert await cost(proxy, partial(history.add_messages, [])) == 0
        assert await cost(proxy, partial(history.get_messages, 0, 0)) == 0


async def test_bounds_from_both_ends_cost_one_more(
    proxied_door: Door, proxy: Proxy | ClusterProxy
) -> None:
    history = proxied_door.open()
    await warm(proxied_door, history)
    assert await cost(proxy, lambda: history.get_messages(2, -2)) == 2
    assert await cost(proxy, lambda: history.get_messages(-6, 4)) == 2


async def test_a_read_costs_one_round_trip_a_page(
    proxied_door: Door, proxy: Proxy | ClusterProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 4)
    history = proxied_door.open()
    await warm(proxied_door, history)
    for length, pages in ((3, 1), (4, 1), (5, 2), (8, 2), (9, 3)):
        await history.clear()
        await history.add_messages(numbered(length))
        assert await cost(proxy, history.messages) == pages
        assert await cost(proxy, history.iterated) == pages


async def test_a_copy_costs_three_round_trips_and_two_a_further_page(
    proxied_door: Door, proxy: Proxy | ClusterProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "ELEMENTS_PER_PAGE", 4)
    history = proxied_door.open()
    await warm(proxied_door, history)
    await history.truncate(4)
    assert await cost(proxy, lambda: history.copy("one page")) == 3
    await history.add_messages(numbered(4))
    assert await cost(proxy, lambda: history.copy("two pages")) == 5


def test_index_length_and_truth_of_a_blocking_history(
    target: Target, proxy: Proxy | ClusterProxy, prefix: str
) -> None:
    client = target.connect(proxy.port, **proxy.client_options)
    history = Door(client, by_async=False, prefix=prefix).open().history
    history.add_messages(numbered(8))
    calls: list[tuple[Callable[[], object], int]] = [
        (lambda: history[3], 1),
        (lambda: history[-1], 1),
        (lambda: history[-3:], 1),
        (lambda: history[::2], 2),
        (lambda: len(history), 1),
        (lambda: bool(history), 0),
        (lambda: repr(history), 0),
        (lambda: history.key, 0),
    ]
    for call, expected in calls:
        with proxy.counting() as count:
            call()
        assert count.round_trips == expected
    client.close()
