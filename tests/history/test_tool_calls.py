"""Tool calls and results, made acceptable to a model whatever is left of a conversation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from langchain_google_memorystore_redis._history.tool_calls import complete, without_open_calls
from tests.history.acceptance import check_accepted

CALL_IDS = st.sampled_from(["a", "b", "c", None])


def calling(*ids: str | None, invalid: tuple[str, ...] = (), message_id: str = "m") -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[{"name": "search", "args": {}, "id": each} for each in ids],
        invalid_tool_calls=[
            {"name": "search", "args": "{", "id": each, "error": None} for each in invalid
        ],
        id=message_id,
    )


def result(call_id: str, text: str = "found") -> ToolMessage:
    return ToolMessage(text, tool_call_id=call_id, id=f"{text} {call_id}")


@st.composite
def conversations(draw: st.DrawFn) -> list[BaseMessage]:
    kinds = draw(st.lists(st.sampled_from(["human", "ai", "tool", "tool"]), max_size=12))
    messages: list[BaseMessage] = []
    for number, kind in enumerate(kinds):
        if kind == "human":
            messages.append(HumanMessage("?", id=str(number)))
        elif kind == "ai":
            ids = draw(st.lists(CALL_IDS, max_size=3))
            invalid = draw(st.lists(st.sampled_from(["c", "d"]), max_size=1))
            messages.append(calling(*ids, invalid=tuple(invalid), message_id=str(number)))
        else:
            call_id = draw(st.sampled_from("abcd"))
            messages.append(ToolMessage("found", tool_call_id=call_id, id=str(number)))
    return messages


@given(conversations())
def test_a_model_takes_any_conversation_that_is_completed(messages: list[Any]) -> None:
    completed = complete(messages)
    check_accepted(completed)
    assert complete(completed) == completed == complete(messages)
    others = [each for each in completed if not isinstance(each, ToolMessage)]
    assert others == [each for each in messages if not isinstance(each, ToolMessage)]
    known = [each for each in completed if each in messages]
    assert all(
        isinstance(each, ToolMessage) and each.status == "error"
        for each in completed
        if each not in known
    )
    try:
        check_accepted(messages)
    except AssertionError:
        return
    assert completed == messages


question = HumanMessage("?", id="q")
late = result("a", "late")


@pytest.mark.parametrize(
    ("messages", "types"),
    [
        ([question, calling("a", "b"), result("b")], "human ai tool:b tool:a!"),
        ([calling("a"), question, calling("b", message_id="n")], "ai tool:a! human ai tool:b!"),
        ([result("a"), result("b"), question], "human"),
        ([calling("a"), result("a"), result("x"), question], "ai tool:a human"),
        ([calling("a"), question, result("a")], "ai tool:a human"),
        ([calling("a", None, invalid=("b",))], "ai tool:a! tool:b!"),
        ([calling("a"), result("a"), calling("a", message_id="n")], "ai tool:a ai tool:a!"),
    ],
)
def test_what_is_missing_is_put_behind_the_results_there_are(
    messages: list[Any], types: str
) -> None:
    def describe(message: Any) -> str:
        if not isinstance(message, ToolMessage):
            return str(message.type)
        return f"tool:{message.tool_call_id}{'!' if message.status == 'error' else ''}"

    assert " ".join(map(describe, complete(messages))) == types


@pytest.mark.parametrize(
    ("messages", "kept"),
    [
        ([question], 1),
        ([question, calling("a", "b"), result("b")], 1),
        ([question, calling("a"), late], 3),
        ([question, calling("a"), late, calling("a", message_id="n")], 3),
        ([question, calling("a"), late, AIMessage("It is so.", id="n")], 4),
    ],
)
def test_a_run_goes_on_from_before_its_open_calls(messages: list[Any], kept: int) -> None:
    assert without_open_calls(messages) == messages[:kept]


def test_a_result_that_comes_after_all_takes_the_place_of_the_error() -> None:
    open_call = complete([question, calling("a")])
    assert isinstance(open_call[-1], ToolMessage)
    assert open_call[-1].status == "error"
    assert "was not carried out to the end" in str(open_call[-1].content)
    assert complete([*open_call, late]) == [*open_call[:-1], late]
