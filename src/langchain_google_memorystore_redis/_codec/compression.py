"""Elements whose data is a zstd frame: `{"type":"ai","zstd":"<frame>","id":...,"ts":...}`.

Strategy: only the data is compressed, so that scripts and people find all else in its usual
place; spaces between the fields are kept, so that expanding returns the very same element.
The frame is raw bytes, whose second byte is not UTF-8, so no JSON parser accepts such an element
by mistake. The dictionary is part of the format: a new one needs a new field name than "zstd".
"""

from __future__ import annotations

import re
import threading
from functools import cache
from importlib.resources import files

from langchain_google_memorystore_redis._redis.arguments import one_of, positive
from langchain_google_memorystore_redis.errors import MissingExtraError

MAX_BYTES = 4 << 20
"""Limit of the data: larger data is stored uncompressed, a frame that claims more is refused."""

MAX_RATIO = 20
"""Limit of data size to frame size, treated alike, so that what a read costs depends on its size.

JSON can take a second and 25 MB a megabyte to parse; of real text little is that repetitive.
"""

# Groups: head of the element, separator of name and value, data or frame, tail of the element,
# which begins with the names of inexact fields if there are any.
_HEAD = rb'({"type": ?"\w+", ?)'
_TAIL = rb'((?:, ?"inexact": ?\[(?:"(?:[^"\\]|\\.)*+"(?:, ?)?)++\])?, ?"id": ?.*)'
_PLAIN = re.compile(_HEAD + rb'"data"(: ?)({.*})' + _TAIL, re.DOTALL)
_COMPRESSED = re.compile(_HEAD + rb'"zstd"(: ?)"(.*)"' + _TAIL, re.DOTALL)


class FrameError(ValueError):
    """A frame that cannot be expanded; the text gives the reason."""


class _Zstandard(threading.local):
    """Compressor and decompressor of each thread: not thread-safe, and slow to create (15 us)."""

    def __init__(self) -> None:
        try:
            import zstandard  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError("zstd", "a compressed message") from error
        content = files(__package__).joinpath("zstd_dictionary.txt").read_bytes()
        dictionary = zstandard.ZstdCompressionDict(
            content, dict_type=zstandard.DICT_TYPE_RAWCONTENT
        )
        # Level 6 takes twice the time, 3 times for 20 KB, and saves 2 to 6 %. The checksum detects
        # a frame made with another dictionary, which would expand to wrong data.
        self.compress = zstandard.ZstdCompressor(3, dictionary, write_checksum=True).compress
        self.decompress = zstandard.ZstdDecompressor(dict_data=dictionary).decompress
        self.content_size = zstandard.frame_content_size
        self.error = zstandard.ZstdError


@cache
def load_zstandard() -> _Zstandard:
    """Return the compressor and decompressor; raises `MissingExtraError` without zstandard."""
    return _Zstandard()


def compression_threshold(compress: str | None, compress_min_bytes: int) -> int:
    """Check the compression settings and return the minimum size to compress, 0 for never.

    In bytes of an element. Raises `MissingExtraError` too.
    """
    minimum = positive("compress_min_bytes", compress_min_bytes)
    if one_of("compress", compress, (None, "zstd")) is None:
        return 0
    load_zstandard()
    return minimum


def compress_if_smaller(element: bytes) -> bytes:
    """Compress the data of an element; return the element unchanged if that saves nothing."""
    compressed = compress_element(element)
    return compressed if len(compressed) < len(element) else element


def compress(data: bytes) -> bytes | None:
    """Return the frame of some data; None if it is over the limits."""
    if len(data) > MAX_BYTES:
        return None
    frame = load_zstandard().compress(data)
    return frame if len(data) <= MAX_RATIO * len(frame) else None


def compress_element(element: bytes) -> bytes:
    """Compress the data of an element, however short; return it unchanged if over the limits."""
    match = _PLAIN.fullmatch(element)
    if match is None:
        return element
    head, separator, data, tail = match.groups()
    frame = compress(data)
    if frame is None:
        return element
    return b"".join((head, b'"zstd"', separator, b'"', frame, b'"', tail))


def expand_element(element: bytes) -> bytes:
    """Undo `compress_element`; return an uncompressed element unchanged.

    Raises `FrameError`, and `MissingExtraError`.
    """
    match = _COMPRESSED.fullmatch(element)
    if match is None:
        return element
    head, separator, frame, tail = match.groups()
    return b"".join((head, b'"data"', separator, decompress(frame), tail))


def decompress(frame: bytes) -> bytes:
    """Decompress a frame, after checking its claimed size before memory is allocated for it.

    Raises `FrameError`, and `MissingExtraError`.
    """
    zstd = load_zstandard()
    try:
        size = zstd.content_size(frame)  # -1 if the frame does not give it
        if not 0 <= size <= min(MAX_BYTES, MAX_RATIO * len(frame)):
            raise FrameError(
                f"a frame of {len(frame)} bytes whose data size ({size}) is not allowed"
            )
        return zstd.decompress(frame, allow_extra_data=False)
    except zstd.error as error:
        raise FrameError(f"a frame that cannot be expanded ({error})") from error
