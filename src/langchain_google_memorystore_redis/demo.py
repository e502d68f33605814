"""The tutorial as a program: `python -m langchain_google_memorystore_redis.demo`.

Strategy: runs what the README shows, on the server of `REDIS_URL` or on an embedded Valkey (extra
`embedded`) with its data in a temporary folder. The chat model answers from rules, so the demo
needs no network and no API key.
"""

from __future__ import annotations

import os
import sys
import textwrap
import uuid
import warnings
from collections.abc import Sequence
from typing import Any

import redis
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from langchain_google_memorystore_redis._connect.connect import connect
from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory
from langchain_google_memorystore_redis._history.transcript import Turn
from langchain_google_memorystore_redis.errors import MemorystoreError

TEMPERATURES = {"Zurich": "12 °C, light rain", "Nairobi": "24 °C, sunny"}
_COLOURS = {"user": "32", "assistant": "35", "tool": "33"}


def answer(messages: Sequence[BaseMessage]) -> AIMessage:
    """Return the answer of the rules to a conversation."""
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return AIMessage(f"It is {last.text} there.")
    question = last.text
    if question.startswith("I am "):
        return AIMessage(f"Nice to meet you, {question[5:].rstrip('.')}! What can I do for you?")
    city = next((city for city in TEMPERATURES if city in question), None)
    if city is not None:
        call = {"name": "weather", "args": {"city": city}, "id": f"call-{len(messages)}"}
        return AIMessage("", tool_calls=[call])
    if "my name" in question:
        names = [m.text[5:].rstrip(".") for m in messages if m.text.startswith("I am ")]
        return AIMessage(f"You are {names[-1]}." if names else "You have not told me yet.")
    if "summary" in question:
        earlier = [m.text for m in messages[:-1] if isinstance(m, HumanMessage)]
        return AIMessage("You said: " + " / ".join(earlier))
    return AIMessage("I only know names and the weather, but I remember all you say.")


class RuleModel(BaseChatModel):
    """A chat model that answers from rules."""

    @property
    def _llm_type(self) -> str:
        return "rules"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=answer(messages))])


def agent() -> Runnable[list[BaseMessage], list[BaseMessage]]:
    """Return an agent that calls the model and its tools until the model calls none."""
    model = RuleModel()

    def run_turn(messages: list[BaseMessage]) -> list[BaseMessage]:
        new: list[BaseMessage] = [model.invoke(messages)]
        while isinstance(new[-1], AIMessage) and new[-1].tool_calls:
            for call in new[-1].tool_calls:
                weather = TEMPERATURES[call["args"]["city"]]
                new.append(ToolMessage(weather, tool_call_id=call["id"], name=call["name"]))
            new.append(model.invoke([*messages, *new]))
        return new

    return RunnableLambda(run_turn)


class Screen:
    """Printer of the demo, with colours on a terminal."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    def title(self, text: str) -> None:
        """Print a heading."""
        print(f"\n{self._paint('1', text)}\n{self._paint('2', '─' * len(text))}")

    def code(self, text: str, result: object = None) -> None:
        """Print a line of code and its result."""
        print(f"  {self._paint('36', text)}")
        if result is not None:
            print(f"      {result}")

    def say(self, text: str) -> None:
        """Print a paragraph."""
        print(textwrap.fill(text, 88, initial_indent="  ", subsequent_indent="  "))

    def message(self, session: str, message: BaseMessage) -> None:
        """Print a message of a session."""
        turn = Turn.of(message)
        who = self._paint(_COLOURS.get(turn.kind, "31"), f"{turn.speaker:>9}")
        for line in turn.lines:
            print(f"  {self._paint('2', f'{session:<4}')} {who}  {line}")


def tutorial(client: redis.Redis, screen: Screen, prefix: str) -> None:
    """Add messages to a session, read them back, and clear it."""
    screen.title("The tutorial")
    history = MemorystoreChatMessageHistory(client, session_id="session1", key_prefix=prefix)
    screen.code('history = MemorystoreChatMessageHistory(client, session_id="session1")')
    history.add_user_message("hi")
    history.add_ai_message("Hello! How can I help?")
    screen.code('history.add_user_message("hi")')
    screen.code('history.add_ai_message("Hello! How can I help?")')
    screen.code("history.messages", [f"{m.type}: {m.text}" for m in history.messages])
    screen.code("len(history), history[-1].text", (len(history), history[-1].text))
    other = MemorystoreChatMessageHistory(client, session_id="session2", key_prefix=prefix)
    screen.code('other = MemorystoreChatMessageHistory(client, session_id="session2")')
    screen.code("other.messages", other.messages)
    history.clear()
    screen.code("history.clear()")
    screen.code("history.messages", history.messages)


def conversations(client: redis.Redis, screen: Screen, prefix: str) -> None:
    """Let two people talk to one assistant, each in a session."""
    screen.title("Two conversations at once")
    screen.say(
        "RunnableWithMessageHistory opens a history for every turn and reads it from the server. "
        "Ada and Ben take turns, and the assistant uses a tool."
    )
    print()
    with warnings.catch_warnings():
        # Deprecated by LangChain 1.3.3, but what users of release 0.3.0 have today.
        warnings.simplefilter("ignore", DeprecationWarning)
        chat = RunnableWithMessageHistory(
            agent(),
            lambda session_id: MemorystoreChatMessageHistory(
                client, session_id, ttl=3600, key_prefix=prefix
            ),
        )
    lines = [
        ("ada", "I am Ada."),
        ("ben", "I am Ben."),
        ("ada", "What's the weather in Zurich?"),
        ("ben", "What's my name?"),
        ("ben", "And the weather in Nairobi?"),
        ("ada", "What's my name?"),
        ("ada", "Give me a summary."),
    ]
    for session, text in lines:
        question = HumanMessage(text)
        screen.message(session, question)
        for message in chat.invoke([question], {"configurable": {"session_id": session}}):
            screen.message(session, message)
    screen.title("The stored sessions")
    for session in ("ada", "ben"):
        history = MemorystoreChatMessageHistory(client, session, key_prefix=prefix)
        kinds = " ".join(message.type for message in history)
        screen.say(f"{session}: {len(history)} messages: {kinds}")
        history.clear()
    screen.say("Both sessions have been cleared.")


def run(client: redis.Redis, name: str) -> None:
    """Run the demo under a key prefix of its own, apart from all other sessions."""
    screen = Screen()
    prefix = f"demo:{uuid.uuid4().hex[:8]}:"
    screen.say(f"Connected to {name}.")
    tutorial(client, screen, prefix)
    conversations(client, screen, prefix)


def main() -> None:
    """Run the demo on the server of `REDIS_URL`, or on an embedded Valkey."""
    try:
        with connect() as client:
            has_url = bool(os.environ.get("REDIS_URL"))
            run(client, "the server of REDIS_URL" if has_url else "an embedded Valkey")
    except (MemorystoreError, redis.RedisError, OSError) as error:
        sys.exit(f"demo: {error}")


if __name__ == "__main__":
    main()
