"""Plain forms, kind by kind: what is stored in place of what JSON cannot carry exactly."""

from __future__ import annotations

import base64
import collections
import dataclasses
import enum
import functools
import io
import ipaddress
import json
import math
import os
import subprocess
import sys
import threading
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import attrs
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, RootModel, SecretStr
from pydantic.v1 import BaseModel as ModelV1
from pydantic.v1 import Field as OldField
from pydantic.v1 import SecretStr as OldSecretStr

from langchain_google_memorystore_redis import InvalidMessageError
from langchain_google_memorystore_redis._codec.compression import compress_element
from langchain_google_memorystore_redis._codec.decode import decode
from langchain_google_memorystore_redis._codec.encode import InexactField, element_tail, encode
from tests.history.hostile import before_deep_recursion

TAIL = element_tail(b"id", 1)
POLICIES: list[list[InexactField] | None] = [[], None]
"""Ways to encode: convert, or refuse."""

DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]


class River(BaseModel):
    """With all that pydantic's own JSON mode fails on or hides."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(default="Rhine", alias="called")
    raw: bytes = b"\xff"
    depth: float = math.inf
    seen: date = date(2026, 1, 2)
    key: SecretStr = SecretStr("secret")
    client: Any = Field(default=print, exclude=True)

    @functools.cached_property
    def half(self) -> float:
        """Not a field, cached or not."""
        return self.depth / 2


class Rivers(RootModel[list[River]]):
    pass


class OldRiver(ModelV1):
    name: str = "Rhine"
    raw: bytes = b"\xff"
    key: OldSecretStr = OldSecretStr("secret")
    client: Any = OldField(default=print, exclude=True)


class OldRivers(ModelV1):
    __root__: list[OldRiver]


@dataclasses.dataclass(frozen=True)
class Place:
    name: str
    at: tuple[int, int] = (46, 7)


@attrs.frozen
class Lake:
    name: str


class Peak(msgspec.Struct):
    name: str


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Size(enum.StrEnum):
    LARGE = "large"


class Level(enum.IntEnum):
    HIGH = 3


class Weight(float, enum.Enum):
    HALF = 0.5


class Oddity(str):
    """Equal to nothing, so not to what is read back either."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


class Unrepresentable:
    def __repr__(self) -> str:
        raise RuntimeError


RIVER = {"name": "Rhine", "raw": "/w==", "depth": math.inf, "seen": "2026-01-02", "key": "*" * 10}
OLD_RIVER = {"name": "Rhine", "raw": "/w==", "key": "*" * 10}

CONVERTED: list[tuple[Any, Any]] = [
    # Models and the like, as dicts of their fields
    (River(), RIVER),
    (River.model_construct(spring={3, 1}), {**RIVER, "spring": [1, 3]}),
    (River.model_construct(name="x"), {**RIVER, "name": "x"}),
    (Rivers([River()]), [RIVER]),
    (OldRiver(), OLD_RIVER),
    (OldRivers(__root__=[OldRiver()]), [OLD_RIVER]),
    (
        Document("text", id="1", metadata={"at": date(2026, 1, 2)}),
        {"id": "1", "metadata": {"at": "2026-01-02"}, "page_content": "text", "type": "Document"},
    ),
    (Place("Bern"), {"name": "Bern", "at": [46, 7]}),
    (Lake("Thun"), {"name": "Thun"}),
    (Peak("Eiger"), {"name": "Eiger"}),
    # Times
    (datetime(2026, 1, 2, 3, 4, 5, 6), "2026-01-02T03:04:05.000006"),
    (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3))), "2026-01-02T00:00:00-03:00"),
    (date(1, 1, 1), "0001-01-01"),
    (time(3, 4), "03:04:00"),
    (timedelta(days=400, hours=3, microseconds=5), "P400DT10800.000005S"),
    (timedelta(seconds=-1), "-PT1S"),
    (timedelta(0), "P0D"),
    # Text
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("1.10"), "1.10"),
    (Decimal("NaN"), "NaN"),
    (Fraction(1, 3), "1/3"),
    (1j, "1j"),
    (PurePosixPath("/a/b"), "/a/b"),
    (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
    (ipaddress.ip_network("fd00::/8"), "fd00::/8"),
    (AnyUrl("https://example.com/a"), "https://example.com/a"),
    (SecretStr("secret"), "*" * 10),
    (collections.UserString("text"), "text"),
    (Oddity("text"), "text"),
    ("\ud83d\ude00", "\N{GRINNING FACE}"),
    # Enums
    (Colour.RED, "red"),
    (Colour.PAIR, [1, 2]),
    (Access.READ | Access.WRITE, 3),
    # Bytes
    (b"\xff", "/w=="),
    (bytearray(b"\xfb\xff"), "+/8="),
    (memoryview(b"abcd")[::2], base64.b64encode(b"ac").decode()),
    # Lists
    ((1, (2, 3)), [1, [2, 3]]),
    (Point(1, 2), [1, 2]),
    ({10, 9, 2}, [10, 2, 9]),
    (
        frozenset({"b", 1, ("a",), None, Place("x")}),
        ["b", 1, ["a"], None, {"name": "x", "at": [46, 7]}],
    ),
    ({frozenset({3, 1}), frozenset({2})}, [[1, 3], [2]]),
    (collections.deque([1, 2]), [1, 2]),
    (range(3), [0, 1, 2]),
    ({"a": 1}.values(), [1]),
    ({"b": 1, "a": 2}.keys(), ["a", "b"]),
    # Dicts
    (types.MappingProxyType({"a": (1,)}), {"a": [1]}),
    (collections.UserDict({"a": 1}), {"a": 1}),
    ({1: 0, None: 0, 2.5: 0}, {"1": 0, "null": 0, "2.5": 0}),
    ({math.inf: 0, False: 0, -(2**70): 0}, {"Infinity": 0, "false": 0, str(-(2**70)): 0}),
    ({uuid.UUID(int=1): 0, date(2026, 1, 2): 0}, {str(uuid.UUID(int=1)): 0, "2026-01-02": 0}),
    ({Colour.RED: 0, Level.HIGH: 0, b"\xff": 0}, {"red": 0, "3": 0, "/w==": 0}),
    ({"\ud83d\ude00": 0}, {"\N{GRINNING FACE}": 0}),
    # numpy
    (np.int64(3), 3),
    (np.float32(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.bool_(True), True),
    (np.array([[1, 2], [3, 4]], dtype="u1"), [[1, 2], [3, 4]]),
    (np.array([0.5, math.inf], dtype="f2"), [0.5, math.inf]),
    (np.array([0.5], dtype="g"), [0.5]),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array([b"\xff"]), ["/w=="]),
    (np.array([None, {1}], dtype=object), [None, [1]]),
    (np.array([(1, "a")], dtype=[("x", "i4"), ("y", "U1")]), [[1, "a"]]),
    (np.datetime64("2026-01-02T03:04:05.000000006"), "2026-01-02T03:04:05.000000006"),
    (np.array(["2026-01-02"], dtype="M8[ns]"), ["2026-01-02T00:00:00.000000000"]),
    (np.array([1, 2], dtype="m8[s]"), ["PT1S", "PT2S"]),
    (np.complex64(1j), "1j"),
    # Within each other
    (
        [{"a": [Place("x", at=(1, 2)), {"b": {1}}]}],
        [{"a": [{"name": "x", "at": [1, 2]}, {"b": [1]}]}],
    ),
]
CONVERTED[[value for value, _ in CONVERTED].index(River.model_construct(name="x"))][0].half  # noqa: B018

EXACT = [
    Size.LARGE,
    Level.HIGH,
    Weight.HALF,
    [Size.LARGE, {"a": Level.HIGH}],
    {Size.LARGE: 1},
    collections.OrderedDict(b=1, a=[2]),
    collections.defaultdict(list, a=[1]),
    np.float64(0.1),
    np.str_("text"),
    "lone \ud800 surrogate",
    [2**200, -(2**64), 1e308, -0.0],
    "你好 🦜",
    {"a": None, "b": [True, {"c": {}}, []]},
]
"""Equal to what is read back, though not all of JSON's own types."""

WITHOUT_FORM: list[Callable[[], Any]] = [
    threading.Lock,
    io.StringIO,
    lambda: iter([1]),
    lambda: (each for each in "x"),
    lambda: print,
    lambda: Place,
    lambda: Colour,
    Unrepresentable,
    lambda: 10**5000,
    object,
]


def stored(message: BaseMessage) -> tuple[BaseMessage, tuple[str, ...], list[InexactField]]:
    """Return what is read back, the fields named with it, and those reported."""
    fields: list[InexactField] = []
    element = encode(message, 3, TAIL, fields)
    assert element.endswith(b',"id":"id","ts":1}')
    assert json.loads(element)["id"] == "id"
    back, entry_id, ts, inexact = decode(element)
    assert (entry_id, ts) == ("id", 1)
    for form in (element.decode(), compress_element(element)):
        assert repr(decode(form)) == repr((back, entry_id, ts, inexact))
    assert tuple(field.name for field in fields) == inexact
    assert all((f.message_index, f.message_class) == (3, type(message).__name__) for f in fields)
    # A plain form is exact: it is stored as it is.
    again: list[InexactField] = []
    assert repr(decode(encode(back, 3, TAIL, again))[0]) == repr(back)
    assert again == []
    return back, inexact, fields


@pytest.mark.parametrize(
    ("value", "form"),
    CONVERTED,
    ids=[f"{n}-{type(value).__name__}" for n, (value, _) in enumerate(CONVERTED)],
)
def test_each_kind_has_its_plain_form_in_any_field(value: Any, form: Any) -> None:
    cases: list[tuple[BaseMessage, Callable[[Any], Any]]] = [
        (ToolMessage("x", tool_call_id="1", artifact=value), lambda m: m.artifact),
        (AIMessage("x", additional_kwargs={"a": [value]}), lambda m: m.additional_kwargs["a"][0]),
        (AIMessage("x", response_metadata={"a": value}), lambda m: m.response_metadata["a"]),
        (HumanMessage("x", extra=value), lambda m: m.extra),
    ]
    for message, read in cases:
        back, inexact, _ = stored(message)
        assert repr(read(back)) == repr(form)
        assert len(inexact) == 1
        with pytest.raises(InvalidMessageError, match="so that it comes back equal") as caught:
            encode(message, 3, TAIL)
        assert (caught.value.field or "").startswith(inexact[0])


@pytest.mark.parametrize("value", EXACT, ids=lambda value: type(value).__name__)
def test_what_is_equal_to_what_is_read_back_is_not_inexact(value: Any) -> None:
    message = ToolMessage("x", tool_call_id="1", artifact=value)
    back, inexact, _ = stored(message)
    assert inexact == ()
    assert back == message
    assert encode(message, 3, TAIL) == encode(message, 3, TAIL, [])


def test_nan_is_not_inexact() -> None:
    back, inexact, _ = stored(HumanMessage("x", extra={"a": [math.nan, np.float64("nan")]}))
    assert inexact == ()
    assert all(map(math.isnan, back.extra["a"]))  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", WITHOUT_FORM)
def test_what_has_no_plain_form_is_left_out_of_an_artifact_alone(make: Callable[[], Any]) -> None:
    value = make()
    whole, inexact, (field,) = stored(ToolMessage("x", tool_call_id="1", artifact=value))
    assert (whole.artifact, inexact) == (None, ("artifact",))  # type: ignore[attr-defined]
    assert [loss.is_left_out for loss in field.losses] == [True]
    within = {"a": [1, value, {"b": value, "c": 2}], "d": Place(value), "e": {value: 3}}
    part, inexact, _ = stored(ToolMessage("x", tool_call_id="1", artifact=within))
    assert inexact == ("artifact",)
    assert part.artifact == {"a": [1, {"c": 2}], "d": {"at": [46, 7]}, "e": {}}  # type: ignore[attr-defined]
    for message, path in (
        (AIMessage("x", additional_kwargs={"a": [0, value]}), "additional_kwargs['a'][1]"),
        (AIMessage("x", response_metadata={"a": Place(value)}), "response_metadata['a']['name']"),
        (HumanMessage("x", artifact=value), "artifact"),  # an extra field of that name
        (HumanMessage("x", extra={1: value}), "extra[1]"),
        (HumanMessage("x", extra={value: 1}), "extra["),
    ):
        with pytest.raises(InvalidMessageError, match="JSON cannot store this") as caught:
            encode(message, 3, TAIL, [])
        assert caught.value.index == 3
        assert (caught.value.field or "").startswith(path)


def test_the_kinds_of_what_was_converted_and_left_out_are_reported() -> None:
    artifact = [1, Document("x", metadata={"a": threading.Lock(), "b": {2: 3}}), print]
    _, _, (field,) = stored(ToolMessage("x", tool_call_id="1", artifact=artifact))
    assert field.losses == [
        ("Document", False),
        ("lock", True),
    ]


@pytest.mark.parametrize(
    "items", [{1: "a", "1": "b"}, {None: 1, "null": 2}, {Colour.RED: 1, "red": 2}]
)
def test_two_keys_that_become_one_are_refused_in_any_field(items: dict[Any, Any]) -> None:
    for message in (
        HumanMessage("x", a=[items]),
        ToolMessage("x", tool_call_id="1", artifact={"a": items}),
    ):
        with pytest.raises(InvalidMessageError, match="two keys as"):
            encode(message, 3, TAIL, [])


def circles() -> Iterator[Any]:
    """Values that hold themselves, each with the rest of it in plain form."""
    by_list: list[Any] = [1]
    by_list.append(by_list)
    yield by_list, [1]
    parent: dict[str, Any] = {"name": "parent"}
    parent["child"] = {"name": "child", "parent": parent}
    yield parent, {"name": "parent", "child": {"name": "child"}}
    river = River.model_construct()
    river.__pydantic_extra__ = {"flows_into": [river]}
    yield river, {**RIVER, "flows_into": []}


@pytest.mark.parametrize(("circle", "rest"), list(circles()))
def test_a_circle_is_cut_in_an_artifact_and_refused_elsewhere(circle: Any, rest: Any) -> None:
    back, inexact, _ = stored(ToolMessage("x", tool_call_id="1", artifact=circle))
    assert (back.artifact, inexact) == (rest, ("artifact",))  # type: ignore[attr-defined]
    for refused in POLICIES:
        with pytest.raises(
            InvalidMessageError, match=r"(within itself|comes back equal)"
        ) as caught:
            encode(HumanMessage("x", a=circle), 3, TAIL, refused)
        assert (caught.value.field or "").startswith("a")
    twice = [by_value := {"a": (1,)}, by_value]
    assert stored(HumanMessage("x", a=twice))[0].a == [{"a": [1]}] * 2  # type: ignore[attr-defined]


def test_what_is_nested_too_deeply_is_left_out_of_an_artifact_and_refused_elsewhere() -> None:
    before_deep_recursion()
    back, inexact, (field,) = stored(
        ToolMessage.model_construct(content="x", tool_call_id="1", artifact=DEEP)
    )
    assert (back.artifact, inexact) == (None, ("artifact",))  # type: ignore[attr-defined]
    assert field.losses == [("list nested too deeply", True)]
    for inexact_fields in POLICIES:
        with pytest.raises(InvalidMessageError, match="nested too deeply") as caught:
            encode(HumanMessage.model_construct(content="x", a=DEEP), 3, TAIL, inexact_fields)
        assert caught.value.field == "a"


def test_fields_of_a_type_take_the_plain_form_that_has_the_type() -> None:
    message = AIMessage(
        "x", tool_calls=[{"name": "f", "args": {"on": date(2026, 1, 2)}, "id": "1"}]
    )
    message = message.model_copy(update={"content": ("a", {"b": b"c"}), "id": uuid.UUID(int=1)})
    back, inexact, _ = stored(message)
    assert (back.content, back.id) == (["a", {"b": "Yw=="}], str(uuid.UUID(int=1)))
    assert back.tool_calls[0]["args"] == {"on": "2026-01-02"}  # type: ignore[attr-defined]
    assert inexact == ("content", "id", "tool_calls")
    for field, value in {"content": b"x", "additional_kwargs": (1,), "usage_metadata": {1}}.items():
        expected = (
            None if field == "content" else pytest.raises(InvalidMessageError, match="cannot hold")
        )
        broken = AIMessage("x").model_copy(update={field: value})
        if expected is None:
            assert stored(broken)[0].content == "eA=="
        else:
            with expected:
                encode(broken, 3, TAIL, [])


def raising() -> Iterator[Any]:
    """Values whose own methods raise, in each way that converting can meet."""
    place = Place.__new__(Place)
    yield place  # its fields are not set
    view = memoryview(b"x")
    view.release()
    yield view

    class Rows(collections.UserList[int]):
        def __iter__(self) -> Iterator[int]:
            raise OSError

    class Row(dict[str, Any]):
        def items(self) -> Any:
            raise KeyError

    class Stamp(date):
        def isoformat(self) -> str:
            raise RuntimeError

    class Text(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = str.__hash__

    yield from (Rows([1]), Row(a=math.nan), Stamp(2026, 1, 2), Text("x"))


@pytest.mark.parametrize("value", list(raising()), ids=lambda value: type(value).__name__)
def test_values_whose_own_methods_raise_give_our_error(value: Any) -> None:
    for message in (
        ToolMessage.model_construct(content="x", tool_call_id="1", artifact=[value]),
        HumanMessage.model_construct(content="x", a=[value]),
    ):
        for fields in POLICIES:
            with pytest.raises(InvalidMessageError) as caught:
                encode(message, 3, TAIL, fields)
            assert (caught.value.field or "")[:8] in ("artifact", "a", "a[0]")


def test_a_value_that_other_threads_change_is_stored_or_gives_our_error() -> None:
    shared: dict[Any, Any] = {}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            shared[number % 97] = {number}
            shared.pop((number * 31) % 97, None)

    message = ToolMessage("x", tool_call_id="1", artifact=[shared, Place("x")])
    threads = [threading.Thread(target=change) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for _ in range(500):
            try:
                element = encode(message, 3, TAIL, [])
            except InvalidMessageError:
                continue
            assert decode(element)[3] == ("artifact",)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)


def test_extra_fields_whose_names_json_would_change_are_refused() -> None:
    message = HumanMessage("x")
    message.__pydantic_extra__["\ud83d\ude00"] = 1  # type: ignore[index]
    for fields in POLICIES:
        with pytest.raises(InvalidMessageError, match="name of an extra field"):
            encode(message.model_copy(update={"a": {1}}), 3, TAIL, fields)
    odd_names: dict[str, Any] = {'a"],"id":"b': {1}, "\ud800": {2}, "},": {3}, "a]\\": {4}}
    _, inexact, _ = stored(HumanMessage.model_construct(content="x", **odd_names))
    assert inexact == tuple(odd_names)


def test_message_classes_that_are_not_langchains_own_are_refused_as_ever() -> None:
    class Own(HumanMessage):
        pass

    for other in (Own(content="x"), "x", Document("x")):
        with pytest.raises(InvalidMessageError):
            encode(other, 3, TAIL, [])  # type: ignore[arg-type]


def test_the_names_stand_before_the_id_and_only_if_there_are_any() -> None:
    message = ToolMessage("x", tool_call_id="1", artifact=(1,), extra={"ü"})
    assert (
        encode(message, 0, TAIL, [])
        == (
            '{"type":"tool","data":{"content":"x","tool_call_id":"1","artifact":[1],"extra":["ü"]},'
            '"inexact":["artifact","extra"],"id":"id","ts":1}'
        ).encode()
    )
    long = message.model_copy(update={"content": "x" * 1000})
    compressed = compress_element(encode(long, 0, TAIL, []))
    assert compressed.startswith(b'{"type":"tool","zstd":"')
    assert compressed.endswith(b'","inexact":["artifact","extra"],"id":"id","ts":1}')
    assert b"inexact" not in encode(HumanMessage("x"), 0, TAIL, [])


@pytest.mark.parametrize(
    ("listed", "inexact"),
    [
        (["artifact"], ("artifact",)),
        ([], ()),
        (["a", 1, None, ["b"], "c"], ("a", "c")),
        ("artifact", ()),
        ({"artifact": 1}, ()),
        (None, ()),
        (1e400, ()),
        (["no such field"], ("no such field",)),
    ],
)
def test_foreign_names_of_inexact_fields_are_read_with_tolerance(
    listed: Any, inexact: tuple[str, ...]
) -> None:
    for fields in ({"content": "x"}, {"content": "x", "extra": math.nan}):
        envelope = {"inexact": listed, "id": "a", "ts": 1}
        for separators in ((",", ":"), (", ", ": ")):
            row = json.dumps({"type": "human", "data": fields, **envelope}, separators=separators)
            back = decode(row)
            assert (back[0].content, *back[1:]) == ("x", "a", 1, inexact)
            assert repr(decode(compress_element(row.encode()))) == repr(back)
        without = json.dumps({"type": "human", "data": fields, "inexact": listed})
        assert decode(without)[1:] == (None, None, inexact)


def refusal(message: BaseMessage) -> str:
    """Return the error of storing a message, empty if there is none."""
    try:
        encode(message, 3, TAIL, [])
    except InvalidMessageError as error:
        return str(error)
    return ""


HASHED = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(allow_nan=False)
)
LEAVES = (
    HASHED
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.binary(max_size=4)
    | st.binary(max_size=4).map(bytearray)
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.decimals()
    | st.fractions()
    | st.complex_numbers()
    | st.sampled_from(
        [*Colour, *Access, *Size, *Level, *Weight, PurePosixPath("a"), SecretStr("x")]
    )
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.floats(width=32).map(np.float32)
)
KEYS = (
    HASHED
    | st.dates()
    | st.uuids()
    | st.sampled_from([Colour.RED, *Size, *Level])
    | st.binary(max_size=2)
)
ITEMS = HASHED | st.tuples(HASHED) | st.builds(Place, HASHED) | st.frozensets(HASHED, max_size=2)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.lists(inner, max_size=3).map(collections.deque)
            | st.dictionaries(KEYS, inner, max_size=3)
            | st.sets(ITEMS, max_size=4)
            | st.builds(Place, inner)
            | st.builds(Lake, inner)
            | st.builds(Peak, inner)
            | st.builds(Point, inner, inner)
            | st.builds(lambda value: River.model_construct(spring=value), inner)
            | st.builds(lambda value: Document("x", metadata={"a": value}), inner)
            | st.lists(inner, max_size=2).map(
                lambda values: np.array([*values, None], dtype=object)
            )
        ),
        max_leaves=8,
    )


@given(nested(LEAVES))
@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@example({"a": Oddity("x"), "b": collections.OrderedDict(a=1)})
@example(np.array("2026", dtype="M8[Y]"))
def test_any_value_of_these_kinds_is_stored_or_two_keys_of_it_are_one(value: Any) -> None:
    message = ToolMessage.model_construct(content="x", tool_call_id="1", artifact=value)
    if "two keys as" in refusal(message):
        return
    back, inexact, _ = stored(message)
    if not inexact:
        assert json.dumps(back.artifact) == json.dumps(value)  # type: ignore[attr-defined]
    with_extra = HumanMessage.model_construct(content="x", extra=value)
    assert repr(stored(with_extra)[0].extra) == repr(back.artifact)  # type: ignore[attr-defined]


@given(nested(LEAVES | st.builds(object) | st.just(print)))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_other_value_is_left_out_of_an_artifact_and_refused_elsewhere(value: Any) -> None:
    for message in (
        ToolMessage.model_construct(content="x", tool_call_id="1", artifact=value),
        HumanMessage.model_construct(content="x", extra=value),
    ):
        problem = refusal(message)
        if not problem:
            stored(message)
        assert not problem or type(message) is HumanMessage or "two keys as" in problem


WRITER = """
import sys
from tests.codec.test_plain import CONVERTED, TAIL, encode
from langchain_core.messages import ToolMessage
values = [value for value, _ in CONVERTED]
words = {f"word {number}" for number in range(50)}
values += [words, frozenset({frozenset(words)})]
message = ToolMessage("x", tool_call_id="1", artifact=values)
sys.stdout.buffer.write(encode(message, 0, TAIL, []))
"""


def test_every_process_makes_the_same_form() -> None:
    root = Path(__file__).parents[2]
    written = {
        subprocess.run(
            [sys.executable, "-c", WRITER],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(written) == 1
    assert b'"word 0", "word 1", "word 10", "word 11"' in written.pop()
