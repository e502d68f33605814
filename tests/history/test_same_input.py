"""Input that an agent was given before: a new turn, or the repeat of a run that raised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import redis
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_google_memorystore_redis import (
    ChatHistoryMiddleware,
    InvalidArgumentError,
    MemorystoreSaver,
)
from langchain_google_memorystore_redis._history import runs
from langchain_google_memorystore_redis._history.runs import UnfinishedRuns
from langchain_google_memorystore_redis._history.turn import Beginning, Loaded, begin, end
from tests.checkpoint.agents import Scripted, agent_of, asked, echo, expected, transcript
from tests.faults import CUT_BEFORE, DROP_REPLY, Proxy
from tests.plugins.agents import LOST, WAYS, Chat, opened
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

ALREADY = "already in the thread"


class Counting(Scripted):
    """Counts its answers."""

    calls: list[int]

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Any:
        self.calls.append(len(messages))
        return super()._generate(messages)


def saver_of(kind: str, chat: Chat) -> Any:
    if kind == "in memory":
        return InMemorySaver()
    return MemorystoreSaver(chat.client, key_prefix=f"{chat.prefix}checkpoint:")


SAVERS = pytest.mark.parametrize("kind", ["in memory", "in Memorystore"])


# The rules, without a server


def human(name: str) -> HumanMessage:
    return HumanMessage(name, id=name)


def ai(name: str, *call_ids: str) -> AIMessage:
    calls: Any = [{"name": "search", "args": {}, "id": each} for each in call_ids]
    return AIMessage(name, id=name, tool_calls=calls)


def found(call_id: str) -> ToolMessage:
    return ToolMessage("found", tool_call_id=call_id, id=f"result of {call_id}")


def begun(
    session: Sequence[BaseMessage],
    given: Sequence[BaseMessage],
    *,
    thread: Sequence[BaseMessage] | None = None,
    has_ended: bool = False,
    unfinished: dict[str, str] | None = None,
    is_resumed: bool = False,
) -> Beginning:
    """Begin a run after one that began, and perhaps ended, with the messages of a thread."""
    previous = None
    if thread is not None:
        previous = begin(Loaded("s", []), thread[:1], None, lambda _: None).run
        previous = end(previous, thread).run if has_ended else previous

    def find(asked: str) -> str | None:
        return (unfinished or {}).get(asked)

    return begin(Loaded("s", session), given, previous, find, is_resumed=is_resumed)


q, r, a, b = human("q"), human("r"), ai("a"), ai("b")
call, seen = ai("call", "c"), found("c")


@pytest.mark.parametrize(
    ("session", "given", "messages"),
    [
        ([], [q], "q"),
        ([q, a], [r], "q a r"),
        ([q, a], [q, a, r], "q a r"),  # the whole conversation, as web pages send it
        ([q, a], [r, q], "q a r q'"),
        ([q, a], [q], "q a q'"),
        ([q, r, a], [q, r], "q r a q' r'"),  # two messages are one question
        ([q, a, r, b], [q, r], "q a r b r'"),  # these were two questions
        ([q, a, r, b], [q, a, r], "q a r b r'"),
        ([q, a, r], [r], "q a r"),  # a question that is not answered yet
        ([q, a, r], [q, a, r], "q a r"),
        ([q, a, r], [q], "q a r q'"),
        ([q], [], "q"),
        ([q, a], [ai("prefill")], "q a prefill"),
        ([q, call], [seen], "q call result of c"),
    ],
)
def test_input_is_new_or_asked_again(session: list[Any], given: list[Any], messages: str) -> None:
    before = [each.model_copy() for each in given]
    beginning = begun(session, given)
    known = {each.id for each in (*session, *given)}
    said = [each.id if each.id in known else f"{each.content}'" for each in beginning.messages]
    assert " ".join(map(str, said)) == messages
    assert not beginning.is_over
    assert given == before
    ids = [each.id for each in beginning.messages]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("session", "given"),
    [
        ([], []),
        ([q, a], []),
        ([q, a], [q, a]),
        ([q, call, seen], [seen]),
        ([q, a], [found("unknown")]),
    ],
)
def test_input_without_a_question_is_refused(session: list[Any], given: list[Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="messages"):
        begun(session, given)


@pytest.mark.parametrize(
    ("session", "unfinished", "is_over"),
    [
        ([q, a], {"q": "q"}, True),
        ([q, a, r, b], {"q": "q"}, True),
        ([q, a], {"r": "r"}, False),
        ([q], {"q": "q"}, False),  # stored, and not answered
        ([q, a], {"q": "its second copy"}, False),
        ([q, a, human("copy"), b], {"q": "copy"}, True),
    ],
)
def test_a_run_that_raised_is_over_if_its_answer_is_stored(
    session: list[Any], unfinished: dict[str, str], is_over: bool
) -> None:
    assert begun(session, [q], unfinished=unfinished).is_over == is_over


@pytest.mark.parametrize(
    ("thread", "is_repeat", "messages", "is_over"),
    [
        ([q, call, seen, a], True, "q call result of c a", True),
        ([q, call], True, "q", False),
        ([q, call, seen], True, "q call result of c", False),
        ([q, call, seen], False, "q call result of c", False),
        ([q], False, "q", False),
        ([q, call, seen, a], False, None, False),
        ([q, call], False, None, False),
    ],
)
def test_what_an_unfinished_run_left_in_a_thread_goes_on_where_it_raised(
    thread: list[Any], is_repeat: bool, messages: str | None, is_over: bool
) -> None:
    unfinished = {"q": "q"} if is_repeat else {}
    if is_repeat:
        assert begun([], thread, thread=thread, is_resumed=True).is_over == is_over
    if messages is None:
        with pytest.raises(InvalidArgumentError, match=ALREADY):
            begun([], thread, thread=thread, unfinished=unfinished)
        return
    beginning = begun([], thread, thread=thread, unfinished=unfinished)
    assert " ".join(str(each.id) for each in beginning.messages) == messages
    assert beginning.is_over == is_over


def test_input_that_a_thread_has_answered_is_refused() -> None:
    for unfinished in ({}, {"q": "q"}):
        with pytest.raises(InvalidArgumentError, match=ALREADY):
            begun([q, a], [q, a], thread=[q, a], has_ended=True, unfinished=unfinished)


def test_runs_are_forgotten_by_age_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished, states = UnfinishedRuns(), [begun([], [human(name)]).run for name in "abc"]
    monkeypatch.setattr(runs, "_MAX_RUNS", 2)
    for state in states:
        unfinished.record("s", state)
    assert [unfinished.find("s", name) for name in "abc"] == [None, "b", "c"]
    assert unfinished.find("t", "c") is None
    unfinished.forget("s", states[2])
    assert unfinished.find("s", "c") is None
    monkeypatch.setattr(runs, "_MAX_AGE", 0)
    assert unfinished.find("s", "b") is None


# Agents


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "target", [Target("redis-5.0", protocol=2), Target("redis-7.0", cluster=True)], ids=str
)
async def test_one_message_object_can_be_asked_any_number_of_times(
    way: str, target: Target, servers: Servers, prefix: str
) -> None:
    async for chat in opened(way, target, target.port(servers), prefix):
        agent, question = chat.agent(), HumanMessage("echo it")
        for turn in range(1, 4):
            said = await chat.run(agent, {"messages": [question]})
            assert transcript(said) == await chat.stored() == expected(*["echo it"] * turn)
            assert len({message.id for message in said}) == len(said)
        given_id = question.id
        await chat.run(agent, {"messages": question})
        assert question.id == given_id
        assert await chat.stored() == expected(*["echo it"] * 4)


@pytest.mark.parametrize(("fault", "calls"), [(DROP_REPLY, 4), (CUT_BEFORE, 6)])
async def test_a_second_turn_that_raised_is_stored_once(
    impatient: Chat, agent_proxy: Proxy, fault: Any, calls: int
) -> None:
    model = Counting(calls=[])
    agent = agent_with(impatient, model)
    question = HumanMessage("echo it")
    await impatient.run(agent, {"messages": [question]})
    agent_proxy.inject(fault, on="EVALSHA")
    with pytest.raises(LOST):
        await impatient.run(agent, {"messages": [question]})
    said = await impatient.run(agent, {"messages": [question]})
    assert transcript(said) == await impatient.stored() == expected("echo it", "echo it")
    assert len(model.calls) == calls
    await impatient.run(agent, {"messages": [question]})
    assert await impatient.stored() == expected(*["echo it"] * 3)


def agent_with(chat: Chat, model: Any, saver: Any = None, *tools: Any) -> Any:
    memory = ChatHistoryMiddleware(chat.open)
    return create_agent(model, tools=[echo, *tools], middleware=[memory], checkpointer=saver)


@SAVERS
async def test_input_that_replaced_an_older_message_is_refused(chat: Chat, kind: str) -> None:
    agent, question = chat.agent(saver_of(kind, chat)), HumanMessage("echo it")
    await chat.run(agent, {"messages": [question]})
    for given in ([question], []):
        with pytest.raises(InvalidArgumentError, match=ALREADY):
            await chat.run(agent, {"messages": given})
    assert await chat.stored() == expected("echo it")
    said = await chat.run(agent, {"messages": [question.model_copy(update={"id": None})]})
    assert transcript(said) == await chat.stored() == expected("echo it", "echo it")


@SAVERS
@pytest.mark.parametrize("fault", [DROP_REPLY, CUT_BEFORE])
async def test_an_append_that_raised_is_stored_once_when_a_thread_is_asked_again(
    impatient: Chat, agent_proxy: Proxy, servers: Servers, kind: str, fault: Any
) -> None:
    model = Counting(calls=[])
    saver: Any = InMemorySaver()
    if kind == "in Memorystore":
        client = redis.Redis(port=servers.standalone("valkey-9.1").port)
        saver = MemorystoreSaver(client, key_prefix=f"{impatient.prefix}checkpoint:")
    agent, question = agent_with(impatient, model, saver), HumanMessage("echo it")
    for _ in range(2):
        agent_proxy.inject(fault, on="EVALSHA")
        with pytest.raises(LOST):
            await impatient.run(agent, {"messages": [question]})
        if fault is DROP_REPLY:
            break
    said = await impatient.run(agent, {"messages": [question]})
    assert transcript(said) == await impatient.stored() == expected("echo it")
    assert len(model.calls) == 2
    with pytest.raises(InvalidArgumentError, match=ALREADY):
        await impatient.run(agent, {"messages": [question]})


def failing_tool(times: int) -> Any:
    left = [times]

    @tool
    def flaky(question: str) -> str:
        """Fail at first."""
        left[0] -= 1
        if left[0] >= 0:
            raise RuntimeError("the tool failed")
        return f"you asked {question!r}"

    return flaky


@SAVERS
async def test_a_run_whose_tool_raised_runs_again_for_the_same_input(chat: Chat, kind: str) -> None:
    agent = agent_with(chat, Scripted(), saver_of(kind, chat), failing_tool(2))
    await chat.run(agent, asked("echo before", 0))
    question = HumanMessage("flaky now")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await chat.run(agent, {"messages": [question]})
    said = await chat.run(agent, {"messages": [question]})
    assert transcript(said) == await chat.stored() == expected("echo before", "flaky now")


async def test_what_another_process_left_in_a_thread_is_not_taken_for_an_answer(
    chat: Chat, servers: Servers
) -> None:
    saver, tool_that_fails = InMemorySaver(), failing_tool(1)
    question = HumanMessage("flaky now")
    with pytest.raises(RuntimeError):
        await chat.run(
            agent_with(chat, Scripted(), saver, tool_that_fails), {"messages": [question]}
        )
    target = Target("valkey-9.1")
    way = "async" if chat.by_async else "sync"
    async for other in opened(way, target, target.port(servers), chat.prefix):
        agent = agent_with(other, Scripted(), saver, tool_that_fails)
        with pytest.raises(InvalidArgumentError, match=ALREADY):
            await other.run(agent, {"messages": [question]})
        said = await other.run(agent, None)
        assert transcript(said) == await other.stored() == expected("flaky now")


@SAVERS
async def test_a_question_that_waits_for_a_human_can_be_asked_again(chat: Chat, kind: str) -> None:
    agent, question = chat.agent(saver_of(kind, chat)), HumanMessage("confirm it")
    for _ in range(2):
        await chat.run(agent, {"messages": [question]})
    said = await chat.run(agent, Command(resume="yes"))
    whole = expected("confirm it", tool_says="a human said 'yes'")
    assert transcript(said) == await chat.stored() == whole


async def test_a_run_that_began_without_the_middleware_is_stored_once(
    impatient: Chat, agent_proxy: Proxy
) -> None:
    saver = InMemorySaver()
    await impatient.run(agent_of(saver), asked("confirm it", 0))
    agent_proxy.inject(DROP_REPLY, on="EVALSHA")
    with pytest.raises(LOST):
        await impatient.run(impatient.agent(saver), Command(resume="yes"))
    await impatient.run(impatient.agent(saver), None)
    assert await impatient.stored() == expected("confirm it", tool_says="a human said 'yes'")
