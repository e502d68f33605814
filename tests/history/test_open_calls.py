"""Agents whose tool calls stay open: a model always takes what it is shown and what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ToolCallLimitMiddleware,
    hook_config,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from langchain_google_memorystore_redis import (
    ChatHistoryMiddleware,
    MemorystoreChatMessageHistory,
    MemorystoreSaver,
)
from tests.history.acceptance import check_accepted
from tests.plugins.clients import Target, asyncio_client
from tests.plugins.servers import Servers


class Strict(BaseChatModel):
    """Calls the tools that the question names, and refuses what a provider would refuse."""

    @property
    def _llm_type(self) -> str:
        return "strict"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        check_accepted(messages)
        answer = AIMessage("It is so.")
        if isinstance(messages[-1], HumanMessage) and messages[-1].content:
            names = str(messages[-1].content).split()
            answer = AIMessage(
                "",
                tool_calls=[
                    {"name": name, "args": {}, "id": f"call {number}"}  # the same in each turn
                    for number, name in enumerate(names)
                    if name != "garbled"
                ],
                invalid_tool_calls=[
                    {
                        "name": "look",
                        "args": "{",
                        "id": f"garbled {len(messages)}",
                        "error": "no JSON",
                    }
                ]
                * names.count("garbled"),
            )
        return ChatResult(generations=[ChatGeneration(message=answer)])


@tool
def look() -> str:
    """Look."""
    return "seen"


@tool
def confirm() -> str:
    """Ask a human."""
    return str(interrupt("may I?"))


@tool
def send() -> str:
    """Send, if a human approves."""
    return "sent"


@tool
def fail() -> str:
    """Fail."""
    raise RuntimeError("the tool failed")


@tool(return_direct=True)
def finish() -> str:
    """Answer in place of the model."""
    return "finished"


@tool
def leave() -> str:
    """Be called by a model whose run ends first."""
    return "never"


class Leaving(AgentMiddleware[Any, Any, Any]):
    """Ends the run with its calls open if one is of `leave`."""

    @hook_config(can_jump_to=["end"])
    def after_model(self, state: Any, runtime: Any) -> Any:
        calls = getattr(state["messages"][-1], "tool_calls", ())
        return {"jump_to": "end"} if any(call["name"] == "leave" for call in calls) else None


def middleware_of(kind: str) -> list[Any]:
    match kind:
        case "approve":
            return [HumanInTheLoopMiddleware(interrupt_on={"send": True})]
        case "model limit":
            return [ModelCallLimitMiddleware(run_limit=1, exit_behavior="end")]
        case "tool limit":
            return [ToolCallLimitMiddleware(run_limit=1, exit_behavior="end")]
        case _:
            return [Leaving()]


TOOLS = [look, confirm, send, fail, finish, leave]
CALLS = st.lists(
    st.sampled_from([*(each.name for each in TOOLS), "garbled"]), max_size=3, unique=True
).map(" ".join)
KINDS = st.sampled_from(["approve", "model limit", "tool limit", "leave"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "resume", "forget"]), CALLS), min_size=1, max_size=5
)


async def run(
    history: MemorystoreChatMessageHistory, saver: Any, kind: str, steps: Any, by_async: bool
) -> None:
    config: Any = {"configurable": {"thread_id": str(uuid4()), "session_id": "s"}}
    middleware = [ChatHistoryMiddleware(lambda _: history), *middleware_of(kind)]
    agent: Any = create_agent(Strict(), tools=TOOLS, middleware=middleware, checkpointer=saver)
    for step, calls in steps:
        given: Any = {"messages": [HumanMessage(calls)]}
        if step == "resume":
            decisions = {"decisions": [{"type": "approve"}]}
            given = Command(resume=decisions if kind == "approve" else "yes")
        elif step == "forget":
            config["configurable"]["thread_id"] = str(uuid4())
        said = None
        # The tool `fail`; a resume for which nothing waits, or another number of decisions.
        with suppress(RuntimeError, ValueError, TypeError):
            said = await agent.ainvoke(given, config) if by_async else agent.invoke(given, config)
        stored = await history.aget_messages() if by_async else history.messages
        check_accepted(stored)
        if said is not None and "__interrupt__" not in said:
            check_accepted(said["messages"])
            assert stored[-1:] in ([], said["messages"][-1:])  # max_messages may drop all


@asynccontextmanager
async def connected(way: str, target: Target, port: int) -> AsyncIterator[Any]:
    if way == "async":
        async with asyncio_client(target, port) as client:
            yield client
    else:
        with target.connect(port) as client:
            yield client


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("saves", ["in memory", "in Memorystore"])
def test_a_model_takes_whatever_turns_leave(
    way: str, saves: str, servers: Servers, prefix: str
) -> None:
    target = Target("valkey-9.1")
    port = target.port(servers)

    @settings(
        max_examples=15,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @example("leave", [("ask", "confirm look"), ("ask", "look")], None)
    @example("approve", [("ask", "send"), ("ask", "send"), ("resume", "")], None)
    @example("leave", [("ask", "leave look"), ("ask", "look")], None)
    @example("model limit", [("ask", "look"), ("ask", "look")], None)
    @example("leave", [("ask", "fail garbled"), ("ask", "finish garbled")], None)
    @given(KINDS, STEPS, st.none() | st.integers(1, 6))
    def check(kind: str, steps: Any, max_messages: int | None) -> None:
        asyncio.run(check_one(kind, steps, max_messages))

    async def check_one(kind: str, steps: Any, max_messages: int | None) -> None:
        async with connected(way, target, port) as client:
            key_prefix = f"{prefix}{uuid4()}:"
            history = MemorystoreChatMessageHistory(
                client, "s", key_prefix=key_prefix, max_messages=max_messages, ttl=60
            )
            saver = InMemorySaver() if saves == "in memory" else MemorystoreSaver(client, ttl=60)
            await run(history, saver, kind, steps, way == "async")

    check()
