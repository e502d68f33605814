"""Serializer whose long results are compressed.

Strategy: what the user's serializer makes is replaced by a zstd frame, and its type by one that no
serializer gives. Both are read, whatever the settings.
"""

from __future__ import annotations

from typing import Any

from langchain_google_memorystore_redis._checkpoint.values import Serializer
from langchain_google_memorystore_redis._codec.compression import compress, decompress

_KIND = "\1zstd:"
"""Beginning of the type of what is compressed, before the type that it had."""


class CompressingSerializer:
    """Serializer that compresses what another one makes, and reads it compressed or not.

    Args:
        serde: the user's serializer.
        min_bytes: size from which on to compress, 0 for never.
    """

    def __init__(self, serde: Serializer, min_bytes: int) -> None:
        self.serde = serde
        self._min_bytes = min_bytes

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Return the type and the bytes of a value, compressed if that makes them fewer."""
        kind, payload = self.serde.dumps_typed(obj)
        if self._min_bytes and len(payload) >= self._min_bytes:
            frame = compress(payload)
            if frame is not None and len(frame) + len(_KIND) < len(payload):
                return _KIND + kind, frame
        return kind, payload

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return the value of what `dumps_typed` returned."""
        kind, payload = data
        if kind.startswith(_KIND):
            return self.serde.loads_typed((kind.removeprefix(_KIND), decompress(payload)))
        return self.serde.loads_typed(data)
