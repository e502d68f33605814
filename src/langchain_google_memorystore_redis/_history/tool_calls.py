"""Tool calls and their results, in the form that chat models accept.

Strategy: providers refuse a conversation in which a tool call has no result, two results or a
result elsewhere than directly behind the call, and a result without a call. An interrupt that is
never answered, a tool that raises, a limit or a removed message leave such conversations.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

_NO_RESULT = (
    "This tool call was not carried out to the end: the conversation went on before it had a "
    "result."
)


def complete(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages with exactly one result directly behind each tool call.

    Of several results the last counts. A call without a result is given an error, whose id is the
    same whenever the same messages are completed. Results without a call are left out.
    """
    results = _results_of(messages)
    completed: list[BaseMessage] = []
    for index, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            continue
        completed.append(message)
        if isinstance(message, AIMessage):
            completed += results[index].values()
            for call_id, name in _calls_of(message):
                if call_id not in results[index]:
                    results[index][call_id] = _no_result(message, call_id, name)
                    completed.append(results[index][call_id])
    return completed


def without_open_calls(messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
    """Return the messages up to the last of the model, without that one if a call is open."""
    results = _results_of(messages)
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if isinstance(message, AIMessage):
            is_open = any(call_id not in results[index] for call_id, _ in _calls_of(message))
            return messages[:index] if is_open else messages
    return messages


def _results_of(messages: Sequence[BaseMessage]) -> defaultdict[int, dict[str, ToolMessage]]:
    """Return the results of each message by its index and the id of the call."""
    results: defaultdict[int, dict[str, ToolMessage]] = defaultdict(dict)
    callers: dict[str, int] = {}  # some providers use an id again
    for index, message in enumerate(messages):
        if isinstance(message, AIMessage):
            callers.update((call_id, index) for call_id, _ in _calls_of(message))
        elif isinstance(message, ToolMessage) and message.tool_call_id in callers:
            results[callers[message.tool_call_id]][message.tool_call_id] = message
    return results


def _calls_of(message: AIMessage) -> Iterator[tuple[str, str | None]]:
    """Yield id and tool of each call. Those that could not be parsed are sent to models too."""
    for call in (*message.tool_calls, *message.invalid_tool_calls):
        if (call_id := call.get("id")) is not None:
            yield call_id, call.get("name")


def _no_result(message: AIMessage, call_id: str, name: str | None) -> ToolMessage:
    text = f"{message.id} {call_id}".encode("utf-8", "surrogatepass")
    message_id = hashlib.blake2b(text, digest_size=16).hexdigest()
    return ToolMessage(_NO_RESULT, tool_call_id=call_id, name=name, status="error", id=message_id)
