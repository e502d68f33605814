"""What a saver does to whole threads: prune, copy, delete, and what delta channels need."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import ERROR
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from langchain_google_memorystore_redis import (
    InvalidArgumentError,
    MemorystoreSaver,
    WrongTypeError,
)
from langchain_google_memorystore_redis._checkpoint import delta
from langchain_google_memorystore_redis._checkpoint import operations as ops
from tests.checkpoint.savers import Saver, checkpoint_of, config_of, grow, steps, stored


async def test_pruning_keeps_the_newest_and_frees_what_nothing_refers_to(
    saver: Saver, raw: Any, prefix: str
) -> None:
    for thread in ("t", "alone"):
        newest = (await grow(saver, thread, 1 if thread == "alone" else 30))[-1]
        await saver.aput_writes(newest, [("a", 1)], "task")
    await grow(saver, "t", 5, "child")
    early = {**newest["configurable"], "thread_id": "t", "checkpoint_id": "~still on its way"}
    await saver.aput_writes({"configurable": early}, [("b", 2)], "task")
    await saver.aprune(["t", "missing"])
    assert await steps(saver, config_of("t")) == [29]
    assert await steps(saver, config_of("t", "child")) == [4]
    found = await saver.aget_tuple(config_of("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == {"step": 29, "fixed": "fixed"}
    assert found.pending_writes == [("task", "a", 1)]
    # Checkpoint, two values, a write; the same for the child less the write, and one value that is
    # both's; the early write.
    assert len(stored(raw, prefix)[1]) == 4 + 2 + 1
    assert stored(raw, prefix, "missing") == ([], {})
    before = stored(raw, prefix)
    await saver.aprune(["t"])
    assert stored(raw, prefix) == before
    await saver.aprune(["t"], strategy="delete")
    assert stored(raw, prefix) == ([], {})
    assert await steps(saver, config_of("alone")) == [0]
    with pytest.raises(InvalidArgumentError, match="strategy"):
        await saver.aprune(["t"], strategy="keep_some")


async def test_a_checkpoint_whose_parent_is_gone_is_stored_whole(saver: Saver) -> None:
    configs = await grow(saver, "t", 3)
    for remove in (saver.adelete_thread("t"), saver.aprune(["t"], strategy="delete")):
        await remove
        checkpoint = checkpoint_of({"step": "9", "fixed": "1"}, step=9, fixed="fixed")
        await saver.aput(configs[-1], checkpoint, {"step": 9}, {"step": "9"})
        found = await saver.aget_tuple(config_of("t"))
        assert found is not None
        assert found.checkpoint["channel_values"] == {"step": 9, "fixed": "fixed"}


async def test_runs_are_deleted_with_their_writes_and_nothing_else(
    saver: Saver, raw: Any, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "RECORDS_PER_PAGE", 2)
    for thread, number in itertools.product(("t", "u", "only"), range(6)):
        run = "1" if thread == "only" else f"{number % 3}"
        config = await saver.aput(
            config_of(thread), checkpoint_of(), {"run_id": run, "step": number}, {}
        )
        await saver.aput_writes(config, [("a", number)], "task")
    await saver.adelete_for_runs(["1", "missing"])
    for thread in ("t", "u"):
        assert await steps(saver, config_of(thread)) == [5, 3, 2, 0]
        assert len(stored(raw, prefix, thread)[0]) == 8
    assert stored(raw, prefix, "only") == ([], {})


async def test_writes_that_arrive_before_their_checkpoint_survive_what_others_remove(
    saver: Saver,
) -> None:
    remove: dict[str, Callable[[], Awaitable[None]]] = {
        "delete_for_runs": lambda: saver.adelete_for_runs(["unrelated"]),
        "prune": lambda: saver.aprune(["prune"]),
    }
    for (thread, call), others in itertools.product(remove.items(), (False, True)):
        for namespace in ("child:1", ""):
            early = checkpoint_of(x=1)
            if others and namespace:
                await saver.aput(config_of(thread), checkpoint_of(), {"run_id": "unrelated"}, {})
            place = config_of(thread, namespace, early["id"])
            await saver.aput_writes(place, [("x", 5)], "task")
            await call()
            await saver.aput(config_of(thread, namespace), early, {}, {"x": "1"})
            found = await saver.aget_tuple(place)
            assert found is not None
            assert found.pending_writes == [("task", "x", 5)]
        await saver.adelete_thread(thread)


async def test_a_copy_is_equal_and_independent(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "CHECKPOINTS_PER_PAGE", 3)
    for namespace in ("", "child:1"):
        for config in await grow(saver, "t", 7, namespace):
            await saver.aput_writes(config, [("a", 1), (ERROR, "e")], "task", "path")
    for _ in range(2):
        await saver.acopy_thread("t", "copy")
    for namespace in ("", "child:1"):
        source = [found async for found in saver.alist(config_of("t", namespace))]
        copied = [found async for found in saver.alist(config_of("copy", namespace))]
        assert len(copied) == 7
        for one, other in zip(source, copied, strict=True):
            assert (one.checkpoint, one.metadata) == (other.checkpoint, other.metadata)
            assert one.pending_writes == other.pending_writes
            assert other.config["configurable"]["thread_id"] == "copy"
    await saver.adelete_thread("t")
    assert await steps(saver, config_of("copy"), limit=1) == [6]


async def delta_thread(saver: Saver) -> None:
    """A channel that is stored as writes, with a value at every fifth checkpoint."""
    config = config_of("t")
    for step in range(12):
        values = {"log": f"value {step}"} if step % 5 == 0 else {}
        metadata: Any = {"step": step}
        if step % 5:
            metadata["counters_since_delta_snapshot"] = {
                "log": (step % 5, step % 5),
                "none": (1, 1),
                "never written": (0, 1),
            }
        checkpoint = checkpoint_of({"log": step, "none": step}, **values)
        config = await saver.aput(config, checkpoint, metadata, {"log": step, "none": step})
        for task in ("z", "a"):
            writes = [("log", (step, task, number)) for number in range(2)]
            await saver.aput_writes(config, [*writes, ("other", 1)], task, f"path {task}")


async def test_the_history_of_a_delta_channel_is_what_the_base_class_finds(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "ANCESTORS_PER_PAGE", 3)
    await delta_thread(saver)
    assert await saver.aget_delta_channel_history(config=config_of("t"), channels=[]) == {}
    missing = await saver.aget_delta_channel_history(config=config_of("no"), channels=["log"])
    assert missing == {"log": {"writes": []}}
    for config in [found.config async for found in saver.alist(config_of("t"))]:
        for channels in (["log"], ["log", "other", "none"]):
            asked: Any = {"config": config, "channels": channels}
            expected = await BaseCheckpointSaver.aget_delta_channel_history(saver, **asked)
            assert await saver.aget_delta_channel_history(**asked) == expected


async def test_pruning_keeps_what_delta_channels_are_made_from(saver: Saver) -> None:
    await delta_thread(saver)
    asked: Any = {"config": config_of("t"), "channels": ["log"]}
    before = await saver.aget_delta_channel_history(**asked)
    assert before["log"]["seed"] == "value 10"
    await saver.aprune(["t"])
    assert await saver.aget_delta_channel_history(**asked) == before
    # "none" never had a value, so every ancestor may count for it.
    assert len(await steps(saver, config_of("t"))) == 12


def test_a_graph_with_a_delta_channel_goes_on_after_every_pruning(client: Any, prefix: str) -> None:
    delta = pytest.importorskip("langgraph.channels.delta")
    log = delta.DeltaChannel(lambda old, new: sum(new, [*(old or ())]), snapshot_frequency=5)
    state: Any = TypedDict("state", {"log": Annotated[list[str], log]})

    def run(saver: Saver, *, prune: bool) -> Any:
        graph: Any = StateGraph(state)
        graph.add_node("count", lambda found: {"log": [f"{len(found['log'])}"]})
        graph = graph.add_edge(START, "count").compile(checkpointer=saver)
        for turn in range(14):
            graph.invoke({"log": [f"turn {turn}"]}, config_of("t"))
            if prune:
                saver.prune(["t"])
        return graph.get_state(config_of("t")).values, len(list(saver.list(config_of("t"))))

    whole, count = run(InMemorySaver(), prune=False)
    assert run(MemorystoreSaver(client, key_prefix=prefix), prune=False) == (whole, count)
    pruned, left = run(MemorystoreSaver(client, key_prefix=f"{prefix}pruned:"), prune=True)
    assert pruned == whole
    assert left < 12


@pytest.mark.parametrize("key", ["index", "data"])
async def test_a_key_of_another_type_is_refused_and_left_alone(
    saver: Saver, raw: Any, prefix: str, key: str
) -> None:
    name = f"{prefix}{{t}}:{key}"
    raw.set(name, "mine")
    for call in (
        lambda: saver.aget_tuple(config_of("t", checkpoint_id="1")),
        lambda: saver.aput(config_of("t"), checkpoint_of(a=1), {}, {"a": "1"}),
        lambda: saver.aput_writes(config_of("t", checkpoint_id="1"), [("a", 1)], "task"),
        lambda: saver.adelete_thread("t"),
        lambda: saver.aprune(["t"]),
    ):
        with pytest.raises(WrongTypeError, match="thread_id"):
            await call()
    assert raw.get(name) == b"mine"
    other = {"index": "data", "data": "index"}[key]
    assert raw.exists(f"{prefix}{{t}}:{other}") == 0


@pytest.mark.parametrize("length", [1, 2, 7])
async def test_every_walk_ends_where_checkpoints_are_their_own_ancestors(
    saver: Saver, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta, "ANCESTORS_PER_PAGE", 3)
    counters: Any = {"counters_since_delta_snapshot": {"log": (1, 1)}}
    circle = [checkpoint_of({"log": step}) for step in range(length)]
    for _ in range(2):
        for step, checkpoint in enumerate(circle):
            parent = config_of("t", "", circle[step - 1]["id"])
            config = await saver.aput(parent, checkpoint, counters, {"log": step})
            await saver.aput_writes(config, [("log", step)], "task")
    for checkpoint in circle:
        asked: Any = {"config": config_of("t", "", checkpoint["id"]), "channels": ["log"]}
        history = await saver.aget_delta_channel_history(**asked)
        assert len(history["log"]["writes"]) in (length, length - 1)
    found = [found async for found in saver.alist(config_of("t"))]
    assert len(found) == length
    await saver.acopy_thread("t", "copy")
    await saver.aprune(["t", "copy"])
    for thread in ("t", "copy"):
        assert (await saver.aget_tuple(config_of(thread))) is not None


def test_a_graph_reads_a_checkpoint_that_is_its_own_parent(client: Any, prefix: str) -> None:
    channel = pytest.importorskip("langgraph.channels.delta")
    log = channel.DeltaChannel(lambda old, new: sum(new, [*(old or ())]))
    state: Any = TypedDict("state", {"log": Annotated[list[str], log]})
    made = MemorystoreSaver(client, key_prefix=prefix)
    graph: Any = StateGraph(state)
    graph.add_node("count", lambda found: {"log": [f"{len(found['log'])}"]})
    graph = graph.add_edge(START, "count").compile(checkpointer=made)
    graph.invoke({"log": ["turn"]}, config_of("t"))
    found = made.get_tuple(config_of("t"))
    assert found is not None
    versions = found.checkpoint["channel_versions"]
    made.put(found.config, found.checkpoint, found.metadata, versions)
    assert graph.get_state(config_of("t")).config == found.config
    assert len(list(graph.get_state_history(config_of("t")))) == 3
    graph.invoke({"log": ["next turn"]}, config_of("t"))
    assert graph.get_state(config_of("t")).values["log"][-2:] == ["next turn", "1"]
