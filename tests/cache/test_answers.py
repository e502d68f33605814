"""Answers of models: equal when they come back, and stale for all once they are cleared."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    Generation,
    GenerationChunk,
)
from pydantic import BaseModel

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreCache,
)
from langchain_google_memorystore_redis._cache.codec import (
    DamagedError,
    NotCacheableError,
    decode_answers,
    encode_answers,
)
from langchain_google_memorystore_redis._cache.keys import CacheKeys
from tests.cache.caches import ANSWER, MODEL, answers, chat
from tests.faults import ClusterProxy, Proxy
from tests.plugins.clients import Target
from tests.plugins.doors import Door

USAGE: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


class Parsed(BaseModel):
    """The object that a model with structured output leaves in its message."""

    n: int = 1


@pytest.mark.parametrize(
    "answer",
    [
        [Generation(text="", generation_info=None)],
        [Generation(text="é" * 300), Generation(text="b", generation_info={"logprobs": [0.25]})],
        [GenerationChunk(text="a", generation_info={})],
        [Generation(text="a", generation_info={"x": 2**70})],
        chat(AIMessage("hi", id="1", usage_metadata=USAGE, response_metadata={"model": "m"})),
        chat(AIMessage([{"type": "text", "text": "a"}], tool_calls=[])),
        chat(
            AIMessage(
                "", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "1", "type": "tool_call"}]
            )
        ),
        [ChatGenerationChunk(message=AIMessageChunk(content="part", chunk_position="last"))],
        [],
    ],
)
async def test_an_answer_comes_back_equal_and_in_its_classes(
    door: Door, answer: list[Generation]
) -> None:
    cache = answers(door)
    await cache.update("2 + 2?", MODEL, answer)
    found = await cache.lookup("2 + 2?", MODEL)
    assert found == answer
    assert [type(each) for each in found] == [type(each) for each in answer]
    assert await cache.lookup("2 + 2?", "another model") is None


async def test_the_last_answer_wins(door: Door) -> None:
    cache = answers(door)
    for text in ("1", "2"):
        await cache.update("prompt", MODEL, [Generation(text=text)])
    assert await cache.lookup("prompt", MODEL) == [Generation(text="2")]


async def test_a_clear_holds_for_every_process_at_once(door: Door) -> None:
    mine, others = answers(door), answers(door)
    for number in range(100):
        await mine.update(f"prompt {number}", MODEL, ANSWER)
        assert await others.lookup(f"prompt {number}", MODEL) == ANSWER
    await others.clear()
    for number in range(100):
        assert await mine.lookup(f"prompt {number}", MODEL) is None
    await mine.update("prompt 1", MODEL, ANSWER)
    assert await others.lookup("prompt 1", MODEL) == ANSWER
    assert await others.lookup("prompt 2", MODEL) is None


async def test_a_clear_leaves_other_caches_alone(door: Door) -> None:
    cache, other = answers(door), answers(door, key_prefix=f"{door.prefix}other:")
    await cache.update("prompt", MODEL, ANSWER)
    await other.update("prompt", MODEL, ANSWER)
    await cache.clear()
    assert await cache.lookup("prompt", MODEL) is None
    assert await other.lookup("prompt", MODEL) == ANSWER


async def test_without_its_generation_every_answer_is_stale(door: Door, raw: Any) -> None:
    cache = answers(door)
    await cache.update("prompt", MODEL, ANSWER)
    generation, _ = CacheKeys(door.prefix).of_entry(("prompt", MODEL))
    raw.delete(generation)  # as a full server evicts it
    assert await cache.lookup("prompt", MODEL) is None
    await cache.update("another", MODEL, ANSWER)
    assert await cache.lookup("prompt", MODEL) is None


@pytest.mark.parametrize("ttl", [60, None])
async def test_all_that_is_stored_expires(door: Door, raw: Any, ttl: int | None) -> None:
    cache = answers(door, ttl=ttl)
    await cache.update("prompt", MODEL, ANSWER)
    longest = 60_000 if ttl else 30 * 24 * 3600 * 1000
    for key in CacheKeys(door.prefix).of_entry(("prompt", MODEL)):
        assert longest - 10_000 < raw.pttl(key) <= longest


async def test_an_answer_without_ttl_is_kept_while_it_is_used(door: Door, raw: Any) -> None:
    keys = CacheKeys(door.prefix).of_entry(("prompt", MODEL))
    for ttl, is_renewed in ((None, True), (3600, False)):
        cache = answers(door, ttl=ttl)
        await cache.update("prompt", MODEL, ANSWER)
        for key in keys:
            raw.pexpire(key, 50_000)
        assert await cache.lookup("prompt", MODEL) == ANSWER
        assert all((raw.pttl(key) > 50_000) is is_renewed for key in keys)


async def test_an_answer_expires(door: Door) -> None:
    cache = answers(door, ttl=0.05)
    await cache.update("prompt", MODEL, ANSWER)
    await asyncio.sleep(0.1)
    assert await cache.lookup("prompt", MODEL) is None


@pytest.mark.parametrize(
    "answer",
    [
        chat(AIMessage("", additional_kwargs={"parsed": Parsed()})),
        [Generation(text="\ud800")],
        [Generation(text="a", generation_info={"x": (1, 2)})],
        [Generation(text="a", generation_info={"x": float("nan")})],
        [Generation(text="a", generation_info={"x": object()})],
    ],
)
async def test_an_answer_that_would_not_come_back_equal_is_not_cached(
    client: Any, prefix: str, answer: list[Generation], caplog: pytest.LogCaptureFixture
) -> None:
    cache = MemorystoreCache(client, key_prefix=prefix, on_outage="raise")
    for _ in range(3):
        cache.update("prompt", MODEL, answer)
        await cache.aupdate("prompt", MODEL, answer)
    assert cache.lookup("prompt", MODEL) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "not cached" in record.getMessage()


async def test_a_prompt_may_hold_lone_surrogates(door: Door) -> None:
    cache = answers(door)
    await cache.update("\ud800", MODEL, ANSWER)
    assert await cache.lookup("\ud800", MODEL) == ANSWER
    assert await cache.lookup("\udfff", MODEL) is None


@pytest.mark.parametrize("garbage", [b"", b"x", b"[]", b'[{"kind":"Generation","text":1}]'])
async def test_garbage_is_a_miss(door: Door, raw: Any, garbage: bytes) -> None:
    cache = answers(door)
    generation, entry = CacheKeys(door.prefix).of_entry(("prompt", MODEL))
    await cache.update("prompt", MODEL, ANSWER)
    raw.set(entry, garbage)
    assert await cache.lookup("prompt", MODEL) is None
    raw.set(entry, raw.get(generation) + b"." + garbage + b"x")
    assert await cache.lookup("prompt", MODEL) is None
    raw.delete(entry)
    raw.rpush(entry, "a list")
    assert await cache.lookup("prompt", MODEL) is None
    await cache.update("prompt", MODEL, ANSWER)
    assert await cache.lookup("prompt", MODEL) == ANSWER


@pytest.mark.pure
@given(st.lists(st.text(), min_size=2, max_size=2), st.lists(st.text(), min_size=2, max_size=2))
def test_no_two_prompts_share_a_key(one: list[str], other: list[str]) -> None:
    keys = CacheKeys("cache:")
    assert (keys.of_entry(one) == keys.of_entry(other)) is (one == other)


@pytest.mark.pure
def test_a_text_split_elsewhere_is_another_key() -> None:
    keys = CacheKeys("cache:")
    assert keys.of_entry(("ab", "c")) != keys.of_entry(("a", "bc"))
    assert keys.of_entry(["k"], ("a:b",)) != keys.of_entry(["k"], ("a", "b"))
    assert keys.of_entry(["k"], ()) != keys.of_entry(["k"])


@pytest.mark.pure
@given(st.binary(max_size=60))
def test_damaged_content_is_refused_and_never_raises_otherwise(content: bytes) -> None:
    for damaged in (content, b'[{"kind":"ChatGeneration","message":' + content + b"}]"):
        try:
            decode_answers(damaged)
        except DamagedError:
            continue
        assert damaged.strip().startswith(b"[")


@pytest.mark.pure
def test_classes_of_others_are_not_cached() -> None:
    class Own(Generation):
        """Somebody's class."""

    with pytest.raises(NotCacheableError, match="Own"):
        encode_answers([Own(text="a")])


async def test_each_call_costs_one_round_trip(
    proxied_door: Door, proxy: Proxy | ClusterProxy, target: Target
) -> None:
    cache = answers(proxied_door)
    for number in range(64):  # opens the connections and teaches every node the scripts
        await cache.update(f"{number}", MODEL, ANSWER)
        await cache.lookup(f"{number}", MODEL)
    await cache.clear()
    with proxy.counting() as count:
        await cache.update("prompt", MODEL, ANSWER)
    assert count.round_trips == 1
    for prompt in ("prompt", "missing"):
        with proxy.counting() as count:
            await cache.lookup(prompt, MODEL)
        assert count.round_trips == 1
    with proxy.counting() as count:
        await cache.clear()
    assert count.round_trips == (3 if target.cluster else 1)  # one a node


@pytest.mark.parametrize("by_async", [False, True])
async def test_a_chat_model_is_asked_once(client: Any, prefix: str, by_async: bool) -> None:
    message = AIMessage("4", usage_metadata=USAGE, response_metadata={"model_name": "m"})
    model = GenericFakeChatModel(
        messages=iter([message]), cache=MemorystoreCache(client, key_prefix=prefix)
    )
    usage = UsageMetadataCallbackHandler()
    found = []
    for _ in range(2):
        prompt = [HumanMessage("2 + 2?")]
        config: Any = {"callbacks": [usage]}
        answer = await model.ainvoke(prompt, config) if by_async else model.invoke(prompt, config)
        assert answer.usage_metadata is not None
        found.append((answer.content, answer.usage_metadata["total_tokens"]))
    assert found == [("4", 7)] * 2


@pytest.mark.pure
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ttl": 0}, InvalidArgumentError),
        ({"ttl": "1"}, ArgumentTypeError),
        ({"on_outage": "ignore"}, InvalidArgumentError),
        ({"key_prefix": "{}:"}, InvalidArgumentError),
        ({"key_prefix": 1}, ArgumentTypeError),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        MemorystoreCache(redis.Redis(), **options)


@pytest.mark.pure
def test_chat_generations_keep_their_message() -> None:
    answer = ChatGeneration(message=AIMessage("a", id="1"), generation_info={"x": None})
    assert decode_answers(encode_answers([answer])) == [answer]
