"""Every script of the package in a cluster slot that is being moved: all or nothing.

Strategy: `tests/operations.py` lists the operations; each runs in a slot at every stage of a move
and must either have happened or have changed nothing, and succeed when it is called again.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

import langchain_google_memorystore_redis as package
from langchain_google_memorystore_redis._redis.scripts import Script
from tests.operations import OPERATIONS, Operation, Wings, open_wings
from tests.plugins.clients import Target
from tests.plugins.servers import Servers
from tests.servers.clusters import Cluster
from tests.servers.slots import SlotMove, move_atomically

ENGINES = ("redis-5.0", "redis-7.0", "valkey-9.1")
FAILURES = (redis.RedisError, OSError)
"""What a client may raise while a slot moves, if nothing has changed."""


@pytest.fixture(scope="module", params=ENGINES)
def moving(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Cluster]:
    """A cluster of this module alone: its slots change hands."""
    with Cluster(servers.engine(request.param)) as cluster:
        yield cluster


@pytest.fixture(params=["sync", "async"])
async def wings(
    request: pytest.FixtureRequest, moving: Cluster, prefix: str
) -> AsyncIterator[Wings]:
    engine = moving.primaries[0].engine.name
    target = Target(engine, cluster=True, protocol=2)
    by_async = request.param == "async"
    async with open_wings(target, moving.ports[0], prefix, by_async=by_async) as made:
        yield made


each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


async def views(operation: Operation, wings: Wings, raw: Any) -> tuple[Any, Any]:
    """What a user sees before and after the operation where nothing moves."""
    await prepare(operation, wings, "control", raw)
    before = await operation.view(wings, "control")
    await operation.call(wings, "control")
    return before, await operation.view(wings, "control")


async def prepare(operation: Operation, wings: Wings, id_: str, raw: Any) -> tuple[str, ...]:
    """Make what the operation needs; returns the keys that there are, in their order."""
    await operation.prepare(wings, id_)
    keys = operation.keys(wings.prefix, id_)
    if operation.evicts is not None:
        raw.delete(keys[operation.evicts])
    return tuple(key for key in keys if raw.exists(key))


@pytest.fixture
def raw(moving: Cluster) -> Iterator[Any]:
    with redis.RedisCluster(host="127.0.0.1", port=moving.ports[0], protocol=2) as client:
        yield client


def stages() -> Iterator[Any]:
    """Every operation with every part of its keys that may have moved before it."""
    for operation in OPERATIONS:
        has_both = len(operation.keys("", "id")) > 1 and operation.evicts is None
        last = ("the last key", "every key") if has_both else ()
        for moved in ("no key", "the first key", *last):
            yield pytest.param(operation, moved, id=f"{operation}, {moved} moved")


@pytest.mark.parametrize(("operation", "moved"), list(stages()))
async def test_in_a_slot_that_moves_an_operation_happens_or_changes_nothing(
    operation: Operation, moved: str, wings: Wings, moving: Cluster, raw: Any
) -> None:
    before, after = await views(operation, wings, raw)
    keys = await prepare(operation, wings, "moving", raw)
    gone = {"no key": (), "the first key": keys[:1], "the last key": keys[1:], "every key": keys}
    with SlotMove(moving, operation.keys(wings.prefix, "moving")[0]) as move:
        move.move(*gone[moved])
        failed = await fails(operation, wings, "moving")
    assert await operation.view(wings, "moving") == (before if failed else after)
    if moved == "no key" and keys and operation.evicts is None:
        assert not failed
    if failed:
        await operation.call(wings, "moving")
        assert await operation.view(wings, "moving") == after


async def fails(operation: Operation, wings: Wings, id_: str) -> bool:
    """Call the operation; True if the client raised an error of the network or the server."""
    try:
        await operation.call(wings, id_)
    except FAILURES:
        return True
    return False


@contextmanager
def moved_again_and_again(cluster: Cluster, slot: int) -> Iterator[Callable[[], int]]:
    """Move a slot round the cluster in the background; yields how often it has moved."""
    enough, moves = threading.Event(), itertools.count()

    def move() -> int:
        for count in moves:
            if enough.is_set():
                return count
            move_atomically(cluster, slot)
        raise AssertionError

    with ThreadPoolExecutor(1) as pool:
        mover = pool.submit(move)
        try:
            yield mover.result
        finally:
            enough.set()


@each_operation
@pytest.mark.parametrize("moving", ["valkey-9.1"], indirect=True)
async def test_while_valkey_moves_a_slot_whole_an_operation_happens_or_changes_nothing(
    operation: Operation, wings: Wings, moving: Cluster, raw: Any
) -> None:
    before, after = await views(operation, wings, raw)
    one_slot = replace(wings, prefix=f"{{{wings.prefix}}}:")
    slot = moving.primaries[0].cli("CLUSTER", "KEYSLOT", one_slot.prefix)
    ids = [f"moving-{number}" for number in range(6)]
    for id_ in ids:
        await prepare(operation, one_slot, id_, raw)
    with moved_again_and_again(moving, slot) as count:
        failed = [id_ for id_ in ids if await fails(operation, one_slot, id_)]
    assert count() > 0
    for id_ in ids:
        assert await operation.view(one_slot, id_) == (before if id_ in failed else after)
        if id_ in failed:
            await operation.call(one_slot, id_)
            assert await operation.view(one_slot, id_) == after


@pytest.mark.parametrize("moving", ["valkey-9.1"], indirect=True)
async def test_no_script_of_the_package_is_missing_here(
    wings: Wings, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, op = set(), Script.op

    def record(self: Script, *args: Any) -> Any:
        sent.add(self._source)
        return op(self, *args)

    monkeypatch.setattr(Script, "op", record)
    for number, operation in enumerate(OPERATIONS):
        await prepare(operation, wings, f"{number}", raw)
        await operation.call(wings, f"{number}")
    files = Path(package.__file__).parent.rglob("*.lua")
    bodies = {path: path.read_text("utf-8") for path in files if path.stem[0] != "_"}
    assert bodies
    missing = [path for path, body in bodies.items() if not any(body in each for each in sent)]
    assert not missing, "add an operation that sends it to tests/operations.py"
