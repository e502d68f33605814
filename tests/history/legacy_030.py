"""Run by release 0.3.0 in an environment of its own: `legacy_030.py write|read|raw PORT KEY`.

"write" stores one message of each kind that release knew, through its own class; "read" prints
what its class reads, a message a line.
"""

import json
import sys

import redis
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_to_dict,
)

from langchain_google_memorystore_redis import MemorystoreChatMessageHistory

MESSAGES = [
    SystemMessage(content="Sei höflich. 你好 🦜"),
    HumanMessage(content="What's the weather?", name="ada", id="h-1", example=True),
    AIMessage(
        content="",
        id="run-1",
        tool_calls=[{"name": "weather", "args": {"city": "Zürich"}, "id": "call-1"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
        response_metadata={"logprobs": None, "big": 2**70, "score": float("nan")},
        additional_kwargs={"limit": float("inf"), "half": "\ud83d"},
    ),
    ToolMessage(content="12 °C", tool_call_id="call-1", artifact={"raw": [1]}, status="error"),
    HumanMessage(content=[{"type": "text", "text": "look"}, "and see"]),
    ChatMessage(content="hello", role="narrator"),
    FunctionMessage(content="42", name="answer"),
    AIMessageChunk(content="par", id="run-2"),
]

if __name__ == "__main__":
    verb, port, key = sys.argv[1:]
    history = MemorystoreChatMessageHistory(redis.Redis(port=int(port)), key)
    if verb == "write":
        history.add_messages(MESSAGES)
    else:
        for message in history.messages:
            print(json.dumps(message_to_dict(message)))
