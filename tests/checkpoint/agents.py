"""An agent for tests, whose model needs no network and whose answers follow from the question.

`python -m tests.checkpoint.agents PORT PREFIX` runs one turn that stops inside a tool until it is
killed.

Strategy: the model looks at the last message alone, so an agent that is resumed elsewhere, or
that runs a turn again after a fault, gives the same answers, and what a thread must hold after
any number of turns can be written down.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

import redis
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.types import interrupt

from langchain_google_memorystore_redis import MemorystoreSaver


class Scripted(BaseChatModel):
    """Calls the tool that the question begins with, and repeats what the tool says."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        last = messages[-1]
        text = str(last.content)
        if isinstance(last, ToolMessage):
            answer = AIMessage(f"It is so: {text}", id=f"answer to {last.tool_call_id}")
        else:
            name = text.split(maxsplit=1)[0]
            call = {"name": name, "args": {"question": text}, "id": f"call of {last.id}"}
            answer = AIMessage("", tool_calls=[call], id=f"request of {last.id}")
        return ChatResult(generations=[ChatGeneration(message=answer)])


@tool
def echo(question: str) -> str:
    """Repeat the question."""
    return f"you asked {question!r}"


@tool
def confirm(question: str) -> str:
    """Ask a human."""
    return f"a human said {interrupt({'question': question})!r}"


@tool
def block(question: str) -> str:
    """Never return in the process that is to be killed."""
    if "--block" in sys.argv:
        print("in the tool", flush=True)
        threading.Event().wait()
    return f"no longer blocked by {question!r}"


def agent_of(saver: Any = None, *middleware: Any) -> Any:
    """An agent with a saver, or none, and with middleware."""
    tools = [echo, confirm, block]
    return create_agent(Scripted(), tools=tools, checkpointer=saver, middleware=middleware)


def asked(text: str, number: int) -> dict[str, Any]:
    """The input of a turn."""
    return {"messages": [HumanMessage(text, id=f"question {number}")]}


def transcript(messages: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    """What a thread holds, in short."""
    return [(message.type, str(message.content)) for message in messages]


def expected(*questions: str, tool_says: str | None = None) -> list[tuple[str, str]]:
    """What turns add to a thread."""
    said = []
    for question in questions:
        says = tool_says or f"you asked {question!r}"
        said += [("human", question), ("ai", ""), ("tool", says), ("ai", f"It is so: {says}")]
    return said


def main() -> None:
    port, prefix = int(sys.argv[1]), sys.argv[2]
    saver = MemorystoreSaver(redis.Redis(port=port), key_prefix=prefix)
    config = {"configurable": {"thread_id": "t"}}
    agent = agent_of(saver)
    agent.invoke(asked("echo before", 0), config)
    agent.invoke(asked(sys.argv[3], 1), config)
    print("interrupted", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
