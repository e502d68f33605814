"""The model of the example application: any of LangChain's may answer, and call tools."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall

FILE = Path(__file__).parents[2] / "examples" / "chat_app" / "model.py"
QUESTION = HumanMessage("And in Paris?")


@pytest.fixture
def model() -> Any:
    spec = importlib.util.spec_from_file_location("chat_app_model", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def answers(module: Any, model: Any, *said: BaseMessage) -> list[list[BaseMessage]]:
    return [list(new) async for new in module.stream_answer(model, said)]


def calling(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[ToolCall(name=name, args=args, id="call-1")])


async def test_a_model_is_found_by_its_name(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def init_chat_model(name: str) -> GenericFakeChatModel:
        asked.append(name)
        return GenericFakeChatModel(messages=iter([AIMessage("Paris is sunny.")]))

    stand_in: Any = ModuleType("langchain.chat_models")
    stand_in.init_chat_model = init_chat_model
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    seen = await answers(model, model.load("provider:name"), QUESTION)
    assert asked == ["provider:name"]
    assert [new[0].text for new in seen if new[0].text][:2] == ["Paris", "Paris "]
    assert len(seen[-1]) == 1
    assert seen[-1][0] == AIMessage("Paris is sunny.", id=seen[-1][0].id)
    assert type(seen[-1][0]) is AIMessage


@pytest.mark.parametrize(
    ("call", "text", "status"),
    [
        (calling("weather", city="Zurich"), "12 °C, light rain", "success"),
        (calling("weather", city="Paris"), "The weather in Paris is not known.", "success"),
        (calling("weather", town="Paris"), "city", "error"),
        (calling("horoscope"), "there is no tool 'horoscope'", "error"),
    ],
)
async def test_a_tool_answers_a_call_or_says_why_not(
    model: Any, call: AIMessage, text: str, status: str
) -> None:
    result = await model._run_tool(call.tool_calls[0])
    assert text in result.text
    assert (result.status, result.tool_call_id) == (status, "call-1")


async def test_an_answer_holds_the_calls_their_results_and_the_words(model: Any) -> None:
    seen = await answers(model, model.load("rules", 0), HumanMessage("Weather in Zurich?"))
    assert [message.type for message in seen[-1]] == ["ai", "tool", "ai"]
    assert seen[-1][0].tool_calls[0]["args"] == {"city": "Zurich"}  # type: ignore[attr-defined]
    assert seen[-1][-1].text == "It is 12 °C, light rain there."


async def test_a_model_that_never_stops_calling_tools_is_stopped(model: Any) -> None:
    class Restless(model.StreamingRules):  # type: ignore[misc]
        async def _astream(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            async for chunk in super()._astream([HumanMessage("Weather in Zurich?")]):
                yield chunk

    with pytest.raises(RuntimeError, match="8 times in a row"):
        await answers(model, Restless(), QUESTION)
