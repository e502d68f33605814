"""What a saver does beyond LangGraph's own contract: order, repetition, odd ids, concurrency."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreSaver,
)
from langchain_google_memorystore_redis._checkpoint import operations as ops
from tests.checkpoint.savers import Saver, checkpoint_of, config_of, grow, opened, steps, stored
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

ODD_IDS = ["a", "a:b", "a}", "{a}", "{", "a\0b", "a\1b", "a\2", "ü", "日本", "%7B", "*", " ", "a/b"]


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
    monkeypatch.setattr(ops, "CHECKPOINTS_PER_PAGE", 3)
    monkeypatch.setattr(ops, "RECORDS_PER_PAGE", 4)
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


async def test_what_no_name_can_carry_is_refused_before_anything_is_sent(
    saver: Saver, raw: Any, prefix: str
) -> None:
    bad, checkpoint = "\ud800", checkpoint_of(a=1)
    named = config_of("t", "", checkpoint["id"])
    for call in (
        lambda: saver.aput(config_of("t", bad), checkpoint, {}, {}),
        lambda: saver.aput(config_of("t"), {**checkpoint, "id": bad}, {}, {}),
        lambda: saver.aput(config_of("t"), checkpoint_of({bad: "1"}), {}, {bad: "1"}),
        lambda: saver.aput(config_of("t"), checkpoint, {"run_id": bad}, {}),
        lambda: saver.aput_writes(named, [(bad, 1)], "task"),
        lambda: saver.aput_writes(named, [("a", 1)], bad),
        lambda: saver.aget_tuple(config_of("t", "", bad)),
        lambda: saver.adelete_for_runs([bad]),
    ):
        with pytest.raises(InvalidArgumentError, match="lone surrogate"):
            await call()
    assert stored(raw, prefix) == ([], {})


async def test_writes_must_name_their_checkpoint(saver: Saver, raw: Any, prefix: str) -> None:
    for config in (config_of("t"), config_of("t", "", "")):
        with pytest.raises(InvalidArgumentError, match="checkpoint_id"):
            await saver.aput_writes(config, [("a", 1)], "task")
    assert stored(raw, prefix) == ([], {})


async def test_an_empty_id_is_refused_and_stands_for_nothing(
    saver: Saver, raw: Any, prefix: str
) -> None:
    await grow(saver, "t", 3)  # without a run, as all that has no id
    before = stored(raw, prefix)
    nameless = checkpoint_of()
    nameless["id"] = ""
    named = config_of("t", "", "1")
    for argument, call in (
        ("run_id", lambda: saver.adelete_for_runs([""])),
        ("run_id", lambda: saver.adelete_for_runs(["run", ""])),
        ("thread_id", lambda: saver.aprune(["t", ""])),
        ("thread_id", lambda: saver.aprune(["t", ""], strategy="delete")),
        ("thread_id", lambda: saver.adelete_thread("")),
        ("thread_id", lambda: saver.acopy_thread("", "t")),
        ("thread_id", lambda: saver.acopy_thread("t", "")),
        ("thread_id", lambda: saver.aget_tuple(config_of(""))),
        ("checkpoint id", lambda: saver.aput(config_of("t"), nameless, {}, {})),
        ("task_id", lambda: saver.aput_writes(named, [("a", 1)], "")),
    ):
        with pytest.raises(InvalidArgumentError, match=f"{argument} must not be empty"):
            await call()
    for bad in (True, b"", b"t", 1.5):
        wrong: Any = bad
        for call in (
            lambda wrong=wrong: saver.adelete_thread(wrong),
            lambda wrong=wrong: saver.aget_tuple(config_of(wrong)),
            lambda wrong=wrong: saver.aget_tuple(config_of("t", wrong)),
            lambda wrong=wrong: saver.aget_tuple(config_of("t", "", wrong)),
        ):
            with pytest.raises(ArgumentTypeError):
                await call()
    assert stored(raw, prefix) == before


def test_the_script_itself_takes_no_empty_run_for_one(client: Any, prefix: str) -> None:
    made = MemorystoreSaver(client, key_prefix=prefix)
    made.put(config_of("t"), checkpoint_of(), {}, {})
    made._sync.run(made._ops.delete_for_runs([""]))
    assert made.get_tuple(config_of("t")) is not None


async def test_a_run_id_that_is_a_uuid_is_found(saver: Saver) -> None:
    run: Any = uuid.uuid4()
    await saver.aput(config_of("t"), checkpoint_of(), {"run_id": run}, {})
    await saver.aput(config_of("t"), checkpoint_of(), {"step": 1}, {})
    await saver.adelete_for_runs([run])
    assert await steps(saver, config_of("t")) == [1]


async def test_versions_that_two_branches_share_keep_their_values(saver: Saver) -> None:
    root = await saver.aput(config_of("t"), checkpoint_of({"a": 1}, a="root"), {}, {"a": 1})
    branches = []
    for text in ("one", "other"):
        values: Any = {"a": text, "b": [f"{text} {number}" * 99 for number in range(3)]}
        branch = checkpoint_of({"a": 2, "b": 1}, **values)
        stored_branch = await saver.aput(root, branch, {}, {"a": 2, "b": 1})
        child = checkpoint_of({"a": 2, "b": 1, "c": 1}, **values, c=text)
        branches.append(
            (values | {"c": text}, await saver.aput(stored_branch, child, {}, {"c": 1}))
        )
    await saver.acopy_thread("t", "copy")
    for values, config in branches:
        for thread in ("t", "copy"):
            place: Any = {"configurable": {**config["configurable"], "thread_id": thread}}
            found = await saver.aget_tuple(place)
            assert found is not None
            assert found.checkpoint["channel_values"] == values
    await saver.aprune(["t"])
    found = await saver.aget_tuple(config_of("t"))
    assert found is not None
    assert found.checkpoint["channel_values"] == branches[-1][0]


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


async def test_a_list_of_very_many_elements_is_stored(servers: Servers, prefix: str) -> None:
    target = Target("redis-5.0", protocol=2)  # whose limit is 2^20 arguments
    many = [f"{number:130}" for number in range(2**19)]
    async with opened(target, target.port(servers), "sync", key_prefix=prefix) as saver:
        config = await saver.aput(config_of("t"), checkpoint_of(many=many), {}, {"many": "1"})
        found = await saver.aget_tuple(config)
        assert found is not None
        assert found.checkpoint["channel_values"]["many"] == many
        await saver.adelete_thread("t")


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


async def test_a_number_or_uuid_names_the_thread_of_its_text(saver: Saver) -> None:
    await grow(saver, "7", 1)
    number: Any = 7
    assert await steps(saver, config_of(number)) == [0]


async def test_a_uuid_names_a_checkpoint_or_a_task(saver: Saver) -> None:
    first, second = await grow(saver, "t", 2)
    id_: Any = uuid.UUID(second["configurable"]["checkpoint_id"])
    assert await steps(saver, config_of("t"), before=config_of("t", "", id_)) == [0]
    await saver.aput_writes(first, [("a", 1)], id_)
    found = await saver.aget_tuple(first)
    assert found is not None
    assert found.pending_writes == [(str(id_), "a", 1)]


async def test_an_empty_config_lists_all(saver: Saver) -> None:
    await grow(saver, "t", 2)
    empty: Any = {}
    assert await steps(saver, empty) == [1, 0]
    with pytest.raises(InvalidArgumentError, match="thread_id"):
        await saver.aget_tuple(empty)
