r"""Keys of the store, and names of namespaces.

Strategy: all keys of a namespace share a slot of a cluster, because its labels stand between
braces, percent-encoded and joined with dots, which no label may hold. Its name in the list of all
namespaces ends each label with \x00, so that names sort as tuples of labels do, and those under a
prefix are one range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

from langchain_google_memorystore_redis._redis.keys import tagged_prefix

Namespace: TypeAlias = tuple[str, ...]


class NamespaceKeys(NamedTuple):
    """Keys of one namespace, in one slot of a cluster."""

    index_key: bytes
    item_prefix: bytes
    """Beginning of the keys of its items."""
    vectors_prefix: bytes
    """Beginning of the keys of their vectors."""

    def of_items(self, names: Sequence[bytes]) -> list[bytes]:
        """Return item and vectors of each name, after the index."""
        pairs = ((self.item_prefix + name, self.vectors_prefix + name) for name in names)
        return [self.index_key, *(key for pair in pairs for key in pair)]


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """Keys under one prefix."""

    key_prefix: str

    @property
    def names(self) -> list[bytes]:
        """Names of all namespaces, and times of their last writes; no namespace has this tag."""
        return list(_names_of(self.key_prefix))

    def of(self, namespace: Namespace) -> NamespaceKeys:
        """Return the keys of a namespace."""
        return _keys_of(self.key_prefix, namespace)


@lru_cache
def _names_of(key_prefix: str) -> tuple[bytes, bytes]:
    tag = tagged_prefix(key_prefix).encode()
    return tag + b"{.}:names", tag + b"{.}:writes"


@lru_cache(maxsize=1024)
def _keys_of(key_prefix: str, namespace: Namespace) -> NamespaceKeys:
    labels = ".".join([quote(label, safe="") for label in namespace])
    tag = f"{tagged_prefix(key_prefix)}{{{labels}}}:".encode()
    return NamespaceKeys(tag + b"index", tag + b"item:", tag + b"vectors:")


def namespace_name(namespace: Namespace) -> bytes:
    """Return the name of a namespace in the list of all."""
    return b"".join([label.encode() + b"\0" for label in namespace])


def parse_name(name: bytes) -> Namespace:
    """Return the namespace of a name."""
    return tuple(name.decode("utf-8", "backslashreplace").split("\0")[:-1])


def bounds_under(namespace: Namespace) -> tuple[bytes, bytes]:
    """Return the bounds of the names of a namespace and of all below it."""
    name = namespace_name(namespace)
    return (b"[" + name, after_all_under(namespace)) if name else (b"-", b"+")


def after_all_under(namespace: Namespace) -> bytes:
    """Return a bound that comes after a namespace and all below it, and before all else."""
    return b"(" + namespace_name(namespace)[:-1] + b"\1"
