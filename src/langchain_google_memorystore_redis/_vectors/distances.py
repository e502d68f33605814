"""Distances of vectors, as an index computes them, and relevance scores.

Strategy: the same three measures as FT.CREATE, in double precision. L2 is squared, and COSINE and
IP are one minus the cosine or the inner product, so that the least is always the nearest.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from langchain_google_memorystore_redis._vectors.packing import Matrix

_LEAST_SQUARE = 1e-20
"""Square of a length that is far from the least float32."""

DISTANCES = ("COSINE", "L2", "IP")
"""Distances that an index can have."""


def distances_to(query: Any, matrix: Any, distance: str) -> npt.NDArray[np.float64]:
    """Return the distance of each row of a matrix to a vector."""
    rows = np.asarray(matrix, np.float64)
    vector = np.asarray(query, np.float64)
    found: npt.NDArray[np.float64]
    if distance == "L2":
        found = np.square(rows - vector).sum(axis=1)
    elif distance == "IP":
        found = 1.0 - rows @ vector
    else:
        found = 1.0 - directions(rows) @ directions(vector)
    return found


def cosines(query: Matrix, matrix: Matrix) -> npt.NDArray[np.float64]:
    """Return the cosine of each row of a matrix and a vector, 0 where one of them is zero.

    In single precision, 20 times faster than `distances_to`, unless a vector is too short for it.
    """
    squares, square = np.einsum("ij,ij->i", matrix, matrix), query @ query
    if min(square, squares.min()) > _LEAST_SQUARE:
        # Not a product of BLAS, whose threads wait for each other where cores are busy.
        products = np.einsum("ij,j->i", matrix, query)
        found = products / (np.sqrt(squares) * np.sqrt(square))
    else:
        found = 1.0 - distances_to(query, matrix, "COSINE")
    return cast("npt.NDArray[np.float64]", np.clip(found, -1, 1).astype(np.float64))


def directions(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return vectors of length one; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return cast("npt.NDArray[np.float64]", unit)


def relevance(found: float, distance: str, query: Any = None) -> float:
    """Convert a distance to a score from 0 to 1, which falls as the distance grows.

    An equal vector has 1. Opposite directions have 0 under COSINE. Under IP, vectors count as their
    parts in the direction of the query, so that longer ones have 1 too; `query` is needed there
    unless its length is one.
    """
    if distance == "L2":
        return 1.0 / (1.0 + max(found, 0.0))
    cosine = 1.0 - found
    if distance == "IP" and query is not None:
        squared = float(np.square(np.asarray(query, np.float64)).sum())
        cosine = cosine / squared if squared else math.copysign(1.0, cosine)
    return min(max((1.0 + cosine) / 2.0, 0.0), 1.0)
