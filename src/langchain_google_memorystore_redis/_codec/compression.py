"""Elements whose data travels as a zstd frame.

Strategy: `{"type":"ai","zstd":"<frame>","id":...,"ts":...}`. Only the data is compressed, so that
scripts and people find type, id and time where they always are. The frame is bytes, never text (its
second byte is no UTF-8), so no parser of JSON takes such an element for another. Spaces between the
fields stay, so that what is expanded is the very element. The dictionary is part of the format:
another one takes another name than "zstd". A frame says how large its content is, which is checked
before anything is allocated.
"""

from __future__ import annotations

import re
import threading
from functools import cache
from importlib.resources import files

from langchain_google_memorystore_redis._redis.arguments import one_of, positive
from langchain_google_memorystore_redis.errors import MissingExtraError

MOST_BYTES = 16 << 20
"""Larger data is stored as it is, and a frame that claims more is refused."""

MOST_TIMES = 100
"""Data that is so many times its frame is no text: stored as it is, and refused in a frame."""

_PLAIN = re.compile(rb'({"type": ?"\w+", ?)"data"(: ?)({.*})(, ?"id": ?.*)', re.DOTALL)
_FRAMED = re.compile(rb'({"type": ?"\w+", ?)"zstd"(: ?)"(.*)"(, ?"id": ?.*)', re.DOTALL)
"""Head, what stands between a name and its value, data or frame, and end of an element."""


class FrameError(ValueError):
    """A frame that cannot be expanded; the text says why."""


class _Tools(threading.local):
    """What zstandard offers, once a thread: it is not to be shared, and slow to make (15 us)."""

    def __init__(self) -> None:
        try:
            import zstandard  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError("zstd", "a compressed message") from error
        keys = files(__package__).joinpath("zstd_dictionary.txt").read_bytes()
        shared = zstandard.ZstdCompressionDict(keys, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        # Level 6 takes twice the time, 3 times for 20 KB, and saves 2 to 6 %. The checksum tells
        # what another dictionary would expand to something else.
        self.compress = zstandard.ZstdCompressor(3, shared, write_checksum=True).compress
        self.decompress = zstandard.ZstdDecompressor(dict_data=shared).decompress
        self.content_size = zstandard.frame_content_size
        self.error = zstandard.ZstdError


@cache
def tools() -> _Tools:
    """The tools; raises `MissingExtraError`."""
    return _Tools()


def compressed(element: bytes) -> bytes:
    """The element with its data in a frame, or as it is where that is not smaller."""
    smaller = framed(element)
    return smaller if len(smaller) < len(element) else element


def framed(element: bytes) -> bytes:
    """The element with its data in a frame, however short, unless it is out of bounds."""
    found = _PLAIN.fullmatch(element)
    if found is None:
        return element
    head, colon, data, end = found.groups()
    if len(data) > MOST_BYTES:
        return element
    frame = tools().compress(data)
    if len(data) > MOST_TIMES * len(frame):
        return element
    return b"".join((head, b'"zstd"', colon, b'"', frame, b'"', end))


def expanded(element: bytes) -> bytes:
    """The element that `framed` was given; any other as it is.

    Raises `FrameError`, and `MissingExtraError`.
    """
    found = _FRAMED.fullmatch(element)
    if found is None:
        return element
    head, colon, frame, end = found.groups()
    return b"".join((head, b'"data"', colon, _content(frame), end))


def _content(frame: bytes) -> bytes:
    has = tools()
    try:
        size = has.content_size(frame)  # -1 where the frame does not say
        if not 0 <= size <= min(MOST_BYTES, MOST_TIMES * len(frame)):
            raise FrameError(f"no frame of ours has {len(frame)} bytes for {size}")
        return has.decompress(frame, allow_extra_data=False)
    except has.error as error:
        raise FrameError(f"a frame that cannot be expanded ({error})") from error


def least_compressed(compress: str | None, compress_min_bytes: int) -> int:
    """From how many bytes on to compress, 0 for never; raises `MissingExtraError` too."""
    least = positive("compress_min_bytes", compress_min_bytes)
    if one_of("compress", compress, (None, "zstd")) is None:
        return 0
    tools()
    return least
