"""A turn is never lost to its metadata: a plain form stands for what JSON cannot carry exactly."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import redis.asyncio
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import create_retriever_tool, tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from langchain_google_memorystore_redis import (
    ChatHistoryMiddleware,
    InvalidArgumentError,
    InvalidMessageError,
    MemorystoreChatMessageHistory,
    ReadCache,
)
from langchain_google_memorystore_redis._codec.encode import InexactField
from langchain_google_memorystore_redis._codec.plain import Loss
from langchain_google_memorystore_redis._history import idempotency
from langchain_google_memorystore_redis._history.inexact import InexactWarnings
from tests.checkpoint.agents import Scripted, transcript
from tests.faults import DROP_REPLY
from tests.history.test_release_030 import run_legacy
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.doors import Door
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.plugins.shell import Shell
from tests.sessions.test_sessions import call

NOTES = [
    Document("Zürich lies on the Limmat.", id="1", metadata={"source": "rivers", "page": 3}),
    Document("Basel lies on the Rhine.", id="2", metadata={"source": "rivers", "page": 4}),
    Document("Rhine trout bite at dawn.", metadata={"source": "fish"}),
]
FOUND = [
    {
        "id": note.id,
        "metadata": note.metadata,
        "page_content": note.page_content,
        "type": "Document",
    }
    for note in NOTES[1:]
]
"""What is read back of the notes on the Rhine."""


class River(BaseModel):
    """What a model with structured output answers."""

    name: str
    length_km: int


class Notes(BaseRetriever):
    """Finds the notes that share a word with the question."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        words = set(query.lower().strip("?").split())
        return [note for note in NOTES if words & set(note.page_content.lower().strip(".").split())]


class Researcher(Scripted):
    """Looks up every question, and answers as OpenAI's structured output does."""

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            parsed = River(name="Rhine", length_km=1233)
            answer = AIMessage(parsed.model_dump_json(), additional_kwargs={"parsed": parsed})
        else:
            call = {"name": "notes", "args": {"query": last.content}, "id": f"call of {last.id}"}
            answer = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=answer)])


TOOL = create_retriever_tool(
    Notes(), "notes", "Search the notes.", response_format="content_and_artifact"
)
TARGETS = (Target("valkey-9.1"), Target("redis-5.0", protocol=2), Target("redis-7.0", cluster=True))
on_few_servers = pytest.mark.parametrize("target", TARGETS, ids=str)


async def assert_stored(door: Door, turns: int) -> None:
    """The session holds whole turns, and says which fields are not what was added."""
    entries = await door.open().entries()
    said = [
        ("human", "Rhine?"),
        ("ai", ""),
        ("tool", "\n\n".join(note.page_content for note in NOTES[1:])),
        ("ai", '{"name":"Rhine","length_km":1233}'),
    ]
    assert transcript([entry.message for entry in entries]) == said * turns
    assert [e.inexact for e in entries] == [(), (), ("artifact",), ("additional_kwargs",)] * turns
    for question in range(0, 4 * turns, 4):
        assert entries[question + 2].message.artifact == FOUND
        parsed = entries[question + 3].message.additional_kwargs["parsed"]
        assert parsed == {"name": "Rhine", "length_km": 1233}


@on_few_servers
@pytest.mark.parametrize("checkpointed", [False, True])
async def test_a_retrieval_agent_with_middleware_loses_no_turn(
    door: Door, checkpointed: bool
) -> None:
    agent = create_agent(
        Researcher(),
        tools=[TOOL],
        middleware=[ChatHistoryMiddleware(lambda name: door.open(name).history)],
        checkpointer=InMemorySaver() if checkpointed else None,
    )
    config: Any = {"configurable": {"session_id": "session", "thread_id": "t"}}
    for turn in range(3):
        given: Any = {"messages": [HumanMessage("Rhine?", id=f"question {turn}")]}
        if door.by_async:
            result = await agent.ainvoke(given, config)
        else:
            result = agent.invoke(given, config)
        assert len(result["messages"]) == 4 * (turn + 1)
    await assert_stored(door, turns=3)


@on_few_servers
async def test_a_retrieval_chain_with_message_history_loses_no_turn(door: Door) -> None:
    agent: Any = create_agent(Researcher(), tools=[TOOL])

    def answer(given: list[BaseMessage]) -> Any:
        return agent.invoke({"messages": given})["messages"][len(given) :]

    async def aanswer(given: list[BaseMessage]) -> Any:
        return (await agent.ainvoke({"messages": given}))["messages"][len(given) :]

    chain = RunnableWithMessageHistory(
        RunnableLambda(answer, aanswer), lambda session_id: door.open(session_id).history
    )
    config: Any = {"configurable": {"session_id": "session"}}
    for _ in range(3):
        question = [HumanMessage("Rhine?")]
        if door.by_async:
            await chain.ainvoke(question, config)
        else:
            chain.invoke(question, config)
    await assert_stored(door, turns=3)


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of warnings of which none was logged before."""
    made = Clock()
    monkeypatch.setattr(idempotency, "warn_of_inexact", InexactWarnings(made).warn)
    return made


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what was logged since the last call."""
    caplog.set_level(logging.WARNING, "langchain_google_memorystore_redis")

    def since() -> list[str]:
        logged = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return logged

    return since


def found(artifact: Any = NOTES[:1]) -> ToolMessage:
    return ToolMessage("Found.", tool_call_id="1", artifact=artifact)


@on_few_servers
async def test_a_warning_names_session_message_and_field_once_a_minute(
    door: Door, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    history = door.open()
    await history.add_messages([HumanMessage("x"), AIMessage("x", response_metadata={"a": 1})])
    assert warnings() == []
    lock = threading.Lock()
    await history.add_messages([HumanMessage("x"), found([1, NOTES[0], lock]), found()])
    (warning,) = warnings()
    assert warning.startswith("session 'session': JSON cannot carry all of a message exactly")
    assert "messages[1], field artifact (Document; lock, left out)." in warning
    assert "messages[2]" not in warning
    clock.now += 59.9
    await door.open("other").add_messages([found()])
    assert warnings() == []
    await history.add_messages([found(), HumanMessage("x", artifact={1}, at=date(2026, 1, 2))])
    (warning,) = warnings()
    assert "messages[1], field artifact (set), messages[1], field at (date)." in warning
    clock.now += 0.1
    await door.open("other").add_messages([HumanMessage("x", at=date(2026, 1, 2)), found()])
    (warning,) = warnings()
    assert warning.startswith("session 'other'")
    assert "messages[1], field artifact (Document)." in warning


@on_few_servers
async def test_messages_that_replace_others_are_converted_too(
    door: Door, clock: Clock, warnings: Callable[[], list[str]]
) -> None:
    history = door.open()
    await history.add_messages([HumanMessage("Rhine?"), AIMessage("No.")])
    (_, answer) = await history.entries()
    await history.replace_from(answer.id, [found()])
    assert [entry.inexact for entry in await history.entries()] == [(), ("artifact",)]
    (warning,) = warnings()
    assert "messages[0], field artifact (Document)." in warning
    (_, answer) = await history.entries()
    with pytest.raises(InvalidMessageError, match="Document"):
        await door.open(on_inexact="raise").replace_from(answer.id, [found()])
    assert (await history.entries())[1:] == [answer]


def test_many_threads_log_one_warning(warnings: Callable[[], list[str]]) -> None:
    shared = InexactWarnings(Clock())
    field = InexactField(0, "ToolMessage", "artifact", [Loss("set", is_left_out=False)])
    start = threading.Barrier(16)

    def warn() -> None:
        start.wait()
        for _ in range(100):
            shared.warn("s", [field])

    threads = [threading.Thread(target=warn) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(warnings()) == 1


def test_fields_of_any_number_of_names_take_bounded_memory(
    warnings: Callable[[], list[str]],
) -> None:
    shared = InexactWarnings(Clock())
    for number in range(3_000):
        loss = Loss("set", is_left_out=False)
        shared.warn("s", [InexactField(0, "HumanMessage", f"extra{number}", [loss])])
    assert len(warnings()) == 3_000
    assert len(shared._recent) <= 1_000


@on_few_servers
async def test_a_strict_history_refuses_what_it_would_convert(
    door: Door, warnings: Callable[[], list[str]]
) -> None:
    strict = door.open(on_inexact="raise")
    with pytest.raises(InvalidMessageError, match="Document") as caught:
        await strict.add_messages([HumanMessage("x"), found()])
    assert (caught.value.index, caught.value.field) == (1, "artifact[0]")
    branch = await door.open().copy("branch")
    with pytest.raises(InvalidMessageError):
        await (await strict.copy("branch")).add_message(found())
    await branch.add_message(HumanMessage("x"))
    assert await strict.count() == 0
    assert warnings() == []
    for wrong in ("skip", None, True):
        with pytest.raises(InvalidArgumentError, match="on_inexact must be 'convert' or 'raise'"):
            door.open(on_inexact=wrong)


@on_few_servers
async def test_what_is_refused_stores_nothing_of_its_batch(door: Door) -> None:
    history = door.open()
    with pytest.raises(InvalidMessageError, match="cannot store this lock") as caught:
        await history.add_messages(
            [found(), AIMessage("x", additional_kwargs={"a": [threading.Lock()]})]
        )
    assert (caught.value.index, caught.value.field) == (1, "additional_kwargs['a'][0]")
    assert await history.count() == 0


@on_few_servers
@pytest.mark.parametrize("compress", [None, "zstd"])
async def test_the_names_stay_wherever_an_element_goes(
    door: Door, raw: Any, compress: str | None
) -> None:
    history = door.open(compress=compress, cache=ReadCache())
    await history.add_messages([HumanMessage("hi"), found(NOTES * 5)])
    elements = raw.lrange(history.history.key, 0, -1)
    assert b'"inexact":["artifact"],"id":"' in elements[1]
    assert (b'"zstd":' in elements[1]) is (compress is not None)
    entries = await history.entries()
    assert [entry.inexact for entry in entries] == [(), ("artifact",)]
    assert await history.messages() == await history.messages() == [e.message for e in entries]

    assert await (await history.copy("branch")).entries() == entries
    lines = await call(door, "export_sessions", ["session"], key_prefix=door.prefix)
    await call(door, "import_sessions", lines, key_prefix=f"{door.prefix}a:")
    raw.rpush(f"{door.prefix}old:session", *reversed(elements))
    await call(
        door,
        "migrate_sessions",
        door.client,
        "langchain-community",
        source_prefix=f"{door.prefix}old:",
        key_prefix=f"{door.prefix}b:",
    )
    for there in ("branch", "a:session", "b:session"):
        assert raw.lrange(f"{door.prefix}{there}", 0, -1) == elements

    rewritten = [json.dumps(json.loads(line), sort_keys=True) for line in lines]
    await call(door, "import_sessions", rewritten, key_prefix=f"{door.prefix}c:")
    assert await door.open("session", key_prefix=f"{door.prefix}c:").entries() == entries
    (session,) = await call(door, "list_sessions", f"{door.prefix}c:")
    assert session.last_written_at == entries[1].written_at


def test_the_command_line_shows_the_names(shell: Shell) -> None:
    history = MemorystoreChatMessageHistory(shell.client, "ada", key_prefix=shell.prefix)
    history.add_messages([HumanMessage("hi"), found()])
    shown = [json.loads(line) for line in shell("show", "ada", "--json").stdout.splitlines()]
    assert [row["inexact"] for row in shown] == [[], ["artifact"]]


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_converted_turn_that_is_repeated_after_a_lost_reply_is_stored_once(
    way: str, servers: Servers, proxy_to: ProxyTo, prefix: str
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    turn = [HumanMessage("x", tags={f"tag {n}" for n in range(20)}), found()]
    no_retry: Any = redis.retry if way == "sync" else redis.asyncio.retry
    options: Any = {"retry": no_retry.Retry(redis.backoff.NoBackoff(), 0), "socket_timeout": 0.3}
    target = Target("valkey-9.1")
    async with asyncio_client(target, proxy.port, **options) as client:
        blocking = target.connect(proxy.port, **options)
        door = Door(blocking if way == "sync" else client, way == "async", prefix)
        proxy.inject(DROP_REPLY, on="EVALSHA")
        with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
            await door.open().add_messages(turn)
        await door.open().add_messages(turn)
        entries = await door.open().entries()
        blocking.close()
    assert [entry.inexact for entry in entries] == [("tags",), ("artifact",)]


def test_release_030_reads_the_turn(servers: Servers, legacy_python: Path, prefix: str) -> None:
    port = servers.standalone("redis-7.0").port
    with redis.Redis(port=port, protocol=2) as client:
        history = MemorystoreChatMessageHistory(client, f"{prefix}s")
        parsed = River(name="Rhine", length_km=1233)
        answer = AIMessage("The Rhine.", additional_kwargs={"parsed": parsed})
        history.add_messages([HumanMessage("Rhine?"), found(NOTES[1:]), answer])
        rows = run_legacy(legacy_python, "read", str(port), history.key).splitlines()
    read = [json.loads(row) for row in rows]
    assert [row["type"] for row in read] == ["human", "tool", "ai"]
    assert read[1]["data"]["artifact"] == FOUND
    assert read[2]["data"]["additional_kwargs"]["parsed"] == parsed.model_dump()


def arrays() -> Iterator[Any]:
    yield np.arange(3), [0, 1, 2]
    yield {"scores": np.array([0.5, 1.0])}, {"scores": [0.5, 1.0]}


@pytest.mark.parametrize(("artifact", "form"), list(arrays()), ids=["array", "within a dict"])
@pytest.mark.parametrize("target", TARGETS[:1], ids=str)
async def test_a_thread_may_hold_what_cannot_be_compared(
    door: Door, artifact: Any, form: Any
) -> None:
    """The middleware finds out whether the thread has the messages of the session already."""

    @tool(response_format="content_and_artifact")
    def notes(query: str) -> tuple[str, Any]:
        """Search the notes."""
        return query, artifact

    agent: Any = create_agent(
        Researcher(),
        tools=[notes],
        middleware=[ChatHistoryMiddleware(lambda name: door.open(name).history)],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"session_id": "session", "thread_id": "t"}}
    for turn in range(2):
        given = {"messages": [HumanMessage("Rhine?", id=f"question {turn}")]}
        if door.by_async:
            await agent.ainvoke(given, config)
        else:
            agent.invoke(given, config)
    entries = await door.open().entries()
    assert [entry.inexact for entry in entries[2::4]] == [("artifact",)] * 2
    assert [entry.message.artifact for entry in entries[2::4]] == [form] * 2
