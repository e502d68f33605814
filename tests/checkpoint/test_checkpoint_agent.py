"""A real agent on the saver: tools, interrupts, time travel, a killed process, a faulty network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from langchain.agents import create_agent
from langchain_core.language_models import FakeListChatModel
from langgraph.types import Command

from langchain_google_memorystore_redis import MemorystoreSaver
from tests.agents import agent_of, asked, expected, transcript
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.faults import ProxyTo
from tests.plugins.servers import Servers
from tests.servers.processes import Server, wait_until
from tests.soak_checkpoint import converse

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
    command = [sys.executable, "-m", "tests.agents", str(server.port), prefix, question, "--block"]
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
