"""The codec alone: any message either comes back equal or is refused, and nothing else happens."""

from __future__ import annotations

import enum
import itertools
import json
import math
import uuid
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)

from langchain_google_memorystore_redis import InvalidMessageError
from langchain_google_memorystore_redis._codec.compression import compress_element
from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from langchain_google_memorystore_redis._codec.encode import element_tail, encode
from langchain_google_memorystore_redis._codec.shapes import SHAPES
from tests.history.hostile import before_deep_recursion
from tests.samples import one_of_each

TEXT = st.text(st.characters(), max_size=20)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | st.text(max_size=5)
)
ODD = (
    st.binary(max_size=3)
    | st.dates()
    | st.tuples(st.integers())
    | st.sets(st.integers(), max_size=2)
    | st.uuids()
    | st.just(object())
    | st.complex_numbers()
)


def json_values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    )


def objects(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(TEXT, json_values(leaves), max_size=3)


EXTRA_NAMES = st.sampled_from(
    ["tenant", "example", "_private", "self", "model_config", "ä ö", "tool_calls", "status"]
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXT, "args": objects(PLAIN), "id": st.none() | TEXT},
        optional={"type": st.just("tool_call"), "extras": objects(PLAIN)},
    ),
    max_size=2,
)
FIELDS = {
    "content": TEXT | st.lists(TEXT | objects(PLAIN), max_size=3),
    "additional_kwargs": objects(PLAIN),
    "response_metadata": objects(PLAIN),
    "name": st.none() | TEXT,
    "id": st.none() | TEXT,
    "tool_calls": CALLS,
    "invalid_tool_calls": st.lists(objects(PLAIN), max_size=2),
    "tool_call_chunks": st.lists(objects(PLAIN), max_size=2),
    "usage_metadata": st.none() | objects(PLAIN),
    "chunk_position": st.sampled_from([None, "last"]),
    "tool_call_id": TEXT,
    "artifact": json_values(PLAIN),
    "status": st.sampled_from(["success", "error"]),
    "role": TEXT,
}


@st.composite
def messages(draw: st.DrawFn, leaves: st.SearchStrategy[Any] = PLAIN) -> BaseMessage:
    """A message as application code may have made or changed it: no validator has the last word."""
    cls = draw(st.sampled_from(sorted(SHAPES, key=lambda cls: cls.__name__)))
    values = {
        name: draw(FIELDS[name])
        for name, field in cls.model_fields.items()
        if name in FIELDS and (field.is_required() or draw(st.booleans()))
    }
    if "name" in values and cls.model_fields["name"].is_required():
        values["name"] = values["name"] or ""
    message = cls.model_construct(**values)
    names = EXTRA_NAMES.filter(lambda name: name not in cls.model_fields)
    message.__pydantic_extra__.update(  # type: ignore[union-attr]
        draw(st.dictionaries(names, json_values(leaves), max_size=2))
    )
    return message


def stored(message: BaseMessage) -> bytes:
    return encode(message, 3, element_tail(b"id", 1))


@pytest.mark.slow
@given(messages())
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@example(AIMessage("", additional_kwargs={"tool_calls": [{"function": {"name": "f"}}]}))
@example(
    AIMessageChunk(
        content="", tool_call_chunks=[{"name": "f", "args": "{", "id": None, "index": 0}]
    )
)
@example(ToolMessage("x", tool_call_id="1", artifact={"a": [None, 2**63, 2**64, -(2**63) - 1]}))
@example(HumanMessage("\x00\x1f\u2028\ud800"))
def test_a_message_of_json_values_comes_back_equal(message: BaseMessage) -> None:
    element = stored(message)
    for form in (element, element.decode(), compress_element(element)):
        back, *envelope = decode(form)
        assert back == message
        assert type(back) is type(message)
        assert repr(back) == repr(message)
        assert envelope == ["id", 1, ()]


@pytest.mark.slow
@given(messages(PLAIN | ODD))
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_message_comes_back_equal_or_is_refused_by_field(message: BaseMessage) -> None:
    try:
        element = stored(message)
    except InvalidMessageError as error:
        refusal = error
    else:
        assert decode(element)[0] == message
        return
    assert refusal.index == 3
    assert refusal.field is not None
    assert refusal.field.split("[")[0] in (message.__pydantic_extra__ or {})


class Colour(enum.Enum):
    RED = "red"


class Size(enum.StrEnum):
    LARGE = "large"


@pytest.mark.parametrize(
    "value", [uuid.uuid4(), date(2026, 1, 1), Colour.RED, (1,), {1: 2}, {None: 1}, 1j, {"a": {2}}]
)
def test_values_that_json_writers_convert_in_silence_are_refused(value: Any) -> None:
    with pytest.raises(InvalidMessageError, match="extra"):
        stored(HumanMessage("x", extra=value))


class HalfMade(msgspec.Struct):
    a: int


class Unreadable(dict[str, Any]):
    def items(self) -> Any:
        raise KeyError("items")


def test_values_whose_own_methods_raise_are_refused_by_field() -> None:
    half_made = HalfMade(1)
    del half_made.a
    for value in (half_made, Unreadable(a=math.nan)):
        with pytest.raises(InvalidMessageError) as caught:
            stored(ToolMessage("x", tool_call_id="1", artifact=value))
        assert caught.value.field == "artifact"


def test_a_message_without_parts_is_refused_by_field() -> None:
    with pytest.raises(InvalidMessageError, match="a HumanMessage needs it") as caught:
        stored(HumanMessage.__new__(HumanMessage))
    assert caught.value.field == "content"


@pytest.mark.parametrize("name", ["content", "id", 1, None, (1,)])
def test_extra_fields_that_would_come_back_as_others_are_refused(name: Any) -> None:
    message = HumanMessage("x")
    message.__pydantic_extra__[name] = "y"  # type: ignore[index]
    with pytest.raises(
        InvalidMessageError, match="not allowed as the name of an extra field"
    ) as caught:
        stored(message)
    assert caught.value.field == repr(name)


@pytest.mark.parametrize(
    "value", [Size.LARGE, True, 1, 1.0, -0.0, 2**64, 1e308, 5e-324, "", [], {}, [[[]]], {"": None}]
)
def test_values_that_are_equal_to_what_json_gives_back_are_kept(value: Any) -> None:
    back = decode(stored(HumanMessage("x", extra=value)))[0]
    assert back == HumanMessage("x", extra=value)
    assert json.dumps(back.extra) == json.dumps(value)  # type: ignore[attr-defined]


def test_an_extra_field_may_have_the_name_of_a_field_of_another_class() -> None:
    for calls in (math.inf, [{"name": 1}], "x"):
        message = HumanMessage("x", tool_calls=calls, status=5)
        assert decode(stored(message))[0] == message


def test_nan_comes_back_as_nan_wherever_it_stands() -> None:
    back = decode(stored(AIMessage("x", response_metadata={"a": [math.nan, {"b": math.nan}]})))
    first, second = back[0].response_metadata["a"]
    assert math.isnan(first)
    assert math.isnan(second["b"])


def test_what_is_stored_is_langchains_own_form_less_the_defaults() -> None:
    for message in one_of_each():
        row = json.loads(stored(message))
        whole = json.loads(json.dumps(message_to_dict(message)))
        assert list(row) == ["type", "data", "id", "ts"]
        assert row["type"] == whole["type"]
        assert row["data"].items() <= whole["data"].items()
    assert (
        stored(HumanMessage("hi")) == b'{"type":"human","data":{"content":"hi"},"id":"id","ts":1}'
    )


def test_deep_nesting_comes_back_equal_or_is_refused() -> None:
    before_deep_recursion()
    for depth in (100, 253, 300, 400):
        value: list[Any] = []
        for _ in range(depth):
            value = [value]
        assert decode(stored(HumanMessage("x", deep=value)))[0] == HumanMessage("x", deep=value)
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidMessageError, match="nested too deeply"):
        stored(HumanMessage.model_construct(content="x", deep=value))


def test_an_element_with_our_envelope_but_wrong_fields_is_not_built() -> None:
    for fields in (
        {"content": None},
        {"content": [1]},
        {"content": "x", "id": 5},
        {"content": "x", "additional_kwargs": []},
        {"content": "x", "type": "human"},
        {"content": "x", "tool_calls": {}},
        {"content": "x", "tool_calls": [{"name": "f"}]},
        {"content": "x", "tool_calls": [{"args": {}, "id": "1"}]},
        {"content": "x", "tool_calls": [{"name": "f", "args": {}, "id": 1}]},
        {},
    ):
        row = {"type": "ai", "data": fields, "id": "a", "ts": 1}
        for spaces in ((",", ":"), (", ", ": ")):
            with pytest.raises(UndecodableError, match="field"):
                decode(json.dumps(row, separators=spaces))


def test_extra_fields_come_back_as_extra_fields() -> None:
    message = HumanMessage("x", tenant="t", tags=[{"a": None}])
    back = decode(stored(message))[0]
    assert back.model_extra == {"tenant": "t", "tags": [{"a": None}]}
    assert back.model_fields_set == {*HumanMessage.model_fields, "tenant", "tags"}
    assert stored(message).startswith(b'{"type":"human","data":{"content":"x","tenant":"t",')


def test_all_fields_count_as_given_as_they_do_where_langchain_reads_them() -> None:
    for message in one_of_each():
        (as_langchain,) = messages_from_dict([message_to_dict(message)])
        assert decode(stored(message))[0].model_fields_set == as_langchain.model_fields_set


def test_a_name_added_to_the_set_of_one_message_does_not_show_on_another() -> None:
    for extra in ({}, {"tenant": "t"}):
        message, other = (decode(stored(HumanMessage("x", **extra)))[0] for _ in range(2))
        assert type(message.model_fields_set) is set
        message.model_fields_set.add("more")
        assert other.model_fields_set == {*HumanMessage.model_fields, *extra}
        later = decode(stored(HumanMessage("x", **extra)))[0]
        assert later.model_fields_set == {*HumanMessage.model_fields, *extra}


def test_fields_in_any_order_are_read() -> None:
    fields = {"name": "n", "id": "i", "content": "x", "type": "human", "response_metadata": {}}
    for order in itertools.permutations(fields):
        row = {"type": "human", "data": {name: fields[name] for name in order}, "id": "a", "ts": 1}
        for spaces in ((",", ":"), (", ", ": ")):
            element = json.dumps(row, separators=spaces)
            assert decode(element) == (HumanMessage("x", name="n", id="i"), "a", 1, ())


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=1000, deadline=None)
def test_arbitrary_bytes_are_refused_and_nothing_else(element: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode(element)


@pytest.mark.slow
@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)), st.data())
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_hostile_fields_give_a_message_or_an_undecodable_element(value: Any, data: Any) -> None:
    name = data.draw(st.sampled_from([*FIELDS, "type", "self", "cls", "__class__", "_fields_set"]))
    row: dict[str, Any] = {
        "type": data.draw(st.sampled_from(sorted(shape.type for shape in SHAPES.values()))),
        "data": {"content": "x", name: value},
    }
    if data.draw(st.booleans()):
        row.update(id="a", ts=1)
    try:
        message = decode(json.dumps(row).encode())[0]
    except UndecodableError:
        return
    assert type(message) in SHAPES
    assert isinstance(message.content, (str, list))


def test_every_prefix_of_an_element_is_refused() -> None:
    for message in one_of_each():
        element = stored(message)
        for length in range(len(element)):
            with pytest.raises(UndecodableError):
                decode(element[:length])


def test_a_broken_chunk_without_our_envelope_is_read_without_parsing_it_again() -> None:
    chunk = {"name": "f", "args": '{"a" x' + "y" * 1_000_000, "id": "1", "index": 0}
    row = {"type": "AIMessageChunk", "data": {"content": "", "tool_call_chunks": [chunk]}}
    message = decode(json.dumps(row))[0]
    assert isinstance(message, AIMessageChunk)
    assert message.tool_call_chunks == [chunk]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_only_utf_8_is_read(encoding: str) -> None:
    with pytest.raises(UndecodableError, match="not JSON"):
        decode(stored(HumanMessage("x")).decode().encode(encoding))
    with pytest.raises(UndecodableError):
        decode("\ud800")
