"""Items as records, and back.

Strategy: a record is a head of fixed size, which scripts make and read (`lua/_index.lua`), and the
value in JSON. A value is parsed again as soon as it is written, and what would not come back equal
is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from langchain_google_memorystore_redis._store.keys import Namespace
from langchain_google_memorystore_redis.errors import CorruptItemError, InvalidItemError

_HEAD_BYTES = 80
_TIMES_BYTES = 48
_ADVICE = {
    "tuple": "use a list",
    "set": "use a list",
    "bytes": "use a str, such as base64",
    "datetime": "use its isoformat()",
}

_write = msgspec.json.Encoder().encode
_parse = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class StoredItem:
    """Item as it was read."""

    namespace: Namespace
    name: bytes
    value: dict[str, Any]
    created_us: int
    updated_us: int
    ttl_ms: int
    score: float | None = None

    @property
    def key(self) -> str:
        """The key that the user gave."""
        return self.name.decode("utf-8", "backslashreplace")


def encode_value(namespace: Namespace, key: str, value: Mapping[str, Any]) -> bytes:
    """Return a value as JSON; raises `InvalidItemError` if it would not come back equal."""
    plain = dict(value)
    raw = _exact_json(plain)
    if raw is None:
        field, wrong = _find_inexact("value", plain)
        raise InvalidItemError(namespace, key, field, _describe(wrong))
    return raw


def _exact_json(value: Any) -> bytes | None:
    """Return JSON that reads back equal; None if there is none."""
    try:
        raw = _write(value)
        return raw if bool(_parse(raw) == value) else None
    except Exception:  # noqa: BLE001 - values may be anything, and compare as they like
        return None


def _find_inexact(path: str, value: Any) -> tuple[str, Any]:
    """Return the innermost part that JSON cannot carry exactly, and its path."""
    for _ in range(1000):  # ends in a value that contains itself
        parts: list[tuple[str, Any]] = []
        if isinstance(value, dict):
            for name in value:
                if not isinstance(name, str) or _exact_json(name) is None:
                    return f"{path}, key {name!r:.80}", name
            parts = [(f"{path}[{name!r:.80}]", part) for name, part in value.items()]
        elif isinstance(value, list):
            parts = [(f"{path}[{place}]", part) for place, part in enumerate(value)]
        wrong = next((each for each in parts if _exact_json(each[1]) is None), None)
        if wrong is None:
            return path, value
        path, value = wrong
    return f"{path[:80]}...", value


def _describe(value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, (str, float)):
        return f"{value!r:.80} has no form in JSON that would come back equal"
    advice = _ADVICE.get(kind, "use plain values: str, int, float, bool, None, list, dict")
    return f"a {kind} would not come back from JSON as it is; {advice}"


def decode_value(namespace: Namespace, name: bytes, record: bytes) -> dict[str, Any]:
    """Return the value of a record, a new one every time; raises `CorruptItemError`."""
    try:
        value = _parse(record[_HEAD_BYTES:]) if record[:1] == b"1" else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CorruptItemError(namespace, name.decode("utf-8", "backslashreplace"))
    return value


def decode_item(
    namespace: Namespace,
    name: bytes,
    record: bytes,
    value: dict[str, Any],
    score: float | None = None,
) -> StoredItem:
    """Return the item of a record and its value; raises `CorruptItemError`."""
    if not record[:_TIMES_BYTES].isdigit():
        raise CorruptItemError(namespace, name.decode("utf-8", "backslashreplace"))
    created, updated, ttl = int(record[1:17]), int(record[17:33]), int(record[33:48])
    return StoredItem(namespace, name, value, created, updated, ttl, score)
