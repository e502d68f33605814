"""Every operation of the package that sends a script, by blocking and by asyncio methods.

Strategy: an operation knows how to make what it needs, what to call, and what a user sees of it
before and after. Tests of what may happen to any script (a slot that is being moved) go through
this table, and one of them fails while a script of the package is missing from it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis import (
    MemorystoreCache,
    MemorystoreChatMessageHistory,
    MemorystoreSaver,
    MemorystoreStore,
    sessions,
)
from langchain_google_memorystore_redis._cache.keys import CacheKeys
from tests.cache.caches import ANSWER, MODEL
from tests.checkpoint.savers import Awaited, Saver, checkpoint_of, config_of, grow, keys_of
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import DoorHistory
from tests.store.stores import DoorStore
from tests.store.stores import keys_of as item_keys

TTL = 1000


@dataclass(frozen=True)
class Wings:
    """All features of the package on one client."""

    client: Any
    by_async: bool
    prefix: str

    def history(self, session_id: str, **options: Any) -> DoorHistory:
        """Return a history whose methods are awaited."""
        made = MemorystoreChatMessageHistory(
            self.client, session_id, ttl=TTL, key_prefix=self.prefix, **options
        )
        return DoorHistory(made, self.by_async)

    def saver(self, **options: Any) -> Saver:
        """Return a saver whose async methods are to be used."""
        made = MemorystoreSaver(self.client, ttl=TTL, key_prefix=self.prefix, **options)
        return made if self.by_async else Awaited(made)

    async def answers(self, name: str, *args: Any) -> Any:
        """Call a method of a cache of models' answers, or its twin."""
        cache = MemorystoreCache(self.client, TTL, key_prefix=self.prefix, on_outage="raise")
        if self.by_async:
            return await getattr(cache, f"a{name}")(*args)
        return getattr(cache, name)(*args)

    def store(self) -> DoorStore:
        """Return a store whose methods are awaited; texts of two words have equal vectors."""
        index: Any = {"embed": lambda texts: [[1.0, len(t.split())] for t in texts], "dims": 2}
        made = MemorystoreStore(
            self.client, ttl={"default_ttl": TTL}, key_prefix=self.prefix, index=index
        )
        return DoorStore(made, self.by_async)

    async def sessions(self, name: str, *args: Any, **options: Any) -> Any:
        """Call a function of the module `sessions`, or its twin; a listing becomes a list."""
        function = getattr(sessions, f"a{name}" if self.by_async else name)
        found = function(self.client, *args, key_prefix=self.prefix, **options)
        if inspect.isasyncgen(found):
            return [each async for each in found]
        if inspect.isgenerator(found):
            return list(found)
        return await found if inspect.isawaitable(found) else found


@asynccontextmanager
async def open_wings(
    target: Target, port: int, prefix: str, *, by_async: bool
) -> AsyncIterator[Wings]:
    """All features on a new client of the target."""
    if by_async:
        async with asyncio_client(target, port) as client:
            yield Wings(client, by_async, prefix)
        return
    with target.connect(port) as client:
        yield Wings(client, by_async, prefix)


Step = Callable[[Wings, str], Awaitable[Any]]


@dataclass(frozen=True)
class Operation:
    """Something a user does to a session, thread or namespace, named by an id."""

    name: str
    prepare: Step
    call: Step
    view: Step
    """What a user sees of it: the same for every id."""
    keys_of: Callable[[str, str], tuple[str, ...]] = lambda prefix, id_: (prefix + id_,)
    """Keys of the session, thread or answer, by key prefix and id."""
    evicts: int | None = None
    """Which of several keys a full server evicts before the call."""

    def __str__(self) -> str:
        return self.name

    def keys(self, prefix: str, id_: str) -> tuple[str, ...]:
        """Return the keys that the operation is about, all in one slot."""
        return self.keys_of(prefix, id_)


# Sessions


async def _nothing(wings: Wings, id_: str) -> None:
    """Prepare nothing."""


async def _session(wings: Wings, id_: str) -> None:
    await wings.history(id_).add_messages([HumanMessage(f"message {n}") for n in range(4)])


async def _other_session(wings: Wings, id_: str) -> None:
    await _session(wings, f"{id_}:source")


async def _texts(wings: Wings, id_: str) -> Any:
    return [message.text for message in await wings.history(id_).messages()]


async def _add(wings: Wings, id_: str) -> None:
    history = wings.history(id_, max_messages=5)
    await history.add_messages([HumanMessage("new 1", id="1"), HumanMessage("new 2", id="2")])


async def _read(wings: Wings, id_: str) -> Any:
    history = wings.history(id_, refresh_ttl_on_read=True)
    assert len(await history.messages()) == 4
    assert (await wings.sessions("describe_session", id_)).messages == 4


async def _replace_from(wings: Wings, id_: str) -> None:
    history = wings.history(id_)
    entries = await history.entries()
    await history.replace_from(entries[2].id, [HumanMessage("edited"), HumanMessage("answer")])


async def _import(wings: Wings, id_: str) -> None:
    lines = await wings.sessions("export_sessions", [f"{id_}:source"])
    there = [line.replace(f"{id_}:source".encode(), id_.encode()) for line in lines]
    await wings.sessions("import_sessions", there)


# Threads


async def _thread(wings: Wings, id_: str) -> None:
    saver = wings.saver()
    for namespace, length in (("", 6), ("child", 3)):
        for config in await grow(saver, id_, length, namespace):
            await saver.aput_writes(config, [("a", 1)], "task")
    for run in ("kept", "gone"):
        checkpoint = checkpoint_of(messages=[HumanMessage(f"{n}{run}" * 90) for n in range(3)])
        metadata: Any = {"step": run, "run_id": f"{run} {id_}"}
        await saver.aput(config_of(id_, "runs"), checkpoint, metadata, {"messages": run})


async def _other_thread(wings: Wings, id_: str) -> None:
    await _thread(wings, f"{id_}:source")


async def _checkpoints(wings: Wings, id_: str) -> Any:
    thread: Any = {"configurable": {"thread_id": id_}}
    return [
        (
            found.config["configurable"]["checkpoint_ns"],
            found.metadata["step"],
            found.checkpoint["channel_values"],
            found.pending_writes,
        )
        async for found in wings.saver().alist(thread)
    ]


async def _put(wings: Wings, id_: str) -> None:
    checkpoint = checkpoint_of(step="new", text="x" * 500)
    checkpoint["id"] = "2"  # after the ids of UUIDs of this century
    metadata: Any = {"step": "new"}
    await wings.saver().aput(config_of(id_), checkpoint, metadata, {"step": "2", "text": "2"})


async def _put_writes(wings: Wings, id_: str) -> None:
    saver = wings.saver()
    found = await saver.aget_tuple(config_of(id_))
    named = found.config if found else config_of(id_, "", "1")
    await saver.aput_writes(named, [("b", 2), ("c", 3)], "other task")


async def _read_thread(wings: Wings, id_: str) -> None:
    saver = wings.saver(refresh_on_read=True)
    assert await saver.aget_tuple(config_of(id_)) is not None
    assert len(await _checkpoints(wings, id_)) == 11
    asked: Any = {"config": config_of(id_), "channels": ["step"]}
    assert (await saver.aget_delta_channel_history(**asked))["step"]["seed"] == 4


async def _copy_thread(wings: Wings, id_: str) -> None:
    await wings.saver().acopy_thread(f"{id_}:source", id_)


async def _copy_from_thread(wings: Wings, id_: str) -> None:
    await wings.saver().acopy_thread(id_, f"{id_}:target")


async def _copied(wings: Wings, id_: str) -> Any:
    return [await _checkpoints(wings, each) for each in (id_, f"{id_}:target")]


# Items


async def _item(wings: Wings, id_: str) -> None:
    await wings.store().put((id_,), "a", {"text": "two words"})


async def _items(wings: Wings, id_: str) -> Any:
    store = wings.store()
    found = await store.search((id_,), query="two words")
    listed = await store.list_namespaces(prefix=(id_,))
    return [(each.key, each.value, each.score) for each in found], len(listed)


async def _put_item(wings: Wings, id_: str) -> None:
    await wings.store().put((id_,), "a", {"text": "three words more"})


async def _get_item(wings: Wings, id_: str) -> None:
    assert (await wings.store().get((id_,), "a")).value == {"text": "two words"}


async def _forget_namespace(wings: Wings, id_: str) -> None:
    store = wings.store()
    await store.delete((id_,), "a")
    forget = store.store._ops._namespaces.forget([id_.encode() + b"\0", b"no time"])
    if wings.by_async:
        await store.store._async.run(forget)
    else:
        store.store._sync.run(forget)


def _of_session(name: str, prepare: Step, call: Step) -> Operation:
    return Operation(name, prepare, call, _texts)


def _of_thread(name: str, prepare: Step, call: Step, view: Step = _checkpoints) -> Operation:
    return Operation(name, prepare, call, view, keys_of)


def _of_half(name: str, call: Step, evicts: int) -> Operation:
    return Operation(name, _thread, call, _checkpoints, keys_of, evicts)


# Answers of models


async def _answer(wings: Wings, id_: str) -> None:
    await wings.answers("update", wings.prefix + id_, MODEL, ANSWER)


async def _new_answer(wings: Wings, id_: str) -> None:
    await wings.answers("update", wings.prefix + id_, MODEL, [*ANSWER, *ANSWER])


async def _find_answer(wings: Wings, id_: str) -> None:
    assert await _found_answer(wings, id_) == ANSWER


async def _found_answer(wings: Wings, id_: str) -> Any:
    return await wings.answers("lookup", wings.prefix + id_, MODEL)


def _of_answer(name: str, prepare: Step, call: Step) -> Operation:
    return Operation(name, prepare, call, _found_answer, _keys_of_answer)


def _keys_of_answer(prefix: str, id_: str) -> tuple[str, ...]:
    """Return the keys of an answer, whose prompt holds the prefix: no slot moves often."""
    return tuple(key.decode() for key in CacheKeys(prefix).of_entry((prefix + id_, MODEL)))


def _keys_of_item(prefix: str, id_: str) -> tuple[str, ...]:
    return item_keys(prefix, (id_,), "a")


def _of_item(name: str, prepare: Step, call: Step, evicts: int | None = None) -> Operation:
    return Operation(name, prepare, call, _items, _keys_of_item, evicts)


OPERATIONS = (
    _of_answer("update of a new answer", _nothing, _answer),
    _of_answer("update", _answer, _new_answer),
    _of_answer("lookup", _answer, _find_answer),
    _of_session("add_messages to a new session", _nothing, _add),
    _of_session("add_messages", _session, _add),
    _of_session("read and describe", _session, _read),
    _of_session("replace_from", _session, _replace_from),
    _of_session("find_batch", _session, lambda wings, id_: wings.history(id_).find_batch("key")),
    _of_session("clear", _session, lambda wings, id_: wings.history(id_).clear()),
    _of_session("truncate", _session, lambda wings, id_: wings.history(id_).truncate(2)),
    _of_session(
        "copy", _other_session, lambda wings, id_: wings.history(f"{id_}:source").copy(id_)
    ),
    _of_session(
        "delete_sessions", _session, lambda wings, id_: wings.sessions("delete_sessions", [id_])
    ),
    _of_session("import_sessions", _other_session, _import),
    _of_thread("put to a new thread", _nothing, _put),
    _of_thread("put", _thread, _put),
    _of_thread("put_writes to a new thread", _nothing, _put_writes),
    _of_thread("put_writes", _thread, _put_writes),
    _of_thread("read a thread", _thread, _read_thread),
    _of_thread("prune", _thread, lambda wings, id_: wings.saver().aprune([id_])),
    _of_thread("delete_thread", _thread, lambda wings, id_: wings.saver().adelete_thread(id_)),
    _of_thread(
        "delete_for_runs",
        _thread,
        lambda wings, id_: wings.saver().adelete_for_runs([f"gone {id_}"]),
    ),
    _of_thread("copy_thread", _other_thread, _copy_thread),
    _of_thread("copy_thread from", _thread, _copy_from_thread, _copied),
    *(
        _of_half(f"{name} where {('index', 'data')[evicts]} was evicted", call, evicts)
        for evicts in (0, 1)
        for name, call in (
            ("put", _put),
            ("put_writes", _put_writes),
            ("prune", lambda wings, id_: wings.saver().aprune([id_])),
        )
    ),
    _of_item("put an item into a new namespace", _nothing, _put_item),
    _of_item("put an item", _item, _put_item),
    _of_item("get an item", _item, _get_item),
    _of_item("delete an item", _item, lambda wings, id_: wings.store().delete((id_,), "a")),
    _of_item("delete an item and forget its namespace", _item, _forget_namespace),
    _of_item("search items", _item, _items),
    _of_item("search where an item was evicted", _item, _items, 1),
)
