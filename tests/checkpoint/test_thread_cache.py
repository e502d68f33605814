"""Turns that cost what they add: what is sent and read, and that it reads as it was put."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    InvalidArgumentError,
    MemorystoreSaver,
    ThreadCache,
)
from langchain_google_memorystore_redis._checkpoint import pruning
from langchain_google_memorystore_redis._redis.runners import Runner
from tests.checkpoint.interleaved import Running
from tests.checkpoint.savers import checkpoint_of, config_of, keys_of
from tests.checkpoint.test_settings import Cipher
from tests.plugins.servers import Servers
from tests.servers.processes import Server

FIXTURE = Path(__file__).parents[1] / "data" / "thread_1.0.0a1.json"


def message(number: int, size: int = 30) -> BaseMessage:
    """A message of one of four kinds."""
    text = f"{number:03} " * size
    if number % 4 == 0:
        return HumanMessage(text, id=f"h{number}", name="ada")
    if number % 4 == 1:
        call = {"name": "look", "args": {"n": number, "text": text}, "id": f"c{number}"}
        usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
        return AIMessage("", id=f"a{number}", tool_calls=[call], usage_metadata=usage)
    if number % 4 == 2:
        artifact = {"raw": [number]}
        return ToolMessage(text, tool_call_id=f"c{number - 1}", id=f"t{number}", artifact=artifact)
    content: Any = [{"type": "text", "text": text}]
    metadata = {"model_name": "m", "logprobs": None}
    return AIMessage(content, id=f"a{number}", response_metadata=metadata)


@pytest.fixture(params=["redis-5.0", "valkey-9.1"])
def client(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Any]:
    """A client of a server of its own, whose traffic is counted."""
    with (
        Server(servers.engine(request.param)) as server,
        redis.Redis(port=server.port, protocol=2) as made,
    ):
        yield made


def traffic(client: Any, call: Callable[[], Any]) -> tuple[int, int, int]:
    """Bytes that the server received and sent, and the scripts it ran, for a call."""

    def counts() -> tuple[int, int, int]:
        client.ping()
        found, commands = client.info("stats"), client.info("commandstats")
        runs = commands.get("cmdstat_evalsha", {}).get("calls", 0)
        return found["total_net_input_bytes"], found["total_net_output_bytes"], runs

    start, idle = counts(), counts()
    call()
    end = counts()
    quiet = [after - before for before, after in zip(start, idle, strict=True)]
    return tuple(c - b - q for b, c, q in zip(idle, end, quiet, strict=True))  # type: ignore[return-value]


class Growing:
    """A thread whose messages grow, with a saver."""

    def __init__(self, saver: MemorystoreSaver, thread: str = "t") -> None:
        self.saver = saver
        self.config: Any = config_of(thread)
        self.step = 0

    def put(self, messages: list[Any], **also: Any) -> None:
        self.step += 1
        versions: dict[str, Any] = dict.fromkeys(("messages", *also), f"{self.step}")
        checkpoint = checkpoint_of(versions, messages=messages, **also)
        metadata: Any = {"run_id": f"run {self.step}"}
        self.config = self.saver.put(self.config, checkpoint, metadata, versions)

    def read(self, saver: MemorystoreSaver | None = None) -> Any:
        found = (saver or self.saver).get_tuple(self.config)
        assert found is not None
        return found.checkpoint["channel_values"]["messages"]


def test_a_put_sends_what_is_new_and_a_read_gets_what_is_not_held(client: Any) -> None:
    for length in (40, 1100):
        thread = Growing(MemorystoreSaver(client), f"thread of {length}")
        messages = [message(number) for number in range(length)]
        thread.put(messages)
        messages = [*thread.read(), message(length)]
        sent, received, runs = traffic(client, lambda: thread.put(messages))  # noqa: B023
        assert runs == 1
        assert sent < 3_500
        assert received < 200
        sent, received, runs = traffic(client, thread.read)
        assert runs == 1
        assert received < 1_500
        assert thread.read() == messages
        cold = MemorystoreSaver(client)
        _, received, _ = traffic(client, lambda: thread.read(cold))  # noqa: B023
        assert received > 120 * length
        sent, received, _ = traffic(client, lambda: thread.read(cold))  # noqa: B023
        assert sent < 500
        assert received < 1_500


def test_without_a_cache_everything_is_sent_and_read(client: Any) -> None:
    thread = Growing(MemorystoreSaver(client, cache=None))
    messages = [message(number) for number in range(100)]
    thread.put(messages)
    sent, _, runs = traffic(client, lambda: thread.put(messages))
    assert (sent > 12_000, runs) == (True, 1)
    _, received, runs = traffic(client, thread.read)
    assert (received > 12_000, runs) == (True, 1)


EDITS: dict[str, Callable[[Any], object]] = {
    "text": lambda each: setattr(each, "content", "edited" * 20),
    "a nested dict": lambda each: each.additional_kwargs.setdefault("a", {}).update(b=[1]),
    "a number's type": lambda each: each.response_metadata.update(seen=True),
    "a part of the content": lambda each: each.content[0].update(text="edited" * 20),
    "a tool call's argument": lambda each: each.tool_calls[0]["args"].update(n="edited"),
    "the order of a dict": lambda each: each.response_metadata.update(
        model_name=each.response_metadata.pop("model_name")
    ),
    "the id": lambda each: setattr(each, "id", "edited"),
    "an extra field": lambda each: each.__pydantic_extra__.update(extra="edited"),
    "usage": lambda each: each.usage_metadata.update(input_tokens=99),
    "an artifact": lambda each: each.artifact["raw"].append((1, {2})),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("read_first", [True, False])
def test_a_message_edited_in_place_is_stored_as_edited(
    edit: str, read_first: bool, client: Any
) -> None:
    thread = Growing(MemorystoreSaver(client))
    messages = [message(number) for number in range(70)]
    messages[1].response_metadata["seen"] = 1
    thread.put(messages)
    messages = thread.read() if read_first else messages
    edited = 0
    for number in (0, 1, 2, 3, 33, 40, 69):
        try:
            EDITS[edit](messages[number])
            edited += 1
        except (AttributeError, LookupError, TypeError):
            continue  # a message of another kind
        expected = round_trip(messages)
        thread.put(messages)
        assert identical(thread.read(MemorystoreSaver(client, cache=None)), expected)
        assert identical(thread.read(), expected)
    assert edited


def round_trip(value: Any) -> Any:
    """The value as the serializer alone would give it back."""
    serde = JsonPlusSerializer()
    return [serde.loads_typed(serde.dumps_typed(each)) for each in value]


def identical(one: Any, other: Any) -> bool:
    """Whether messages are equal in the types and the order of all they hold, too."""
    return [_parts(each) for each in one] == [_parts(each) for each in other]


def _parts(value: Any) -> Any:
    if not isinstance(value, BaseMessage):
        return repr(value)
    extra = value.__pydantic_extra__
    return type(value), repr(value.__dict__), value.__pydantic_fields_set__, extra


def test_every_reader_gets_copies_of_its_own(client: Any) -> None:
    thread = Growing(MemorystoreSaver(client))
    thread.put([message(number) for number in range(70)])
    expected = round_trip([message(number) for number in range(70)])
    for _ in range(3):
        found = thread.read()
        assert identical(found, expected)
        for each in found:
            each.content = "changed"
            each.response_metadata["changed"] = True
            if isinstance(each, AIMessage) and each.tool_calls:
                each.tool_calls[0]["args"]["changed"] = True
        found.clear()


def lose_one_key(client: Any, thread: Growing) -> None:
    client.delete(keys_of("checkpoint:")[0])


def lose_other_key(client: Any, thread: Growing) -> None:
    client.delete(keys_of("checkpoint:")[1])


def lose_thread(client: Any, thread: Growing) -> None:
    thread.saver.delete_thread("t")


def lose_runs(client: Any, thread: Growing) -> None:
    thread.saver.delete_for_runs([f"run {number}" for number in range(1, thread.step + 1)])


def lose_runs_and_prune(client: Any, thread: Growing) -> None:
    thread.saver.delete_for_runs([f"run {number}" for number in range(2, thread.step + 1)])
    thread.saver.prune(["t"])


def lose_everything(client: Any, thread: Growing) -> None:
    client.flushall()


LOSSES = (
    lose_one_key,
    lose_other_key,
    lose_thread,
    lose_runs,
    lose_runs_and_prune,
    lose_everything,
)


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_the_thread_has_lost_is_sent_again(
    lose: Callable[[Any, Growing], None], encrypted: bool, client: Any
) -> None:
    serde: Any = EncryptedSerializer(Cipher()) if encrypted else None
    thread = Growing(MemorystoreSaver(client, serde=serde))
    thread.put([message(number) for number in range(3)])
    for number in (40, 1100):
        thread.put([message(each) for each in range(number)])
        lose(client, thread)
        messages = [message(each) for each in range(number + 1)]
        expected = round_trip(messages)
        _, _, runs = traffic(client, lambda: thread.put(messages))  # noqa: B023
        assert runs <= 2 + 2 * lose.__name__.endswith("key")
        assert identical(thread.read(), expected)
        assert identical(thread.read(MemorystoreSaver(client, serde=serde, cache=None)), expected)


def test_a_sweep_that_was_cut_off_leaves_nothing_that_is_relied_on(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "NAMES_PER_CALL", 7)
    old = [message(number) for number in range(1030)]
    for calls in (1, 60, 160):
        for then_remove in (False, True):
            client.flushall()
            thread = Growing(MemorystoreSaver(client))
            thread.put([message(-1), message(-2)])
            thread.put(old)
            thread.saver.delete_for_runs(["run 2"])
            sweep = Running(Runner(client), thread.saver._ops.prune(["t"], "keep_latest"))
            for _ in range(calls):
                sweep.advance()
            if then_remove:
                thread.put([message(-3), message(-4)])
                thread.saver.delete_for_runs(["run 3"])
            thread.put(old[:1020])
            thread.put(old)
            sweep.finish()
            expected = round_trip(old)
            assert identical(thread.read(MemorystoreSaver(client, cache=None)), expected)
            thread.saver.prune(["t"])
            assert identical(thread.read(MemorystoreSaver(client, cache=None)), expected)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_to_a_thread_it_reads_as_it_was_put(seed: int, client: Any) -> None:
    choose = random.Random(seed)
    size = choose.choice((5_000, 50_000, 10**7))
    serde: Any = EncryptedSerializer(Cipher()) if seed % 4 == 3 else None
    savers = [MemorystoreSaver(client, serde=serde, cache=ThreadCache(size)) for _ in range(2)]
    savers.append(MemorystoreSaver(client, serde=serde, cache=None))
    thread, number = Growing(savers[0]), 1000
    messages: list[Any] = [
        message(each) for each in range(1030 if seed == 5 else choose.choice((2, 31, 33)))
    ]
    for _ in range(16):
        thread.saver = choose.choice(savers)
        action = choose.randrange(9)
        if action < 4:
            messages = [*messages, *(message(number + each) for each in range(action))]
            number += 4
        elif action == 4 and len(messages) > 2:
            messages = messages[choose.randrange(2) : choose.randrange(2, len(messages))]
        elif action == 5:
            edit = choose.choice(list(EDITS.values()))
            with contextlib.suppress(AttributeError, LookupError, TypeError):
                edit(choose.choice(messages))
        elif action == 6 and thread.step:
            choose.choice(LOSSES)(client, thread)
        elif action == 7 and thread.step:
            thread.saver.prune(["t"])
        elif messages:
            messages = [*messages, {"plain": "x" * 200}, choose.choice(messages), f"{number}" * 50]
        expected = round_trip(messages)
        thread.put(messages, other=messages[:40])
        for saver in savers:
            assert identical(thread.read(saver), expected)
        if choose.random() < 0.5:
            messages = thread.read()


def test_one_cache_serves_savers_of_other_serializers_prefixes_and_servers(client: Any) -> None:
    cache, cipher = ThreadCache(), EncryptedSerializer(Cipher())
    serdes: list[Any] = [None, cipher, JsonPlusSerializer(pickle_fallback=True)]
    expected = round_trip([message(number) for number in range(70)])
    for serde in serdes:
        for prefix in ("a:", "b:"):
            saver = MemorystoreSaver(client, key_prefix=prefix, serde=serde, cache=cache)
            saver.delete_thread("t")
            thread = Growing(saver)
            for end in (3, 69, 70):
                thread.put([message(number) for number in range(end)])
            assert identical(thread.read(), expected)
            assert identical(thread.read(), expected)
            assert copy.copy(saver)._cache is cache
            assert vars(saver.with_allowlist([("a", "b")]))["_cache"] is cache


def test_a_cache_keeps_to_its_size_and_forgets_what_was_used_longest_ago(client: Any) -> None:
    cache = ThreadCache(max_bytes=200_000)
    threads = [Growing(MemorystoreSaver(client, cache=cache), f"{name}") for name in range(6)]
    for first, thread in enumerate(threads):
        thread.put([message(number) for number in range(100 * first, 100 * first + 90)])
        assert 0 < cache.bytes_held <= 200_000
    last = threads[-1]
    _, received, _ = traffic(client, last.read)
    assert received < 1_500
    _, received, _ = traffic(client, threads[0].read)
    assert received > 10_000
    assert cache.bytes_held <= 200_000
    assert len(cache._contents.field_of) <= 2 * len(cache)
    cache.clear()
    assert (len(cache), cache.bytes_held, bool(cache)) == (0, 0, True)
    assert identical(last.read(), round_trip([message(number) for number in range(500, 590)]))


def test_a_cache_is_checked_and_cannot_leave_the_process(client: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="max_bytes"):
        ThreadCache(0)
    wrongs: list[Any] = [True, {}, "shared"]
    for wrong in wrongs:
        with pytest.raises(ArgumentTypeError, match="cache"):
            MemorystoreSaver(client, cache=wrong)
    with pytest.raises(TypeError):
        pickle.dumps(ThreadCache())
    own = MemorystoreSaver(client)
    assert isinstance(own._cache, ThreadCache)
    assert own._cache is not MemorystoreSaver(client)._cache


def test_a_thread_stored_by_an_earlier_revision_is_read_and_grows(client: Any) -> None:
    stored = json.loads(FIXTURE.read_text("utf-8"))
    index, data = keys_of("checkpoint:")
    decode = base64.b64decode
    client.zadd(index, {decode(name): 0 for name in stored["index"]})
    client.hset(data, mapping={decode(k): decode(v) for k, v in stored["data"].items()})
    saver = MemorystoreSaver(client)
    Growing(saver, "other").put([])  # so that the server knows the script
    lengths = []
    for found in saver.list(config_of("t")):
        values = found.checkpoint["channel_values"]
        count = len(values["messages"])
        lengths.append(count)
        assert identical(values["messages"], round_trip(message(each) for each in range(count)))
        assert values["files"] == {"a": "x" * 200}
        assert found.pending_writes is not None
        assert [write[:2] for write in found.pending_writes] == [
            (f"task {found.metadata['step']}", channel) for channel in ("messages", "log")
        ]
    assert lengths == [70, 40, 1]
    history = saver.get_delta_channel_history(config=config_of("t"), channels=["log"])
    assert [write[2] for write in history["log"]["writes"]] == [0, 1]
    thread = Growing(saver)
    thread.config = config_of("t", "", "002")
    messages = [*thread.read(), message(70)]
    sent, _, runs = traffic(client, lambda: thread.put(messages))
    assert (sent < 3_000, runs) == (True, 1)
    saver.prune(["t"])
    expected = round_trip([message(number) for number in range(71)])
    assert identical(thread.read(MemorystoreSaver(client, cache=None)), expected)


def test_the_history_of_a_delta_channel_is_read_as_it_grows(client: Any) -> None:
    warm = MemorystoreSaver(client)
    config: Any = config_of("t")
    for step in range(120):
        checkpoint = checkpoint_of({"log": f"{step}"})
        if step == 20:
            checkpoint["channel_values"]["log"] = [message(number) for number in range(1040)]
        metadata: Any = {"counters_since_delta_snapshot": {"log": (1, 1)}}
        config = warm.put(config, checkpoint, metadata, {"log": f"{step}"})
        warm.put_writes(config, [("log", [message(step)]), ("other", step)], f"task {step}")

    def check() -> Any:
        asked: Any = {"config": config, "channels": ["log", "none"]}
        found = warm.get_delta_channel_history(**asked)
        expected = MemorystoreSaver(client, cache=None).get_delta_channel_history(**asked)
        assert repr(found) == repr(expected)
        return found["log"]

    found = check()
    assert len(found["seed"]) == 1040
    assert len(found["writes"]) == 99
    found["seed"].clear()
    found["writes"][0][2].clear()
    check()
    asked: Any = {"config": config, "channels": ["log"]}
    sent, received, runs = traffic(client, lambda: warm.get_delta_channel_history(**asked))
    assert (sent < 8_000, received < 16_000, runs) == (True, True, 1)
    # An ancestor gets a write, another loses its own, and one gets others in their place.
    ancestors = [each.config for each in warm.list(config_of("t"))]
    warm.put_writes(ancestors[5], [("log", [message(500)])], "late")
    assert len(check()["writes"]) == 100
    data = keys_of("checkpoint:")[1]
    names = sorted(
        each for each in client.hkeys(data) if each[:1] == b"w" and b"\x01task 9" in each
    )
    client.hset(data, names[0], client.hget(data, names[-2]))
    check()
    warm.prune(["t"])
    check()
    warm.delete_thread("t")
    assert check() == {"writes": []}
