"""One message of every class, with every field used that the class has."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    FunctionMessageChunk,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    SystemMessageChunk,
    ToolMessage,
    ToolMessageChunk,
)

_CALL = {"name": "weather", "args": {"city": "Zürich", "days": 3, "units": None}, "id": "call-1"}
_BAD_CALL = {"name": "weather", "args": "{city:", "id": "call-2", "error": "no JSON"}
_BLOCKS: list[str | dict[Any, Any]] = [
    {"type": "text", "text": "Look: 你好, नमस्ते, 🦜"},
    {"type": "image", "url": "https://example.com/a.png", "mime_type": "image/png"},
    {"type": "reasoning", "reasoning": "because", "extras": {"signature": "abc=="}},
    "a bare string",
]


def one_of_each() -> list[BaseMessage]:
    """New objects at each call, so that a test may change them."""
    return [
        SystemMessage("Be brief.", id="sys-1", name="policy"),
        HumanMessage("What's the weather?", name="ada", id="h-1", tenant="acme", score=0.1),
        HumanMessage(content=_BLOCKS, additional_kwargs={"nested": {"list": [1, 2.5, None, True]}}),
        AIMessage(
            "",
            id="run-1",
            tool_calls=[_CALL],
            invalid_tool_calls=[_BAD_CALL],
            usage_metadata={
                "input_tokens": 10,
                "output_tokens": 2**53 + 1,
                "total_tokens": 12,
                "input_token_details": {"cache_read": 3},
            },
            response_metadata={"model_name": "rules", "logprobs": None, "finish_reason": "stop"},
            additional_kwargs={"refusal": None},
        ),
        AIMessage(
            content_blocks=[
                {"type": "text", "text": "v1"},
                {"type": "tool_call", "name": "weather", "args": {"city": "Bern"}, "id": "call-3"},
            ]
        ),
        ToolMessage(
            "12 °C",
            tool_call_id="call-1",
            name="weather",
            status="error",
            artifact={"raw": [1, {"deep": ["x"]}]},
        ),
        ToolMessage([{"type": "text", "text": "in parts"}], tool_call_id="call-1"),
        ChatMessage(content="hello", role="narrator"),
        FunctionMessage(content="42", name="answer"),
        RemoveMessage(id="h-1"),
        AIMessageChunk(
            content="par",
            id="run-2",
            tool_call_chunks=[{"name": "f", "args": '{"a": 1', "id": "c", "index": 0}],
        ),
        AIMessageChunk(
            content="tial", chunk_position="last", response_metadata={"output_version": "v1"}
        ),
        HumanMessageChunk(content="hum"),
        SystemMessageChunk(content="sys"),
        ToolMessageChunk(content="tool", tool_call_id="call-1"),
        ChatMessageChunk(content="chat", role="narrator"),
        FunctionMessageChunk(content="function", name="answer"),
    ]
