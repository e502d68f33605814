"""A choice of vectors near a query and far from each other.

Strategy: maximal marginal relevance, greedy as its authors define it, by cosine. Each step costs
one product of a matrix and a vector, whatever has been chosen before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from langchain_google_memorystore_redis._vectors.distances import directions


def choose_diverse(query: Any, matrix: Any, k: int, lambda_mult: float) -> list[int]:
    """Return the rows of a matrix to choose, best first, at most `k`.

    `lambda_mult` is the weight of nearness to the query, from 0 for diversity alone to 1.
    """
    rows = directions(np.asarray(matrix, np.float64))
    nearness = rows @ directions(np.asarray(query, np.float64))
    redundancy = np.zeros_like(nearness)
    chosen: list[int] = []
    while len(chosen) < min(k, len(rows)):
        scores = lambda_mult * nearness - (1.0 - lambda_mult) * redundancy
        scores = scores if chosen else nearness.copy()
        scores[chosen] = -np.inf
        best = int(scores.argmax())
        to_best = rows @ rows[best]
        redundancy = np.maximum(redundancy, to_best) if chosen else to_best
        chosen.append(best)
    return chosen
