"""Document loader and saver, on every server."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document

from langchain_google_memorystore_redis import (
    ArgumentTypeError,
    DocumentExistsError,
    DocumentsNotStoredError,
    InvalidArgumentError,
    InvalidDocumentError,
    MemorystoreDocumentLoader,
    MemorystoreDocumentSaver,
)
from langchain_google_memorystore_redis._documents import saving
from langchain_google_memorystore_redis._documents.writing import Writing
from tests.documents.stores import DoorStore, StoreDoor
from tests.plugins.clients import Target


def saver_of(door: StoreDoor, prefix: str = "", field: str = "text", *names: Any) -> DoorStore:
    saver = MemorystoreDocumentSaver(door.client, prefix or door.prefix, field, *names)
    return DoorStore(saver, door.by_async)


async def load(
    door: StoreDoor, fields: Any = ("text",), *names: Any, prefix: str = "", **options: Any
) -> list[Document]:
    """Load documents, lazily and at once, which must be the same."""
    loader = MemorystoreDocumentLoader(
        door.client, prefix or door.prefix, fields, *names, **options
    )
    if door.by_async:
        documents = [each async for each in loader.alazy_load()]
        assert by_id(documents) == by_id(await loader.aload())
    else:
        documents = list(loader.lazy_load())
        assert by_id(documents) == by_id(loader.load())
    return by_id(documents)


def by_id(documents: Sequence[Document]) -> list[Document]:
    return sorted(documents, key=lambda each: each.id or "")


METADATA = {
    "true": True,
    "none": None,
    "number": 3,
    "digits": "123",
    "nan": "NaN",
    "space": " 12",
    "list": [1, "1"],
    "dict": {"é": 1},
    "vector": "a name like another",
    "": "no name",
    "é": "ü",
}


async def test_documents_come_back_equal_with_their_ids(door: StoreDoor, raw: Any) -> None:
    documents = [Document("Hello!", id="1", metadata=METADATA), Document("", id="a:{b}*")]
    saver = saver_of(door)
    assert await saver.add_documents(documents) == ["1", "a:{b}*"]
    assert await load(door) == documents
    assert raw.hget(f"{door.prefix}1", "digits") == b'"123"'
    assert await saver.add_documents([]) == []
    (made, kept) = await saver.add_documents([Document("x"), Document("y", id="2")])
    assert uuid.UUID(made)
    assert kept == "2"
    (given,) = await saver.add_documents([Document("z", id="2")], ["3"])
    assert given == "3"
    assert len(await load(door)) == 5


async def test_existing_documents_are_never_overwritten(door: StoreDoor, raw: Any) -> None:
    saver = saver_of(door)
    await saver.add_documents([Document("old")], ["1"])
    raw.set(f"{door.prefix}string", "x")
    with pytest.raises(DocumentExistsError, match="2 of the documents exist already") as caught:
        await saver.add_documents(
            [Document("a"), Document("b"), Document("c")], ["1", "2", "string"]
        )
    assert caught.value.ids == ["1", "string"]
    assert isinstance(caught.value, RuntimeError)
    assert [each.page_content for each in await load(door)] == ["old"]


async def test_deleting_removes_what_it_is_asked_for_and_no_more(door: StoreDoor, raw: Any) -> None:
    saver = saver_of(door)
    ids = [str(number) for number in range(250)]
    await saver.add_documents([Document(each) for each in ids], ids, batch_size=100)
    raw.hset(f"{door.prefix}foreign", "field", "no text")
    raw.rpush(f"{door.prefix}list", "x")
    await saver.delete([])
    assert len(await load(door)) == 250
    await saver.delete([*ids[:120], "missing", "foreign"], batch_size=50)
    assert len(await load(door)) == 130
    await saver.delete(batch_size=50)
    assert await load(door) == []
    assert raw.exists(f"{door.prefix}foreign") == raw.exists(f"{door.prefix}list") == 1


async def test_no_character_of_a_prefix_is_special(door: StoreDoor) -> None:
    star, other = f"{door.prefix}[a]*?\\", f"{door.prefix}a-other"
    await saver_of(door, star).add_documents([Document("1", id="1")])
    await saver_of(door, other).add_documents([Document("2", id="2")])
    assert [each.id for each in await load(door, prefix=star)] == ["1"]
    await saver_of(door, star).delete()
    assert await load(door, prefix=star) == []
    assert [each.id for each in await load(door, prefix=other)] == ["2"]


async def test_foreign_keys_missing_fields_and_vectors_are_left_out(
    door: StoreDoor, raw: Any
) -> None:
    vector = np.array([1, 2], "<f4").tobytes()
    raw.hset(f"{door.prefix}1", mapping={"text": "one", "vector": vector, "page": "1"})
    raw.hset(f"{door.prefix}2", mapping={"text": "two", "title": "Two"})
    raw.hset(f"{door.prefix}3", mapping={"title": "only"})
    raw.hset(f"{door.prefix}4", mapping={"text": b"\xff"})
    raw.hset(door.prefix, mapping={"text": "at the prefix itself"})
    raw.set(f"{door.prefix}5", "a string")
    raw.zadd(f"{door.prefix}6", {"a": 1})
    assert await load(door) == [
        Document("at the prefix itself"),
        Document("one", id="1", metadata={"page": 1}),
        Document("two", id="2", metadata={"title": "Two"}),
    ]
    assert await load(door, {"text"}, {"title"}) == [
        Document("at the prefix itself"),
        Document("one", id="1"),
        Document("two", id="2", metadata={"title": "Two"}),
    ]
    several = await load(door, {"title", "text"}, {"page"})
    assert [(each.id, json.loads(each.page_content), each.metadata) for each in several] == [
        (None, {"text": "at the prefix itself"}, {}),
        ("1", {"text": "one"}, {"page": 1}),
        ("2", {"text": "two", "title": "Two"}, {}),
        ("3", {"title": "only"}, {}),
    ]
    assert several[2].page_content == '{"text": "two", "title": "Two"}'


async def test_many_documents_are_loaded_each_once(door: StoreDoor) -> None:
    documents = [Document(f"text {i}", id=str(i), metadata={"i": i}) for i in range(2_500)]
    await saver_of(door).add_documents(documents)
    assert await load(door, batch_size=300) == by_id(documents)


async def test_only_chosen_metadata_is_saved(door: StoreDoor, raw: Any) -> None:
    saver = saver_of(door, "", "text", {"kept", "absent"})
    await saver.add_documents([Document("x", metadata={"kept": 1, "left": object()})], ["1"])
    assert raw.hgetall(f"{door.prefix}1") == {b"text": b"x", b"kept": b"1"}


async def test_bad_documents_are_named_and_nothing_is_saved(door: StoreDoor) -> None:
    saver = saver_of(door)
    good = Document("good")
    for bad, words in (
        (Document("x", metadata={"text": "overwrites"}), r"documents\[1\], metadata\['text'\]"),
        (Document("x", metadata={"when": object()}), r"documents\[1\], metadata\['when'\]"),
        ("x", r"documents\[1\], document: must be a Document, not str"),
    ):
        with pytest.raises(InvalidDocumentError, match=words):
            await saver.add_documents([good, bad])
    with pytest.raises(InvalidArgumentError, match="ids has 1 items for 2"):
        await saver.add_documents([good, good], ["1"])
    with pytest.raises(InvalidArgumentError, match="given twice"):
        await saver.add_documents([good, good], ["1", "1"])
    with pytest.raises(InvalidArgumentError, match="batch_size"):
        await saver.add_documents([good], batch_size=0)
    with pytest.raises(InvalidArgumentError, match="batch_size"):
        await saver.delete(batch_size=0)
    with pytest.raises(ArgumentTypeError, match="brackets"):
        await saver.delete("1")
    assert await load(door) == []


def test_arguments_of_the_constructors_are_checked() -> None:
    client = Target("redis-7.0").connect(1)
    for arguments, words in (
        (("", "text"), "key_prefix must not be empty"),
        ((None, "text"), "key_prefix must be a str"),
        (("p", ""), "content_field must not be empty"),
        (("p", "text", "ab"), "metadata_fields must be a list"),
        (("p", "text", {1}), "metadata_fields must hold str"),
    ):
        with pytest.raises(InvalidArgumentError, match=words):
            MemorystoreDocumentSaver(client, *arguments)
    for options, words in (
        (("p", set()), "content_fields must not be empty"),
        (("p", "text"), "content_fields must be a list"),
        (("p", {"a", "b"}, {"b", "c"}), "metadata_fields and content_fields both hold b"),
        ((1, {"a"}), "key_prefix must be a str"),
        (("p", {"a"}, None, 0), "batch_size must be 1 or more"),
    ):
        with pytest.raises(InvalidArgumentError, match=words):
            MemorystoreDocumentLoader(client, *options)
    loader = MemorystoreDocumentLoader(client, None, ["a"])
    assert vars(copy.deepcopy(loader)) == vars(loader)


async def test_a_save_that_fails_on_the_way_names_what_is_stored(
    door: StoreDoor, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of another type appears after it was looked for, as from another client."""
    saver = saver_of(door)

    class Late(Writing):
        def __init__(self, count: int) -> None:
            super().__init__(count)
            raw.rpush(f"{door.prefix}2", "x")

    monkeypatch.setattr(saving, "Writing", Late)
    documents = [Document(str(i), id=str(i)) for i in range(5)]
    with pytest.raises(DocumentsNotStoredError, match="delete those, and save all again") as caught:
        await saver.add_documents(documents, batch_size=3)
    assert (caught.value.stored, caught.value.unknown) == (["0", "1"], ["2"])
    raw.delete(f"{door.prefix}2")
    monkeypatch.undo()
    await saver.delete(caught.value.stored + caught.value.unknown)
    assert await saver.add_documents(documents) == [str(i) for i in range(5)]
