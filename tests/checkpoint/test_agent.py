"""A real agent on the saver: tools, interrupts, time travel, a killed process, a faulty network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import redis
import redis.asyncio
from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command
from typing_extensions import TypedDict

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory, MemorystoreSaver
from tests.checkpoint.agents import agent_of, asked, expected, transcript
from tests.checkpoint.savers import checkpoint_of, config_of
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import Server, wait_until
from tests.soak.agents import converse

CONFIG: Any = {"configurable": {"thread_id": "t"}}
SERVERS = (
    Target("redis-5.0", protocol=2),
    Target("redis-7.0", decode_responses=True),
    Target("valkey-9.1"),
    Target("valkey-9.1", cluster=True),
)

each_server = pytest.mark.parametrize("target", SERVERS, ids=str)


def messages_of(agent: Any, config: Any = CONFIG) -> list[tuple[str, str]]:
    return transcript(agent.get_state(config).values["messages"])


@each_server
def test_an_agent_remembers_its_threads_apart(client: Any, prefix: str) -> None:
    for turn in range(3):
        agent = agent_of(MemorystoreSaver(client, key_prefix=prefix))
        for thread in ("a", "b"):
            config = {"configurable": {"thread_id": thread}}
            agent.invoke(asked(f"echo {thread} {turn}", turn), config)
    for thread in ("a", "b"):
        said = messages_of(agent, {"configurable": {"thread_id": thread}})
        assert said == expected(*(f"echo {thread} {turn}" for turn in range(3)))


@each_server
async def test_an_agent_remembers_in_asyncio(target: Target, servers: Servers, prefix: str) -> None:
    async with asyncio_client(target, target.port(servers)) as client:
        for turn in range(3):
            agent = agent_of(MemorystoreSaver(client, key_prefix=prefix))
            await agent.ainvoke(asked(f"echo {turn}", turn), CONFIG)
        state = await agent.aget_state(CONFIG)
        assert transcript(state.values["messages"]) == expected("echo 0", "echo 1", "echo 2")
        history = [found async for found in agent.aget_state_history(CONFIG)]
        assert len(history) == 3 * 5


@each_server
def test_an_interrupt_is_resumed_by_another_agent(client: Any, prefix: str) -> None:
    first = agent_of(MemorystoreSaver(client, key_prefix=prefix))
    first.invoke(asked("confirm it", 0), CONFIG)
    second = agent_of(MemorystoreSaver(client, key_prefix=prefix))
    (waiting,) = second.get_state(CONFIG).interrupts
    assert waiting.value == {"question": "confirm it"}
    second.invoke(Command(resume="yes"), CONFIG)
    assert messages_of(second) == expected("confirm it", tool_says="a human said 'yes'")
    assert second.get_state(CONFIG).next == ()


@each_server
def test_time_travel_forks_a_thread_and_keeps_both_branches(client: Any, prefix: str) -> None:
    agent = agent_of(MemorystoreSaver(client, key_prefix=prefix))
    agent.invoke(asked("echo first", 0), CONFIG)
    agent.invoke(asked("echo second", 1), CONFIG)
    main_branch = messages_of(agent)
    history = list(agent.get_state_history(CONFIG))
    (fork,) = [found for found in history if not found.next and len(found.values["messages"]) == 4]
    agent.invoke(asked("echo other", 2), fork.config)
    assert messages_of(agent) == expected("echo first", "echo other")
    assert messages_of(agent, history[0].config) == main_branch
    assert len(list(agent.get_state_history(CONFIG))) == len(history) + 5
    edited = agent.update_state(fork.config, asked("echo edited", 0))
    assert messages_of(agent, edited)[0] == ("human", "echo edited")
    assert messages_of(agent, fork.config)[0] == ("human", "echo first")


@each_server
def test_an_agent_goes_on_after_its_thread_was_pruned_and_copied(client: Any, prefix: str) -> None:
    saver = MemorystoreSaver(client, key_prefix=prefix)
    agent = agent_of(saver)
    for turn in range(3):
        agent.invoke(asked(f"echo {turn}", turn), CONFIG)
        saver.prune(["t"])
        assert len(list(saver.list(CONFIG))) == 1
    saver.copy_thread("t", "copy")
    copy = {"configurable": {"thread_id": "copy"}}
    agent.invoke(asked("echo more", 3), copy)
    assert messages_of(agent) == expected("echo 0", "echo 1", "echo 2")
    assert messages_of(agent, copy) == expected("echo 0", "echo 1", "echo 2", "echo more")


def of_the_docs(name: str, **names: Any) -> Any:
    """A function that a page tells its reader to copy, with these names around it."""
    page = Path(__file__).parents[2] / "docs" / "checkpointer.md"
    (block,) = re.findall(rf"(from [^`]*?def {name}.*?)\n\n\w", page.read_text("utf-8"), re.DOTALL)
    exec(block, names)
    return names[name]


@each_server
def test_a_thread_moved_as_the_docs_say_keeps_the_order_of_its_tasks(
    client: Any, prefix: str
) -> None:
    saver, old_saver = MemorystoreSaver(client, key_prefix=prefix), InMemorySaver()
    configs: list[Any] = [config_of("t")]
    for step in range(3):
        checkpoint = checkpoint_of({"a": f"{step}"}, a=step)
        configs.append(old_saver.put(configs[-1], checkpoint, {"step": step}, {"a": f"{step}"}))
        for path, task in (("1", "z"), ("2", "b"), ("3", "c")):
            old_saver.put_writes(configs[-1], [("a", task), ("b", step)], task, path)
    move_thread = of_the_docs("move_thread", saver=saver)
    for _ in range(2):
        move_thread(old_saver, "t")
    assert list(saver.list(CONFIG)) == list(old_saver.list(CONFIG))
    assert [found.pending_writes for found in saver.list(CONFIG)] == [
        [write for task in "zbc" for write in ((task, "a", task), (task, "b", step))]
        for step in (2, 1, 0)
    ]


@each_server
def test_a_session_turned_into_a_thread_as_the_docs_say_leaves_nothing_to_do(
    client: Any, prefix: str
) -> None:
    saver = MemorystoreSaver(client, key_prefix=prefix)
    agent = agent_of(saver)

    def history_of(client: Any, session_id: str) -> MemorystoreChatMessageHistory:
        return MemorystoreChatMessageHistory(client, session_id, key_prefix=prefix)

    said = [HumanMessage("echo a"), AIMessage("echo b")]
    history_of(client, "t").add_messages(said)
    session_to_thread = of_the_docs("session_to_thread", saver=saver, agent=agent, client=client)
    session_to_thread.__globals__["MemorystoreChatMessageHistory"] = history_of
    for _ in range(2):
        config = session_to_thread("t")
    assert agent.get_state(config).next == ()
    agent.invoke(None, config)
    assert messages_of(agent) == transcript(said)


@each_server
def test_an_interrupt_in_a_subgraph_is_resumed_by_another_agent(client: Any, prefix: str) -> None:
    def parent_of() -> Any:
        state: Any = TypedDict("state", {"messages": Annotated[list[Any], add_messages]})
        graph: Any = StateGraph(state)
        graph.add_node("child", agent_of())
        graph.add_node("after", lambda _: {"messages": [AIMessage("after the child")]})
        graph.add_edge(START, "child")
        graph.add_edge("child", "after")
        return graph.compile(checkpointer=MemorystoreSaver(client, key_prefix=prefix))

    for turn, config in enumerate((CONFIG, {"configurable": {"thread_id": "u"}})):
        parent_of().invoke(asked("confirm it", turn), config)
        second = parent_of()
        (task,) = second.get_state(config, subgraphs=True).tasks
        assert [found.value for found in task.interrupts] == [{"question": "confirm it"}]
        assert task.state.next == ("tools",)
        assert transcript(task.state.values["messages"]) == expected("confirm it")[:2]
        second.invoke(Command(resume="yes"), config)
        said = [*expected("confirm it", tool_says="a human said 'yes'"), ("ai", "after the child")]
        assert messages_of(parent_of(), config) == said
        saver = MemorystoreSaver(client, key_prefix=prefix)
        spaces = {found.config["configurable"]["checkpoint_ns"] for found in saver.list(config)}
        assert len(spaces) == 2


@pytest.mark.parametrize(
    ("question", "resume", "tool_says"),
    [
        ("block it", None, "no longer blocked by 'block it'"),
        ("confirm it", Command(resume="yes"), "a human said 'yes'"),
    ],
)
def test_a_killed_process_is_taken_over_by_another(
    servers: Servers, prefix: str, question: str, resume: Any, tool_says: str
) -> None:
    server = servers.standalone("valkey-9.1")
    command = [
        sys.executable,
        "-m",
        "tests.checkpoint.agents",
        str(server.port),
        prefix,
        question,
        "--block",
    ]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == ("interrupted" if resume else "in the tool")
        with redis.Redis(port=server.port) as client:
            agent = agent_of(MemorystoreSaver(client, key_prefix=prefix))
            # The checkpoint before the tool is written while the tool runs.
            wait_until(lambda: len(messages_of(agent)) == 6, "the request for the tool")
            child.kill()
            child.wait()
            agent.invoke(resume, CONFIG)
            turn = expected(question, tool_says=tool_says)
            assert messages_of(agent) == expected("echo before") + turn


def test_a_turn_costs_a_round_trip_for_each_checkpoint_and_each_task(
    servers: Servers, proxy_to: ProxyTo, prefix: str
) -> None:
    proxy = proxy_to(servers.standalone("valkey-9.1").port)
    with redis.Redis(port=proxy.port) as client:
        saver = MemorystoreSaver(client, key_prefix=prefix)
        model = FakeListChatModel(responses=["Hello!"])
        plain: Any = create_agent(model, tools=[], checkpointer=saver)
        tools = agent_of(saver)
        for turn in range(3):
            plain.invoke(asked("hi", turn), CONFIG)
            tools.invoke(asked("echo hi", turn), {"configurable": {"thread_id": "tools"}})
        with proxy.counting() as count:
            plain.invoke(asked("hi", 3), CONFIG)
        assert len(count.commands) == 6
        with proxy.counting() as count:
            tools.invoke(asked("echo hi", 3), {"configurable": {"thread_id": "tools"}})
        assert len(count.commands) == 10


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 8])
async def test_no_turn_is_lost_or_doubled_by_a_faulty_network(
    servers: Servers, proxy_to: ProxyTo, prefix: str, retries: int
) -> None:
    port = servers.standalone("valkey-9.1").port
    outcome = await converse(proxy_to(port), prefix, turns=100, rate=0.05, retries=retries)
    assert outcome.faults > 20
    # redis-py 5 does not try again when it is cut off in its own handshake.
    assert (outcome.exact > 0) == (retries > 0)


def test_a_restarted_server_is_noticed_and_then_used_again(servers: Servers, prefix: str) -> None:
    server = Server(servers.engine("redis-7.0"), "--appendonly", "yes")
    with server, redis.Redis(port=server.port) as client:
        agent = agent_of(MemorystoreSaver(client, key_prefix=prefix))
        agent.invoke(asked("echo 0", 0), CONFIG)
        server.stop()
        server.start()
        agent.invoke(asked("echo 1", 1), CONFIG)
        assert messages_of(agent) == expected("echo 0", "echo 1")
