"""The model that answers: one that knows a few rules, or any that LangChain can name.

Strategy: an answer is a list of messages that grows while the model streams: what the model says,
the tools it calls, what they return, and so on until it calls none. Nothing here knows of Redis,
of the web, or of where the messages go.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.outputs.chat_generation import ChatGeneration
from langchain_core.runnables import Runnable
from langchain_core.tools import tool

from langchain_google_memorystore_redis.demo import TEMPERATURES, RuleModel, answer

Model = Runnable[LanguageModelInput, Any]

MOST_ROUNDS = 8
"""How often a model may call tools in one answer."""

HOW = """\
Each conversation is **one list** in Redis or Valkey, and every message is one element of it:

```python
history = MemorystoreChatMessageHistory(client, session_id="docs:app")
await history.aadd_messages([question])         # one round trip, stored exactly once
await history.atruncate(2)                      # edit, or have an answer made again
await history.acopy("docs:branch", length=2)    # branch
```

So all of this costs very little:

- **Reload** the page, or open it in a second tab: both show the same, also while I write.
- **Edit** a message of yours, and the conversation goes on from there.
- **Branch** at any message to try something else and keep this.
"""
HELP = """\
I answer from a few rules, so that this runs without a key or a network. Try:

1. *I am Ada.* and later *What's my name?*
2. *What's the weather in Zurich?* for a tool call
3. *How do you remember this?*
4. *Roll a die.* and then let me answer again
5. *Give me a summary.*
"""


def rule_based(messages: Sequence[BaseMessage]) -> AIMessage:
    """The rules of the demo, and some that show what this page can do."""
    last = messages[-1]
    said = last.text.lower() if isinstance(last, HumanMessage) else ""
    if "remember" in said:
        return AIMessage(HOW)
    if "help" in said or "what can you do" in said:
        return AIMessage(HELP)
    if "die" in said.split() or "die." in said.split():
        return AIMessage(f"It shows **{random.randint(1, 6)}**.")  # noqa: S311  (a game)
    return answer(messages)


class StreamingRules(RuleModel):
    """The rule-based model, one word at a time."""

    seconds_per_word: float = 0.03

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=rule_based(messages))])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        message = rule_based(messages)
        for word in re.findall(r"\s*\S+\s*", message.text):
            await asyncio.sleep(self.seconds_per_word)
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        for index, call in enumerate(message.tool_calls):
            part = tool_call_chunk(
                name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index
            )
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part]))


@tool
def weather(city: str) -> str:
    """The weather in a city now."""
    return TEMPERATURES.get(city, f"The weather in {city} is not known.")


def load(name: str, seconds_per_word: float = 0.03) -> Model:
    """`rules`, or a model as LangChain's `init_chat_model` names it: `provider:model`."""
    if name == "rules":
        return StreamingRules(seconds_per_word=seconds_per_word)
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415  (only where it is used)
    except ImportError as error:
        raise SystemExit(f"--model {name} needs LangChain: pip install langchain") from error
    model = init_chat_model(name)
    try:
        return model.bind_tools([weather])
    except NotImplementedError:  # a model that knows no tools
        return model


async def growing_answer(
    model: Model, messages: Sequence[BaseMessage]
) -> AsyncIterator[list[BaseMessage]]:
    """The messages of one answer, again and again as they grow; the last time they are whole."""
    new: list[BaseMessage] = []
    for _ in range(MOST_ROUNDS):
        whole: Any = None
        async for chunk in model.astream([*messages, *new]):
            whole = chunk if whole is None else whole + chunk
            yield [*new, whole]
        if whole is None:
            raise RuntimeError("the model gave no answer")
        new.append(message_chunk_to_message(whole))
        calls: list[ToolCall] = getattr(new[-1], "tool_calls", [])
        for call in calls:
            new.append(await _result(call))
            yield new
        if not calls:
            yield new
            return
    raise RuntimeError(f"the model called tools {MOST_ROUNDS} times in a row")


async def _result(call: ToolCall) -> ToolMessage:
    try:
        if call["name"] != weather.name:
            raise ValueError(f"there is no tool {call['name']!r}")
        text, status = str(await weather.ainvoke(call["args"])), "success"
    except ValueError as error:  # the model is told, and may try again
        text, status = str(error), "error"
    return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status=status)
