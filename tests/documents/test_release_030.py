"""Documents of release 0.3.0 and of this one, each read by the other: by that release itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_google_memorystore_redis import (
    HNSWConfig,
    MemorystoreVectorStore,
    RedisVectorStore,
)
from tests.documents import legacy_030
from tests.documents.legacy_030 import METADATAS, TEXTS, Vectors, as_json
from tests.plugins.clients import Target
from tests.plugins.servers import Servers

HOSTILE: list[dict[str, Any]] = [
    {"true": True, "none": None, "list": [1, "1", {}], "dict": {}, "int": -3, "float": 0.1},
    {"digits": "123", "word": "true", "null": "null", "nan": "NaN", "inf": "-Infinity"},
    {"space": " 12", "tail": "12\n", "quote": '"x"', "list": "[1]", "dict": "{}", "e": "1e5"},
    {"big": 2**70, "nul": "\0", "é": "\u2028", "half": "{1", "minus": "-", "dot": "1."},
]
"""Metadata that release 0.3.0 would not have stored as it is."""


@pytest.fixture
def server(servers: Servers) -> Iterator[Any]:
    with Target("valkey-9.1-search").connect(
        servers.standalone("valkey-9.1-search").port
    ) as client:
        yield client


@pytest.fixture
def names(server: Any, prefix: str) -> Iterator[str]:
    yield prefix
    for name in server.execute_command("FT._LIST"):
        if name.decode().startswith(prefix):
            server.execute_command("FT.DROPINDEX", name)


def run_legacy(python: Path, verb: str, client: Any, name: str) -> Any:
    # -E: PYTHONPATH may name the sources of this release.
    port = client.get_connection_kwargs()["port"]
    command = [str(python), "-E", legacy_030.__file__, verb, str(port), name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def by_text(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(documents, key=lambda each: each["text"])


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Compare what was read; a loader has no order."""
    loaded = [by_text(each["loaded"]) for each in (one, other)]
    return loaded[0] == loaded[1] and {**one, "loaded": []} == {**other, "loaded": []}


def stored_under(client: Any, name: str) -> dict[bytes, Any]:
    """Return all hashes under a prefix, by what follows it."""
    keys = client.scan_iter(match=f"{name}*", count=1_000)
    return {key.removeprefix(name.encode()): client.hgetall(key) for key in keys}


def described(client: Any, name: str) -> Any:
    """Return what FT.INFO says of the definition of an index."""
    info = client.execute_command("FT.INFO", f"{name}docs")
    return json.loads(
        repr([info[b"index_definition"], info[b"attributes"]])
        .replace(name, "")
        .replace("b'", "'")
        .replace("'", '"')
    )


def test_documents_of_release_030_open_here_as_they_do_there(
    server: Any, names: str, legacy_python: Path
) -> None:
    keys = run_legacy(legacy_python, "write", server, names)
    before = stored_under(server, names)
    here, there = legacy_030.read(server, names), run_legacy(legacy_python, "read", server, names)
    assert same(here, there)
    assert here["found"] == [
        {"text": text, "metadata": metadata}
        for text, metadata in zip(TEXTS, METADATAS, strict=True)
    ]
    assert by_text(here["loaded"]) == by_text(here["found"])
    store = RedisVectorStore(server, f"{names}docs", Vectors())
    assert [each.id for each in store.get_by_ids(keys)] == keys
    RedisVectorStore.init_index(server, HNSWConfig(f"{names}docs", None, 2))
    newer = MemorystoreVectorStore(server, f"{names}docs", Vectors(), separator="")
    assert as_json(newer.similarity_search("1 0.1")) == here["found"]
    assert stored_under(server, names) == before
    assert store.delete(keys)
    assert store.similarity_search("1 0.1") == []


def test_release_030_reads_documents_of_this_one_equal(
    server: Any, names: str, legacy_python: Path
) -> None:
    legacy_030.write(server, names, HOSTILE)
    here, there = legacy_030.read(server, names), run_legacy(legacy_python, "read", server, names)
    assert same(here, there)
    expected = [
        {"text": text, "metadata": metadata} for text, metadata in zip(TEXTS, HOSTILE, strict=True)
    ]
    assert there["found"] == expected
    assert by_text(there["loaded"]) == by_text(expected)


def test_both_releases_write_the_same_keys_fields_and_index(
    server: Any, names: str, legacy_python: Path
) -> None:
    there, here = f"{names}there:", f"{names}here:"
    keys = run_legacy(legacy_python, "write", server, there)
    assert [key.replace("there:", "here:") for key in keys] == legacy_030.write(server, here)
    assert stored_under(server, there) == stored_under(server, here)
    assert described(server, there) == described(server, here)


def test_each_fault_that_is_mended_here_is_one_of_release_030(
    server: Any, names: str, legacy_python: Path
) -> None:
    old = run_legacy(legacy_python, "faults", server, f"{names}there:")
    new = legacy_030.faults(server, f"{names}here:")
    assert {name: (old[name], new[name]) for name in old} == {
        "init_index twice": ("ResponseError", None),
        "metadata": (
            {"true": "True", "none": "None", "list": "[1, 'x']", "digits": 123},
            {"true": True, "none": None, "list": [1, "x"], "digits": "123"},
        ),
        "page_content": (1, "InvalidDocumentError"),
        "generator": ("ValueError", 1),
        "k over 10": (10, 20),
        "decode_responses": ("UnicodeDecodeError", 4),
        "nearest by inner product": ("0 1", "1 0"),
        "glob characters of a loader": (2, 1),
        "glob characters of a saver": (0, 1),
        "foreign key": ("ResponseError", []),
        "missing field": ("KeyError", ["x"]),
        "id": (None, "1"),
        "empty list": ("ResponseError", []),
        "delete([])": (0, 1),
    }
