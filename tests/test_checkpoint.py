"""What a saver does beyond LangGraph's own contract: order, repetition, odd ids, pruning."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
import redis
import redis.asyncio
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from langchain_google_memorystore_redis import (
    AsyncClientError,
    InvalidArgumentError,
    MemorystoreSaver,
    WrongTypeError,
)
from langchain_google_memorystore_redis._ops import checkpoint as ops
from langchain_google_memorystore_redis._ops import checkpoint_delta
from tests.plugins.clients import Target
from tests.plugins.servers import Servers
from tests.savers import WAYS, checkpoint_of, config_of, grow, opened, steps

Saver = BaseCheckpointSaver[str]
ODD_IDS = ["a", "a:b", "a}", "{a}", "{", "a\0b", "a\1b", "a\2", "ü", "日本", "%7B", "*", " ", "a/b"]


@pytest.fixture(params=WAYS)
async def saver(
    request: pytest.FixtureRequest, target: Target, servers: Servers, prefix: str
) -> AsyncIterator[Saver]:
    """Each way in, on each target."""
    port = target.port(servers)
    async with opened(target, port, request.param, key_prefix=prefix) as made:
        yield made


def stored(raw: Any, prefix: str, thread_id: str = "t") -> tuple[Any, Any]:
    """Everything that is stored of a thread."""
    index, data = (f"{prefix}{{{thread_id}}}:{name}" for name in ("index", "data"))
    return raw.zrange(index, 0, -1, withscores=True), raw.hgetall(data)


async def test_pending_writes_come_in_the_order_in_which_they_are_applied(saver: Saver) -> None:
    config = await saver.aput(config_of("t"), checkpoint_of(), {}, {})
    expected = []
    for path, task in (("p2", "b"), ("p1", "z"), ("", "c"), ("p1", "a")):
        writes = [(f"{path}{task}", number) for number in range(12)]
        expected.append((path, task, writes))
        await saver.aput_writes(config, writes, task, path)
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.pending_writes == [
        (task, channel, value)
        for path, task, writes in sorted(expected)
        for channel, value in writes
    ]


async def test_putting_again_changes_nothing(saver: Saver, raw: Any, prefix: str) -> None:
    checkpoint = checkpoint_of(messages=[HumanMessage("x" * 200, id="1"), AIMessage("y" * 200)])
    for _ in range(2):
        config = await saver.aput(config_of("t"), checkpoint, {"step": 0}, {"messages": "1"})
        await saver.aput_writes(config, [("a", 1), ("b", 2), (ERROR, "e")], "task", "path")
        before = stored(raw, prefix)
    assert stored(raw, prefix) == before
    assert len(before[0]) == 4


async def test_first_writes_stay_and_errors_and_interrupts_are_replaced(saver: Saver) -> None:
    config = await saver.aput(config_of("t"), checkpoint_of(), {}, {})
    for attempt in ("first", "second"):
        await saver.aput_writes(config, [("a", attempt), (ERROR, attempt)], "task")
        await saver.aput_writes(config, [(INTERRUPT, attempt)], "task")
    await saver.aput_writes(config, [], "other")
    found = await saver.aget_tuple(config)
    assert found is not None
    assert sorted(found.pending_writes or []) == [
        ("task", ERROR, "second"),
        ("task", INTERRUPT, "second"),
        ("task", "a", "first"),
    ]


async def test_a_listing_goes_page_by_page_newest_first(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "PAGE", 3)
    monkeypatch.setattr(ops, "RECORDS_PAGE", 4)
    configs = await grow(saver, "t", 10)
    await grow(saver, "t", 2, "child:1")
    root, all_spaces = config_of("t"), {"configurable": {"thread_id": "t"}}
    assert await steps(saver, root) == list(range(9, -1, -1))
    assert await steps(saver, all_spaces) == [*range(9, -1, -1), 1, 0]
    for limit in range(11):
        assert await steps(saver, root, limit=limit) == list(range(9, 9 - limit, -1))[:10]
    for before in (0, 1, 5, 9):
        expected = list(range(before - 1, -1, -1))
        assert await steps(saver, root, before=configs[before]) == expected
        assert await steps(saver, root, before=configs[before], limit=2) == expected[:2]
    assert await steps(saver, root, filter={"parity": 0}) == [8, 6, 4, 2, 0]
    assert await steps(saver, root, filter={"parity": 0}, limit=4) == [8, 6, 4, 2]
    assert await steps(saver, all_spaces, filter={"parity": 1}) == [9, 7, 5, 3, 1, 1]
    assert await steps(saver, configs[4]) == [4]
    assert await steps(saver, configs[4], before=configs[4]) == []
    for found in [found async for found in saver.alist(root)]:
        assert found.checkpoint["channel_values"] == {
            "step": found.metadata["step"],
            "fixed": "fixed",
        }


async def test_a_page_ends_when_it_is_large_enough(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "PAGE_BYTES", 1)
    await grow(saver, "t", 5)
    assert await steps(saver, config_of("t")) == [4, 3, 2, 1, 0]
    assert await steps(saver, config_of("t"), filter={"parity": 0}) == [4, 2, 0]


async def test_all_threads_are_listed_wherever_they_are(saver: Saver) -> None:
    for thread in range(12):
        await grow(saver, f"thread:{thread}", 2)
    found = [found async for found in saver.alist(None)]
    threads = [found.config["configurable"]["thread_id"] for found in found]
    assert sorted(threads) == sorted([f"thread:{thread}" for thread in range(12)] * 2)
    assert len([found async for found in saver.alist(None, limit=5)]) == 5
    assert len([found async for found in saver.alist(None, filter={"step": 1})]) == 12


async def test_no_id_reaches_what_belongs_to_another(saver: Saver) -> None:
    for id_ in ODD_IDS:
        checkpoint = checkpoint_of({id_: "1"}, **{id_: id_})
        checkpoint["id"] = id_
        for place in (config_of(id_), config_of("t", id_)):
            config = await saver.aput(place, checkpoint, {"step": 0}, {id_: "1"})
            await saver.aput_writes(config, [(id_, id_)], id_, id_)
    for id_ in ODD_IDS:
        for place in (config_of(id_), config_of("t", id_)):
            (found,) = [found async for found in saver.alist(place)]
            assert found == await saver.aget_tuple(place)
            assert found.config["configurable"] == {**place["configurable"], "checkpoint_id": id_}
            assert found.checkpoint["channel_values"] == {id_: id_}
            assert found.pending_writes == [(id_, id_, id_)]
    spaces: Any = {"configurable": {"thread_id": "t"}}
    listed = [found.config["configurable"]["checkpoint_ns"] async for found in saver.alist(spaces)]
    assert listed == sorted(ODD_IDS)
    threads = {found.config["configurable"]["thread_id"] async for found in saver.alist(None)}
    assert threads == {*ODD_IDS, "t"}
    for count, id_ in enumerate(ODD_IDS):
        await saver.adelete_thread(id_)
        assert await saver.aget_tuple(config_of(id_)) is None
        left = [found async for found in saver.alist(None)]
        assert len(left) == 2 * len(ODD_IDS) - count - 1


async def test_checkpoint_ids_sort_by_code_point(saver: Saver) -> None:
    ids = ["\0", "\1", "\2", "\3", "A", "AA", "A\0", "A\2", "B", "ü", "日", "𝄞"]
    for id_ in ids:
        checkpoint = checkpoint_of()
        checkpoint["id"] = id_
        await saver.aput(config_of("t"), checkpoint, {}, {})
    listed = [found.checkpoint["id"] async for found in saver.alist(config_of("t"))]
    assert listed == sorted(ids, reverse=True)


async def test_what_a_caller_gets_is_its_own(saver: Saver) -> None:
    checkpoint = checkpoint_of(shared=[{"n": 1, "text": "x" * 300}, {"n": 2, "text": "y" * 300}])
    config = await saver.aput(config_of("t"), checkpoint, {}, {"shared": "1"})
    later = checkpoint_of(shared=checkpoint["channel_values"]["shared"])
    await saver.aput(config, later, {}, {})
    found = [found async for found in saver.alist(config_of("t"))]
    found[0].checkpoint["channel_values"]["shared"][0]["n"] = "changed"
    assert found[1].checkpoint["channel_values"] == checkpoint["channel_values"]


async def test_lists_of_every_length_come_back_equal(saver: Saver) -> None:
    for length in (0, 1, 2, 31, 32, 33, 64, 70, 1100):
        large = [{"number": number, "text": "x" * 150} for number in range(length)]
        same, small = ["y" * 200] * length, list(range(length))
        values: dict[str, Any] = {
            "large": large,
            "small": small,
            "same": same,
            "nested": [large[:40]] * 3,
        }
        checkpoint = checkpoint_of(**values)
        await saver.aput(config_of("t"), checkpoint, {}, dict.fromkeys(values, "1"))
        found = await saver.aget_tuple(config_of("t"))
        assert found is not None
        assert found.checkpoint["channel_values"] == values
        await saver.adelete_thread("t")


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
    # Checkpoint, two values, a write; the same for the child less the write; the early write.
    assert len(stored(raw, prefix)[1]) == 4 + 3 + 1
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
    monkeypatch.setattr(ops, "RECORDS_PAGE", 2)
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


async def test_a_copy_is_equal_and_independent(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "PAGE", 3)
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
            }
        checkpoint = checkpoint_of({"log": step, "none": step}, **values)
        config = await saver.aput(config, checkpoint, metadata, {"log": step, "none": step})
        for task in ("z", "a"):
            writes = [("log", (step, task, number)) for number in range(2)]
            await saver.aput_writes(config, [*writes, ("other", 1)], task, f"path {task}")


async def test_the_history_of_a_delta_channel_is_what_the_base_class_finds(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_delta, "ANCESTORS", 3)
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


async def test_many_tasks_at_once_lose_nothing(saver: Saver) -> None:
    config = await saver.aput(config_of("t"), checkpoint_of(), {}, {})
    tasks = [f"task {number:02}" for number in range(32)]
    await asyncio.gather(*(saver.aput_writes(config, [("a", task)], task) for task in tasks))
    found = await saver.aget_tuple(config)
    assert found is not None
    assert found.pending_writes == [(task, "a", task) for task in tasks]


async def test_many_threads_at_once_do_not_mix(saver: Saver) -> None:
    names = [f"thread {number}" for number in range(20)]
    await asyncio.gather(*(grow(saver, name, 5) for name in names))
    for name in names:
        assert await steps(saver, config_of(name)) == [4, 3, 2, 1, 0]


class Own:
    """A class of a user."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 1


async def test_the_serializer_is_the_users_choice(
    target: Target, servers: Servers, prefix: str
) -> None:
    serde = JsonPlusSerializer(pickle_fallback=True)
    for way in WAYS:
        thread = config_of(way)
        async with opened(
            target, target.port(servers), way, key_prefix=prefix, serde=serde
        ) as made:
            checkpoint = checkpoint_of(own=[Own(), "x" * 500], raw=b"\0\1\2", none=None)
            await made.aput(thread, checkpoint, {}, dict.fromkeys(("own", "raw", "none"), "1"))
            found = await made.aget_tuple(thread)
            assert found is not None
            assert found.checkpoint["channel_values"] == checkpoint["channel_values"]


def test_versions_sort_and_never_repeat() -> None:
    saver = MemorystoreSaver(redis.Redis(port=1))
    version: Any = None
    seen = []
    for _ in range(200):
        version = saver.get_next_version(version, None)
        seen.append(version)
    assert seen == sorted(set(seen))
    assert saver.get_next_version(seen[5], None) != saver.get_next_version(seen[5], None)
    numbered = "00000000000000000000000000000007.0.4223"
    assert saver.get_next_version(numbered, None).startswith("0000000008.")
    assert saver.get_next_version(numbered, None) > numbered
    for number in (7, 7.5):
        assert 8 <= saver.get_next_version(number, None) < 9
        assert saver.get_next_version(number, None) != saver.get_next_version(number, None)


def test_a_copy_with_an_allowlist_is_a_saver_of_the_same_client(client: Any, prefix: str) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=[("builtins", "set")])
    saver = MemorystoreSaver(client, key_prefix=prefix, serde=serde)
    clone = saver.with_allowlist([("tests.test_checkpoint", "Own")])
    assert isinstance(clone, MemorystoreSaver)
    assert clone._ops.serde is clone.serde is not saver.serde
    config = clone.put(config_of("t"), checkpoint_of(), {}, {})
    found = saver.get_tuple(config_of("t"))
    assert found is not None
    assert found.config == config


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"configurable": {}},
        config_of(""),
        config_of("\ud800"),
        {"configurable": {"thread_id": ["t"]}},
    ],
)
def test_a_thread_must_have_a_usable_name(bad: Any) -> None:
    saver = MemorystoreSaver(redis.Redis(port=1))
    for call in (saver.get_tuple, lambda config: next(iter(saver.list(config)))):
        with pytest.raises(InvalidArgumentError, match="thread_id"):
            call(bad)


def test_without_the_extra_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['langgraph'] = None\n"
        "try:\n    from langchain_google_memorystore_redis import MemorystoreSaver\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "MemorystoreSaver" in done.stdout
    assert "pip install" in done.stdout
    assert "langchain-google-memorystore-redis[langgraph]" in done.stdout


def test_settings_are_checked_when_they_are_given() -> None:
    bad: list[dict[str, Any]] = [{"ttl": 0}, {"ttl": "1"}, {"key_prefix": 1}]
    for settings in bad:
        with pytest.raises(InvalidArgumentError, match=next(iter(settings))):
            MemorystoreSaver(redis.Redis(port=1), **settings)


async def test_a_blocking_method_of_an_asyncio_client_says_what_to_await() -> None:
    async with redis.asyncio.Redis(port=1) as client:
        with pytest.raises(AsyncClientError, match="ainvoke"):
            MemorystoreSaver(client).get_tuple(config_of("t"))


async def test_a_number_or_uuid_names_the_thread_of_its_text(saver: Saver) -> None:
    await grow(saver, "7", 1)
    number: Any = 7
    assert await steps(saver, config_of(number)) == [0]


async def test_a_connection_string_is_enough(servers: Servers, prefix: str) -> None:
    url = servers.standalone("valkey-9.1").url
    for options in ({}, {"ttl": 100}):
        given: Any = {"key_prefix": prefix, **options}
        with MemorystoreSaver.from_conn_string(url, **given) as saver:
            saver.setup()
            saver.put(config_of("t"), checkpoint_of(), {}, {})
        async with MemorystoreSaver.from_conn_string(url, **given) as saver:
            await saver.asetup()
            assert await saver.aget_tuple(config_of("t")) is not None
    cluster = servers.cluster("valkey-9.1").url
    with MemorystoreSaver.from_conn_string(cluster, cluster=True, key_prefix=prefix) as saver:
        saver.put(config_of("t"), checkpoint_of(), {}, {})
    async with MemorystoreSaver.from_conn_string(
        cluster, cluster=True, client_options={"protocol": 2}, key_prefix=prefix
    ) as saver:
        assert await saver.aget_tuple(config_of("t")) is not None
