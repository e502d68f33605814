"""Chat models: a rule-based one, or any that LangChain's `init_chat_model` supports.

Strategy: an answer is a list of messages that grows while the model streams: its text and tool
calls, the results of the tools, and so on until it calls none. This module knows neither Redis nor
the web.
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

MAX_TOOL_ROUNDS = 8
"""Times that a model may call tools in one answer."""

STORAGE_HELP = """\
Each conversation is **one list** in Redis or Valkey, and every message is one element of it:

```python
history = MemorystoreChatMessageHistory(client, session_id="docs:app")
await history.aadd_messages([question])         # one round trip, stored exactly once
await history.areplace_from(entry.id, [other])  # edit or regenerate
await history.acopy("docs:branch", length=2)    # branch
```

So all of this costs very little:

- **Reload** the page, or open it in a second tab: both show the same, even while I answer.
- **Edit** one of your messages, and the conversation continues from there.
- **Branch** at any message to try something else and keep this conversation.
"""
HELP = """\
I answer from a few rules, so I need no API key and no network. Try:

1. *I am Ada.* and later *What's my name?*
2. *What's the weather in Zurich?* for a tool call
3. *How do you remember this?*
4. *Roll a die.* and then regenerate my answer
5. *Give me a summary.*
"""


def rule_based(messages: Sequence[BaseMessage]) -> AIMessage:
    """Return the answer of the rules: those of the demo, and some about this app."""
    last = messages[-1]
    question = last.text.lower() if isinstance(last, HumanMessage) else ""
    if "remember" in question:
        return AIMessage(STORAGE_HELP)
    if "help" in question or "what can you do" in question:
        return AIMessage(HELP)
    if {"die", "die."} & set(question.split()):
        return AIMessage(f"It shows **{random.randint(1, 6)}**.")  # noqa: S311  (a game)
    return answer(messages)


class StreamingRules(RuleModel):
    """Rule-based model that streams word by word."""

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
    """Return the current weather in a city."""
    return TEMPERATURES.get(city, f"The weather in {city} is not known.")


def load(name: str, seconds_per_word: float = 0.03) -> Model:
    """Return the rule-based model (`rules`) or `provider:model` by `init_chat_model`."""
    if name == "rules":
        return StreamingRules(seconds_per_word=seconds_per_word)
    try:
        from langchain.chat_models import init_chat_model  # noqa: PLC0415  (optional)
    except ImportError as error:
        raise SystemExit(f"--model {name} needs LangChain: pip install langchain") from error
    model = init_chat_model(name)
    try:
        return model.bind_tools([weather])
    except NotImplementedError:  # a model without tool calls
        return model


async def stream_answer(
    model: Model, messages: Sequence[BaseMessage]
) -> AsyncIterator[list[BaseMessage]]:
    """Yield the messages of one answer as they grow; the last time, complete."""
    new: list[BaseMessage] = []
    for _ in range(MAX_TOOL_ROUNDS):
        total: Any = None
        async for chunk in model.astream([*messages, *new]):
            total = chunk if total is None else total + chunk
            yield [*new, total]
        if total is None:
            raise RuntimeError("the model returned no answer")
        new.append(message_chunk_to_message(total))
        calls: list[ToolCall] = getattr(new[-1], "tool_calls", [])
        for call in calls:
            new.append(await _run_tool(call))
            yield new
        if not calls:
            yield new
            return
    raise RuntimeError(f"the model called tools {MAX_TOOL_ROUNDS} times in a row")


async def _run_tool(call: ToolCall) -> ToolMessage:
    try:
        if call["name"] != weather.name:
            raise ValueError(f"there is no tool {call['name']!r}")
        text, status = str(await weather.ainvoke(call["args"])), "success"
    except ValueError as error:  # the model sees it and may try again
        text, status = str(error), "error"
    return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status=status)
