"""Vectors as the bytes that a server indexes: float32, little endian.

Strategy: numbers are checked here, because a server either leaves out a document with a vector that
it cannot use, in silence, or computes with it and gets nothing a number could be compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from langchain_google_memorystore_redis.errors import InvalidVectorError

Matrix: TypeAlias = npt.NDArray[np.float32]

FLOAT32 = np.dtype("<f4")
_MAX = float(np.finfo(np.float32).max)
_MIN_NORMAL = float(np.finfo(np.float32).tiny)
_MAX_DIMENSIONS = 32_768


def pack_vectors(
    vectors: Iterable[Any], distance: str, dimensions: int | None = None, start: int = 0
) -> list[bytes]:
    """Check vectors and return their bytes.

    `dimensions` is the size that all must have; None takes that of the first. Raises
    `InvalidVectorError`, which names the vector by its position, that of the first being `start`.
    """
    packed = []
    for index, vector in enumerate(vectors, start):
        checked = _check(index, vector, distance)
        dimensions = len(checked) if dimensions is None else dimensions
        if len(checked) != dimensions:
            raise InvalidVectorError(
                index, f"has {len(checked)} numbers, where the index has {dimensions}"
            )
        packed.append(checked.tobytes())
    return packed


def unpack_vectors(packed: Sequence[bytes]) -> Matrix:
    """Return vectors of one size as the rows of a matrix."""
    return np.frombuffer(b"".join(packed), FLOAT32).reshape(len(packed), -1)


def _check(index: int, vector: Any, distance: str) -> Matrix:
    try:
        wide = np.asarray(vector)
    except Exception as error:  # ragged lists, tensors of a GPU, whatever an embedding returns
        raise InvalidVectorError(index, f"is no list of numbers ({error})") from error
    if wide.ndim != 1 or wide.dtype.kind not in "fiu":
        raise InvalidVectorError(
            index, f"is no list of numbers, but {type(vector).__name__} {vector!r:.80}"
        )
    if not 1 <= wide.size <= _MAX_DIMENSIONS:
        raise InvalidVectorError(index, f"has {wide.size} numbers: 1 to 32,768 can be indexed")
    if not np.isfinite(wide).all():
        raise InvalidVectorError(index, "holds NaN or an infinite number")
    if float(np.abs(wide).max()) > _MAX:
        raise InvalidVectorError(index, "holds a number beyond float32 (3.4e38)")
    narrow: Matrix = wide.astype(FLOAT32)
    length = float(np.square(narrow, dtype=np.float64).sum())
    if distance == "COSINE" and length == 0:
        raise InvalidVectorError(index, "is zero, and has no direction that COSINE could compare")
    # A server squares in float32.
    if length > _MAX or (distance == "COSINE" and length < _MIN_NORMAL):
        raise InvalidVectorError(
            index, "is too long or too short: the sum of its squares is beyond float32"
        )
    return narrow
