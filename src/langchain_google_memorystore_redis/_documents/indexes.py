"""Indexes: FT.CREATE, FT.INFO and FT.DROPINDEX, and what an index must have.

Strategy: an index is used only after FT.INFO has shown that it measures the same vectors in the
same way; that is asked once. Fields that the index of that name lacks need a second one over the
same keys, named after them.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from langchain_google_memorystore_redis._documents.information import IndexInfo, info_op, list_op
from langchain_google_memorystore_redis._documents.keys import DocumentKeys
from langchain_google_memorystore_redis._filters.expression import TAG_SEPARATOR, alias
from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis._redis.op import (
    PRIMARIES,
    Call,
    Flow,
    Op,
    ask,
    ignore_reply,
)
from langchain_google_memorystore_redis._vectors.packing import pack_vectors
from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    IndexMismatchError,
    IndexMissingError,
    InvalidArgumentError,
    InvalidVectorError,
)

logger = logging.getLogger(__package__)

MAX_FIELDS = 9
"""Fields that an index can have beside the vector."""

MAX_EF = 4_096
"""Vectors that HNSW may examine, at the most."""

_MAX_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """Requirements of an index."""

    keys: DocumentKeys
    fields: Mapping[str, str] = field(default_factory=dict)
    algorithm: str = "HNSW"
    distance: str = "COSINE"
    vector_field: str = "vector"
    dimensions: int | None = None
    """Numbers of a vector; None for those of the embedding."""

    @property
    def second_name(self) -> str:
        """Name of an index for these fields, where the first one lacks some."""
        return "|".join([self.keys.index, *(f"{alias(n)}:{t}" for n, t in self.fields.items())])

    def create_command(
        self, name: str, dimensions: int, parameters: Mapping[str, int]
    ) -> tuple[Any, ...]:
        """Return FT.CREATE; `parameters` are those of HNSW or FLAT, by their names there."""
        attributes: dict[str, Any] = {
            "TYPE": "FLOAT32",
            "DIM": dimensions,
            "DISTANCE_METRIC": self.distance,
            **parameters,
        }
        settings = [part for item in attributes.items() for part in item]
        vector = (self.vector_field, "VECTOR", self.algorithm, len(settings), *settings)
        command = ("FT.CREATE", name, "ON", "HASH", "PREFIX", 1, self.keys.prefix, "SCHEMA")
        return (*command, *vector, *self._schema())

    def _schema(self) -> Iterator[str]:
        for name, kind in self.fields.items():
            yield name
            if alias(name) != name:
                yield from ("AS", alias(name))
            if kind == "numeric":
                yield "NUMERIC"
            else:
                yield from ("TAG", "SEPARATOR", TAG_SEPARATOR, "CASESENSITIVE")

    def differences(self, info: IndexInfo) -> list[str]:
        """Return how an index differs from the requirements, apart from fields it lacks."""
        compared = {
            "prefixes": (info.prefixes, (self.keys.prefix,)),
            "algorithm": (info.algorithm, self.algorithm),
            "distance": (info.distance, self.distance),
            "vector field": (info.vector_field, self.vector_field),
            "size of vectors": (info.dimensions, self.dimensions),
        }
        return [
            f"its {name} is {found!r}, not {asked!r}"
            for name, (found, asked) in compared.items()
            if found and asked and found != asked  # a server may not tell
        ]

    def has_fields(self, info: IndexInfo) -> bool:
        """Tell whether an index has all declared fields."""
        return self.fields.items() <= info.fields.items()


def check_fields(fields: Mapping[str, str], reserved: Iterable[str]) -> dict[str, str]:
    """Check the declared fields of an index."""
    if not isinstance(fields, Mapping):
        raise ArgumentTypeError("fields", f"must be a dict, not {type(fields).__name__}")
    if len(fields) > MAX_FIELDS:
        raise InvalidArgumentError(
            "fields", f"are {len(fields)}: an index of Memorystore has at most {MAX_FIELDS}"
        )
    for name, kind in fields.items():
        if not isinstance(name, str) or not name or name in reserved:
            raise InvalidArgumentError("fields", f"cannot have the name {name!r:.80}")
        if kind not in ("tag", "numeric"):
            raise InvalidArgumentError(
                f"fields[{name!r:.80}]", f'must be "tag" or "numeric", not {kind!r:.80}'
            )
    if len(set(map(alias, fields))) < len(fields):
        raise InvalidArgumentError("fields", f"are not distinct in queries: {list(fields)}")
    return dict(fields)


def check_parameters(algorithm: str, parameters: Mapping[str, int]) -> dict[str, int]:
    """Check parameters of FT.CREATE, and return them by their names there."""
    limits = {"initial_cap": 2**31}
    if algorithm == "HNSW":
        limits |= {"m": 512, "ef_construction": MAX_EF, "ef_runtime": MAX_EF}
    for name, value in parameters.items():
        if name not in limits:
            known = ", ".join(limits)
            raise InvalidArgumentError(name, f"is no parameter of {algorithm} (known: {known})")
        if positive(name, value) > limits[name]:
            raise InvalidArgumentError(name, f"must be {limits[name]:,} or less")
    return {name.upper(): value for name, value in parameters.items()}


def any_primary() -> Flow[str | None]:
    """Return the name of a primary for commands that any of them answers."""
    nodes: tuple[str | None, ...] = yield PRIMARIES
    return random.choice(nodes)  # noqa: S311


def find_index(spec: IndexSpec) -> Flow[IndexInfo | str]:
    """Return the index that meets the requirements, or the name under which to create it.

    One round trip, two if the first index lacks fields. Raises `IndexMismatchError`.
    """
    for name in dict.fromkeys((spec.keys.index, spec.second_name)):
        node = yield from any_primary()
        try:
            info = yield from ask(info_op(name, node))
        except IndexMissingError:
            return name
        differences = spec.differences(info)
        if differences:
            raise IndexMismatchError(name, differences)
        if spec.has_fields(info):
            return info
    raise IndexMismatchError(name, [f"its fields are {info.fields!r}, not {spec.fields!r}"])


def create_index(
    spec: IndexSpec, name: str, dimensions: int, parameters: Mapping[str, int]
) -> Flow[None]:
    """Create an index; one that another client has created meanwhile stays. One round trip."""
    node = yield from any_primary()
    command = spec.create_command(name, dimensions, parameters)
    try:
        yield Op(command, ignore_reply, node=node)
    except Exception as error:
        # The words differ from server to server, but for these.
        if "already exists" not in str(error).lower():
            raise


def require_apart(spec: IndexSpec) -> Flow[None]:
    """Raise `InvalidArgumentError` if an index of a similar name covers other keys with these.

    One round trip, and one for each such name. An index of the same keys is no problem.
    """
    prefix = spec.keys.prefix
    node = yield from any_primary()
    for name in (yield from ask(list_op(node))):
        if not _begin_alike(name, prefix):
            continue
        with suppress(IndexMissingError):  # dropped meanwhile
            info = yield from ask(info_op(name, node))
            for other in info.prefixes or (name,):
                if other != prefix and _begin_alike(other, prefix):
                    raise InvalidArgumentError(
                        "index_name",
                        f"cannot be {spec.keys.index!r}: there is an index {name!r}, over keys "
                        f"that begin with {other!r}. Without a separator between name and id, each "
                        "search of the shorter name would find documents of the longer one too. "
                        "Choose another name, or MemorystoreVectorStore, which has a separator.",
                    )


def _begin_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def read_info(name: str) -> Flow[IndexInfo]:
    """Return the state of an index on all primaries together; one round trip each."""
    nodes: tuple[str | None, ...] = yield PRIMARIES
    total: IndexInfo | None = None
    for node in nodes:
        info = yield from ask(info_op(name, node))
        total = info.joined(total)
    return cast("IndexInfo", total)


def wait_until_ready(name: str, seconds: float) -> Flow[IndexInfo | None]:
    """Return the state of an index once all documents are indexed, or after some seconds.

    None if some node has not heard of it by then. One round trip a primary and look.
    """
    waited, interval = 0.0, 0.005
    while True:
        info: IndexInfo | None = None
        with suppress(IndexMissingError):  # a node of a cluster that has not heard of it yet
            info = yield from read_info(name)
        if (info and info.ready) or waited >= seconds:
            break
        yield Call(time.sleep, asyncio.sleep, (interval,))
        waited += interval
        interval = min(2 * interval, _MAX_PAUSE)
    if info is None or not info.ready:
        logger.warning(
            "index %r is not complete after %g s (%.0f%% of the documents): searches miss the rest "
            "until it is; index_info() tells",
            name,
            seconds,
            100 * (info.indexed if info else 0),
        )
    return info


def drop_index(name: str) -> Flow[None]:
    """Remove an index, and no document. One round trip."""
    node = yield from any_primary()
    yield Op(("FT.DROPINDEX", name), ignore_reply, node=node)


class Index:
    """Index of one store, found once and remembered.

    With `exact` there is none, and vectors are only held to the size of the first.
    """

    def __init__(self, spec: IndexSpec, *, exact: bool = False) -> None:
        self.spec = spec
        self.is_exact = exact
        self._found: IndexInfo | None = None

    def find(self) -> Flow[IndexInfo | None]:
        """Return the index; None if there is none. No round trip once it has been found."""
        if self._found is None:
            found = yield from find_index(self.spec)
            self._found = found if isinstance(found, IndexInfo) else None
        return self._found

    def forget(self) -> None:
        """Look for the index again the next time."""
        self._found = None

    def dimensions(self) -> Flow[int | None]:
        """Return the size of its vectors; None if there is no index, or no vector yet."""
        if self.is_exact:
            return self._found.dimensions if self._found else None
        found = yield from self.find()
        return found.dimensions if found else None

    def pack(self, vectors: Sequence[Any], start: int = 0) -> Flow[list[bytes]]:
        """Check vectors and return their bytes.

        Where they do not fit, another client may have made the index anew: it is looked for again.
        """
        may_be_old = self._found is not None and not self.is_exact
        dimensions = yield from self.dimensions()
        try:
            return pack_vectors(vectors, self.spec.distance, dimensions, start)
        except InvalidVectorError:
            if not may_be_old:
                raise
        self.forget()
        dimensions = yield from self.dimensions()
        return pack_vectors(vectors, self.spec.distance, dimensions, start)

    def ensure(self, dimensions: int) -> Flow[None]:
        """Create the index if it was not there when it was last looked for."""
        if self._found is None:
            yield from self.create(dimensions)

    def create(
        self, dimensions: int, parameters: Mapping[str, int] | None = None, wait: float = 30
    ) -> Flow[None]:
        """Create the index unless it is there, and wait until existing rows are in it."""
        if self.is_exact:
            self._found = IndexInfo(self.spec.keys.index, 0, 1.0, ready=True, dimensions=dimensions)
            return
        found = yield from find_index(self.spec)
        if not isinstance(found, IndexInfo):
            if self.spec.keys.index == self.spec.keys.prefix:
                yield from require_apart(self.spec)
            yield from create_index(self.spec, found, dimensions, parameters or {})
        name = found.name if isinstance(found, IndexInfo) else found
        info = yield from wait_until_ready(name, wait)
        if info is None:
            raise IndexMissingError(name)
        self._found = info


class GivenIndex(Index):
    """Index that is taken as it is, and that only its user creates."""

    def find(self) -> Flow[IndexInfo | None]:
        """Return the index; None if there is none. No round trip once it has been found."""
        if self._found is None:
            node = yield from any_primary()
            with suppress(IndexMissingError):
                found = yield from ask(info_op(self.spec.keys.index, node))
                self.spec = replace(self.spec, distance=found.distance or self.spec.distance)
                self._found = found
        return self._found

    def ensure(self, dimensions: int) -> Flow[None]:
        """Create nothing: documents may come before their index."""
        yield from ()
