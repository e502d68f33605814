"""Elements whose data travels as a zstd frame.

Strategy: `{"type":"ai","zstd":"<base64>","id":...,"ts":...}`. Only the data is compressed, so that
scripts and people find type, id and time where they always are, and the element stays JSON for
clients that decode replies. JSON with spaces stays JSON with spaces: that tells the reader which
parser its data needs. The dictionary is part of the format: another one takes another name than
"zstd". A frame says how large its content is, which is checked before anything is allocated.
"""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from functools import cache
from importlib.resources import files
from typing import Any

from langchain_google_memorystore_redis.errors import MissingExtraError

MOST_BYTES = 16 << 20
"""Larger data is stored as it is, and a frame that claims more is refused."""

MOST_TIMES = 100
"""Data that is so many times its frame is no text: stored as it is, and refused in a frame."""


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
    is_compact = element.startswith(b'{"type":"')
    name, following = (b'"data":', b',"id":') if is_compact else (b'"data": ', b', "id": ')
    head, _, rest = element.partition(name)
    data, _, tail = rest.rpartition(following)
    if len(data) > MOST_BYTES:
        return element
    frame = tools().compress(data)
    if len(data) > MOST_TIMES * len(frame):
        return element
    name = name.replace(b"data", b"zstd")
    return b"".join((head, name, b'"', b64encode(frame), b'"', following, tail))


def expand(text: Any) -> bytes:
    """The data in what an element has under "zstd".

    Raises `FrameError`, and `MissingExtraError`.
    """
    if type(text) is not str:
        raise FrameError('"zstd" is no text')
    has = tools()
    try:
        frame = b64decode(text, validate=True)
    except ValueError as error:
        raise FrameError('"zstd" is no base64') from error
    try:
        size = has.content_size(frame)  # -1 where the frame does not say
        if not 0 <= size <= min(MOST_BYTES, MOST_TIMES * len(frame)):
            raise FrameError(f"no frame of ours has {len(frame)} bytes for {size}")
        return has.decompress(frame, allow_extra_data=False)
    except has.error as error:
        raise FrameError(f"a frame that cannot be expanded ({error})") from error
