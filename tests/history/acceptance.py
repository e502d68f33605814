"""Rules by which providers accept a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage


def check_accepted(messages: Sequence[BaseMessage]) -> None:
    """Check that each tool call has one result directly behind it, and each result a call."""
    ids = [message.id for message in messages if message.id]
    assert len(set(ids)) == len(ids), "an id comes twice"
    waiting: set[str | None] = set()
    for index, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            assert message.tool_call_id in waiting, f"{index}: a result without a call before it"
            waiting.remove(message.tool_call_id)
            continue
        assert not waiting, f"{index}: calls {waiting} have no result before this message"
        if isinstance(message, AIMessage):
            calls = (*message.tool_calls, *message.invalid_tool_calls)
            waiting = {call["id"] for call in calls} - {None}
    assert not waiting, f"calls {waiting} have no result at the end"
