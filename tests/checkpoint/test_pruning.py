"""Pruning in bounded calls: the thread is whole after each, whatever others do in between."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from langchain_google_memorystore_redis._checkpoint import operations as ops
from langchain_google_memorystore_redis._checkpoint import pruning
from langchain_google_memorystore_redis._checkpoint.pages import CheckpointAddress
from langchain_google_memorystore_redis._redis.op import ask
from tests.checkpoint.interleaved import TEXTS, Running, Thread
from tests.plugins.servers import Servers
from tests.servers.processes import Server

DELTA = {"counters_since_delta_snapshot": {"log": (1, 1)}}


@pytest.fixture(params=["redis-5.0", "redis-7.0", "valkey-9.1"])
def client(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Any]:
    with redis.Redis(port=servers.standalone(request.param).port, protocol=2) as made:
        yield made


@pytest.fixture
def thread(client: Any, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Thread:
    """A thread of which each call looks at very little."""
    monkeypatch.setattr(pruning, "NAMES_PER_CALL", 3)
    monkeypatch.setattr(ops, "RECORDS_PER_PAGE", 3)
    return Thread(client, prefix)


def grow(thread: Thread) -> CheckpointAddress:
    """Make a thread with much to prune; returns the address of its newest checkpoint."""
    newest: CheckpointAddress | None = None
    for step in range(4):
        values = {"messages": TEXTS[: 3 * step + 2], "step": step, "fixed": "fixed"}
        new = {"messages", "step"} if newest else set(values)
        newest, put = thread.put(values, new, newest)
        put.finish()
        thread.put_writes(newest, [("a", step)]).finish()
    assert newest is not None
    # A long list that only a fork has, and a namespace whose lists share elements with all.
    thread.put({"messages": TEXTS[10:]}, {"messages"}, newest, checkpoint_id="1")[1].finish()
    for name in ("child", "node:task"):
        parent: CheckpointAddress | None = None
        for step in range(2):
            values = {"messages": TEXTS[5 : 12 + step]}
            metadata = {"parents": {"": "1"}} if ":" in name else {}
            parent, put = thread.put(
                values, {"messages"}, parent, namespace=name, metadata=metadata
            )
            put.finish()
            thread.put_writes(parent, [("b", step)]).finish()
    return newest


def grow_with_deltas(thread: Thread) -> CheckpointAddress:
    """Make a thread of which several checkpoints are kept, because they make the newest one."""
    newest: CheckpointAddress | None = None
    for step in range(9):
        values: dict[str, Any] = {"messages": TEXTS[step : step + 5], "fixed": TEXTS[:3]}
        if step == 5:
            values["log"] = TEXTS[20:25]
        new = {"messages", *(values if step in (0, 5) else ())} - ({"fixed"} if step else set())
        metadata = {"run_id": f"run {step}"} | ({} if step == 5 else DELTA)
        newest, put = thread.put(values, new, newest, metadata=metadata, also={"log"})
        put.finish()
        thread.put_writes(newest, [("log", step)]).finish()
    assert newest is not None
    return newest


GROWN = (grow, grow_with_deltas)


def calls_of(client: Any, prefix: str, make: Callable[[Thread], Any]) -> int:
    """How many calls a prune of such a thread takes where nothing else happens."""
    thread = Thread(client, f"{prefix}alone:")
    make(thread)
    pruning = thread.prune()
    return sum(1 for _ in iter(pruning.advance, False))


@pytest.mark.parametrize("make", GROWN)
def test_after_every_call_of_a_prune_the_thread_is_whole_and_another_prune_ends_it(
    make: Callable[[Thread], CheckpointAddress], thread: Thread, client: Any, prefix: str
) -> None:
    count = calls_of(client, prefix, make)
    assert count >= 10
    for stopped in range(count):
        thread = Thread(client, f"{prefix}{stopped}:")
        newest = make(thread)
        pruning = thread.prune()
        kept, before = thread.check(), thread.histories()
        for _ in range(stopped):
            pruning.advance()
            assert kept >= (kept := thread.check()) >= {newest[1:]}
            assert all(before[key] == each for key, each in thread.histories().items())
        thread.prune().finish()
        assert newest[1:] in thread.check()
        assert not thread.garbage()


def put_on_newest(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Put a child that takes a value from its parent and brings back one that is being freed."""
    values = {**thread.put_values[newest[1:]][0], "messages": TEXTS[10:]}
    return [thread.put(values, {"messages"}, newest)[1]]


def put_on_old(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Fork an old checkpoint, whose values may be gone."""
    old = min(each for each in thread.put_values if each[0] == "" and each[1] != newest[2])
    values = {**thread.put_values[old][0], "step": "fork"}
    parent = CheckpointAddress(thread.name, *old)
    return [thread.put(values, {"step"}, parent, metadata=DELTA)[1]]


def put_elsewhere(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Put freed elements into a namespace of its own, and into one that is pruned already."""
    return [
        thread.put({"messages": TEXTS[first:]}, {"messages"}, namespace=name)[1]
        for first, name in ((10, "another"), (12, "child"))
    ]


def put_behind_and_remove_parent(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Put a checkpoint below all others, made from one that is removed then."""
    values = {**thread.put_values[newest[1:]][0]}
    return [
        thread.put(values, set(), newest, checkpoint_id="00")[1],
        thread.run(thread.ops.delete_for_runs(["run 8"])),
    ]


def replace_behind_and_parent(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Put a checkpoint below all others, made from one that is replaced then."""
    values = {**thread.put_values[newest[1:]][0]}
    behind = thread.put(values, set(), newest, checkpoint_id="00")[1]
    new = {"messages": TEXTS[30:]}
    again = thread.put(new, {"messages"}, newest, checkpoint_id=newest.checkpoint_id)[1]
    return [behind, again]


def copy_into(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Copy a thread with freed elements into this one."""
    other = Thread(thread.client, thread.prefix, "other")
    other.put({"messages": TEXTS[10:]}, {"messages"}, checkpoint_id="other")[1].finish()
    thread.put_values |= other.put_values
    return [thread.run(thread.ops.copy("other", "t"))]


def prune_too(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Prune the thread at the same time."""
    return [*put_on_newest(thread, newest), thread.prune()]


def expire(thread: Thread, newest: CheckpointAddress) -> list[Running]:
    """Delete the thread and make it anew, with the same contents in another order."""
    return [
        thread.run(ask(thread.ops.delete("t"))),
        *put_on_newest(thread, newest),
        *put_elsewhere(thread, newest),
    ]


MEANWHILE = (
    put_on_newest,
    put_on_old,
    put_elsewhere,
    put_behind_and_remove_parent,
    replace_behind_and_parent,
    copy_into,
    prune_too,
    expire,
)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("make", GROWN)
def test_what_others_do_between_two_calls_of_a_prune_loses_nothing(
    make: Callable[[Thread], CheckpointAddress],
    meanwhile: Callable[[Thread, CheckpointAddress], list[Running]],
    thread: Thread,
    client: Any,
    prefix: str,
) -> None:
    for call in range(calls_of(client, prefix, make)):
        thread = Thread(client, f"{prefix}{call}:")
        newest = make(thread)
        pruning = thread.prune()
        for _ in range(call):
            pruning.advance()
        put_before = set(thread.put_values)
        for running in meanwhile(thread, newest):
            running.finish()
        there = thread.check()
        new = set(thread.put_values) - put_before
        pruning.finish()
        assert thread.check() >= new & there & newest_of(there), (call, meanwhile)
        thread.prune().finish()
        thread.check()
        assert not thread.garbage()


def newest_of(addresses: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The newest checkpoint of each namespace."""
    spaces = itertools.groupby(sorted(addresses), key=lambda each: each[0])
    return {max(found) for _, found in spaces}


def _prune_alone(thread: Thread, _: CheckpointAddress) -> list[Running]:
    return [thread.prune()]


@pytest.mark.parametrize("seed", range(40))
def test_operations_mixed_call_by_call_leave_a_whole_thread_and_no_garbage(
    thread: Thread, seed: int
) -> None:
    choose = random.Random(seed)
    newest = choose.choice(GROWN)(thread)
    running: list[Running] = []
    for _ in range(120):
        if len(running) < 4 and choose.random() < 0.5:
            start = choose.choice([*MEANWHILE, _prune_alone])
            running += start(thread, newest)
        if running:
            chosen = choose.choice(running)
            if not chosen.advance():
                running.remove(chosen)
            thread.check(with_writes=False)
    for each in running:
        each.finish()
        thread.check(with_writes=False)
    thread.prune().finish()
    thread.check(with_writes=False)
    assert not thread.garbage()


def test_what_a_copy_leaves_out_is_freed(thread: Thread) -> None:
    other = Thread(thread.client, thread.prefix, "other")
    other.put({"messages": TEXTS[:9]}, {"messages"}, checkpoint_id="1")[1].finish()
    thread.put({"messages": TEXTS[20:]}, {"messages"}, checkpoint_id="1")[1].finish()
    thread.run(thread.ops.copy("other", "t")).finish()
    assert thread.check() == {("", "1")}
    thread.prune().finish()
    assert thread.check() == {("", "1")}
    assert not thread.garbage()


def test_a_prune_frees_memory_of_a_full_server(servers: Servers, prefix: str) -> None:
    for engine in ("redis-5.0", "redis-7.0", "valkey-9.1"):
        with (
            Server(servers.engine(engine)) as server,
            redis.Redis(port=server.port, protocol=2) as client,
        ):
            thread = Thread(client, prefix)
            newest = grow(thread)
            server.cli("CONFIG", "SET", "maxmemory", 1)
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                put_on_newest(thread, newest)[0].finish()
            thread.prune().finish()
            assert thread.check() >= {newest[1:]}
            assert not thread.garbage()
