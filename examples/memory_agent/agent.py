"""An agent that remembers its users over threads and processes, on any Redis or Valkey.

    REDIS_URL=redis://127.0.0.1:6379 python examples/memory_agent/agent.py ada "I like pizza"
    REDIS_URL=redis://127.0.0.1:6379 python examples/memory_agent/agent.py ada "What do I like?"

Each run is a process and a thread of its own; what a user has said about themselves is kept in the
long-term store. The model here follows rules and needs no key: `--model provider:name` uses any
chat model of LangChain.
"""

from __future__ import annotations

import argparse
import os
import uuid
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain.tools import ToolRuntime, tool
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.store.base import BaseStore

from langchain_google_memorystore_redis import MemorystoreSaver, MemorystoreStore, connect


@dataclass
class User:
    """Context of a turn."""

    name: str


def _memory(runtime: ToolRuntime[User]) -> tuple[BaseStore, tuple[str, str]]:
    """Return the store, and the namespace of the user."""
    if runtime.store is None:
        raise RuntimeError("this agent was created without a store")
    return runtime.store, ("users", runtime.context.name)


@tool
def remember(fact: str, runtime: ToolRuntime[User]) -> str:
    """Remember a fact about the user, for all later conversations."""
    store, user = _memory(runtime)
    # A fact told twice is one item.
    store.put(user, uuid.uuid5(uuid.NAMESPACE_OID, fact).hex, {"text": fact})
    return f"remembered: {fact}"


@tool
def recall(question: str, runtime: ToolRuntime[User]) -> str:
    """Look up what the user has told of themselves, in any conversation."""
    store, user = _memory(runtime)
    return "; ".join(item.value["text"] for item in store.search(user, query=question))


class Rules(BaseChatModel):
    """Model that remembers what begins with "I", and else answers with what it recalls."""

    @property
    def _llm_type(self) -> str:
        return "rules"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        """Return the model itself, which knows its tool."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            known = f"You told me: {last.text}" if last.text else "I know nothing."
            answer = AIMessage("I will remember that." if last.name == "remember" else known)
        else:
            is_fact = last.text.startswith("I ")
            name, argument = ("remember", "fact") if is_fact else ("recall", "question")
            call = {"name": name, "args": {argument: last.text}, "id": uuid.uuid4().hex}
            answer = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=answer)])


def create(client: Any, model: BaseChatModel | None = None, key_prefix: str = "") -> Any:
    """Return the agent on a client of Memorystore."""
    return create_agent(
        model or Rules(),
        tools=[remember, recall],
        context_schema=User,
        checkpointer=MemorystoreSaver(client, key_prefix=f"{key_prefix}checkpoint:"),
        store=MemorystoreStore(client, key_prefix=f"{key_prefix}store:"),
    )


def main() -> None:
    """Answer one message of a user, in a thread of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("user")
    parser.add_argument("message")
    parser.add_argument("--model", help="such as openai:gpt-5-mini; rules if it is missing")
    args = parser.parse_args()
    with connect(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")) as client:
        agent = create(client, init_chat_model(args.model) if args.model else None)
        thread: Any = {"configurable": {"thread_id": uuid.uuid4().hex}}
        answer = agent.invoke({"messages": args.message}, thread, context=User(args.user))
        print(answer["messages"][-1].text)  # noqa: T201


if __name__ == "__main__":
    main()
