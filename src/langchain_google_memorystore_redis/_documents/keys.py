"""Keys of the documents of an index, and the name of the index.

Strategy: a document is one key, `key_prefix + index_name + separator + id`. What the separator is
made of is percent-encoded in the name, so that no index covers the keys of another; with an empty
separator keys are those of release 0.3.0, and nothing is encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    """Name of an index and the beginning of the keys that it covers."""

    index: str
    prefix: str

    def key(self, id: str) -> bytes:  # noqa: A002
        """Return the key of a document; raises `InvalidArgumentError` for an unusable id."""
        if not isinstance(id, str):
            raise ArgumentTypeError("ids", f"must be str, not {type(id).__name__} ({id!r:.80})")
        if not id:
            raise InvalidArgumentError("ids", "must not be empty strings; None has an id made")
        try:
            return (self.prefix + id).encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(
                "ids", f"{id!r:.80} holds a lone surrogate, which UTF-8 cannot carry"
            ) from error

    def named(self, id: str) -> tuple[bytes, ...]:  # noqa: A002
        """Return the keys that an id may mean, the likeliest first."""
        return (self.key(id),)

    def id(self, key: bytes) -> str:
        """Return the id of the document at a key."""
        return key.decode("utf-8", "backslashreplace").removeprefix(self.prefix)


class LegacyKeys(DocumentKeys):
    """Keys of a store of release 0.3.0, which are the ids of its documents at the same time."""

    def named(self, id: str) -> tuple[bytes, ...]:  # noqa: A002
        """Return the key itself, and the key of a raw id."""
        key = self.key(id)
        return (id.encode(), key) if id.startswith(self.prefix) else (key,)

    def id(self, key: bytes) -> str:
        """Return the key."""
        return key.decode("utf-8", "backslashreplace")


def document_keys(key_prefix: str, index_name: str, separator: str) -> DocumentKeys:
    """Return the keys of an index; raises `InvalidArgumentError` for unusable parts."""
    parts = {"key_prefix": key_prefix, "index_name": index_name, "separator": separator}
    for argument, value in parts.items():
        if not isinstance(value, str):
            raise ArgumentTypeError(argument, f"must be a str, not {type(value).__name__}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(argument, "holds a lone surrogate") from error
    if not index_name:
        raise InvalidArgumentError("index_name", "must not be empty")
    if not re.fullmatch(r"[^\w\s%{}\x00-\x1f]*", separator):
        raise InvalidArgumentError("separator", "must be punctuation such as ':', or empty")
    if separator:
        # Braces would be a hash tag, which no index name may have.
        encoded = re.compile(rf"[%{{}}\x00-\x1f{re.escape(separator)}]")
        index_name = encoded.sub(lambda found: f"%{ord(found[0]):02X}", index_name)
    index = key_prefix + index_name
    if re.search(r"\{[^}]+\}", index):
        raise InvalidArgumentError(
            "key_prefix or index_name", "must not hold a hash tag: valkey-search refuses such names"
        )
    return DocumentKeys(index, index + separator)
