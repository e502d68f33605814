"""An agent that remembers its users: over threads, processes, and every kind of client."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langchain_google_memorystore_redis import AsyncClientError, MemorystoreStore
from tests.checkpoint.savers import Pair
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers

PROGRAM = Path(__file__).parents[2] / "examples" / "memory_agent" / "agent.py"


def load() -> Any:
    """Import the program."""
    spec = importlib.util.spec_from_file_location("memory_agent", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FEW = [
    Pair(Target("valkey-9.1"), "async"),
    Pair(Target("redis-7.0", protocol=2), "sync"),
    Pair(Target("redis-5.0", protocol=2), "thread"),
    Pair(Target("valkey-9.1", cluster=True, protocol=2), "async"),
]


@pytest.fixture(params=FEW, ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Fewer targets than other tests have."""
    chosen: Pair = request.param
    return chosen


async def test_an_agent_remembers_a_user_over_threads(
    pair: Pair, servers: Servers, prefix: str
) -> None:
    target, port = pair.target, pair.target.port(servers)
    program = load()

    async def ask(agent: Any, user: str, text: str, thread: str) -> str:
        config: Any = {"configurable": {"thread_id": f"{user} {thread}"}}
        asked: Any = {"messages": text}
        if pair.way == "sync":
            answer = agent.invoke(asked, config, context=program.User(user))
        else:
            # Its tools are not async, and call the store from worker threads.
            answer = await agent.ainvoke(asked, config, context=program.User(user))
        return str(answer["messages"][-1].text)

    async def converse(client: Any) -> None:
        for turn in range(2):
            agent = program.create(client, key_prefix=prefix)
            for user in ("ada", "bob"):
                assert await ask(agent, user, f"I am {user}", f"{turn}") == "I will remember that."
                answer = await ask(agent, user, "Who am I?", f"other {turn}")
                assert answer == f"You told me: I am {user}"
        assert await ask(agent, "eve", "Who am I?", "1") == "I know nothing."

    if pair.way == "async":
        async with asyncio_client(target, port) as client:
            await converse(client)
            store = MemorystoreStore(client, key_prefix=f"{prefix}store:")
            with pytest.raises(AsyncClientError, match="ainvoke"):
                store.get(("users", "ada"), "x")
            assert len(await store.alist_namespaces(prefix=("users",))) == 2
    else:
        client = target.connect(port)
        await converse(client)
        client.close()


@pytest.mark.slow
def test_the_example_remembers_over_processes(servers: Servers) -> None:
    env = {**os.environ, "REDIS_URL": servers.of_pages("valkey-9.1").url}

    def run(*args: str) -> str:
        command = [sys.executable, str(PROGRAM), *args]
        done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
        return done.stdout.strip()

    assert run("example-ada", "What do I like?") == "I know nothing."
    assert run("example-ada", "I like pizza") == "I will remember that."
    assert run("example-ada", "What do I like?") == "You told me: I like pizza"
    assert run("example-bob", "What do I like?") == "I know nothing."
