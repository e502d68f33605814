"""Settings of an index, under the names of release 0.3.0.

Strategy: plain objects, checked when they are made, and turned into what `indexes.py` asks for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from langchain_google_memorystore_redis._redis.arguments import positive
from langchain_google_memorystore_redis.errors import ArgumentTypeError, InvalidArgumentError

_MAX_DIMENSIONS = 32_768


class DistanceStrategy(StrEnum):
    """Measure of the distance between two vectors.

    Members equal those of LangChain's enumeration of that name.
    """

    EUCLIDEAN_DISTANCE = "EUCLIDEAN_DISTANCE"
    MAX_INNER_PRODUCT = "MAX_INNER_PRODUCT"
    DOT_PRODUCT = "DOT_PRODUCT"
    JACCARD = "JACCARD"
    COSINE = "COSINE"


_METRICS = {
    DistanceStrategy.EUCLIDEAN_DISTANCE: "L2",
    DistanceStrategy.MAX_INNER_PRODUCT: "IP",
    DistanceStrategy.COSINE: "COSINE",
}


class VectorIndexConfig:
    """Settings of an index of vectors.

    Args:
        name: name of the index, with which the keys of its documents begin.
        field_name: field of a document that holds its vector.
        type: "HNSW" or "FLAT".
        distance_strategy: COSINE, EUCLIDEAN_DISTANCE or MAX_INNER_PRODUCT.
        vector_size: numbers of a vector.
        data_type: "FLOAT32".
    """

    def __init__(  # noqa: PLR0917  (as release 0.3.0 has it)
        self,
        name: str,
        field_name: str,
        type: str,  # noqa: A002
        distance_strategy: DistanceStrategy,
        vector_size: int,
        data_type: str = "FLOAT32",
    ) -> None:
        for argument, value in (("name", name), ("field_name", field_name)):
            if not isinstance(value, str):
                kind = value.__class__.__name__
                raise ArgumentTypeError(argument, f"must be a str, not {kind}")
            if not value:
                raise InvalidArgumentError(argument, "must not be empty")
        if type not in ("HNSW", "FLAT"):
            raise InvalidArgumentError("type", f"must be 'HNSW' or 'FLAT', not {type!r:.80}")
        if str(data_type).upper() != "FLOAT32":
            raise InvalidArgumentError("data_type", f"must be 'FLOAT32', not {data_type!r:.80}")
        if positive("vector_size", vector_size) > _MAX_DIMENSIONS:
            raise InvalidArgumentError("vector_size", f"must be {_MAX_DIMENSIONS:,} or less")
        self.name = name
        self.field_name = field_name
        self.type = type
        self.distance_strategy = distance_strategy_of(distance_strategy)
        if self.distance_strategy not in _METRICS:
            supported = ", ".join(_METRICS)
            raise InvalidArgumentError(
                "distance_strategy",
                f"must be one of {supported}, not {self.distance_strategy}",
            )
        self.vector_size = vector_size
        self.data_type = data_type

    @property
    def distance_metric(self) -> str:
        """The measure, as servers call it."""
        return _METRICS[self.distance_strategy]

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of the algorithm, by their names here."""
        return {}


class HNSWConfig(VectorIndexConfig):
    """Settings of an HNSW index, which finds most of the nearest documents, and fast.

    Args:
        name: name of the index, with which the keys of its documents begin.
        field_name: field of a document that holds its vector; None for "vector".
        vector_size: numbers of a vector.
        distance_strategy: COSINE, EUCLIDEAN_DISTANCE or MAX_INNER_PRODUCT.
        initial_cap: documents for which the server reserves memory at once.
        m: neighbours of each vector in the graph.
        ef_construction: vectors examined when one is added.
        ef_runtime: vectors examined by a search: more find more, and take longer.
    """

    def __init__(  # noqa: PLR0917  (as release 0.3.0 has it)
        self,
        name: str,
        field_name: str | None = None,
        vector_size: int = 128,
        distance_strategy: DistanceStrategy = DistanceStrategy.COSINE,
        initial_cap: int = 10_000,
        m: int = 16,
        ef_construction: int = 200,
        ef_runtime: int = 10,
    ) -> None:
        field_name = "vector" if field_name is None else field_name
        super().__init__(name, field_name, "HNSW", distance_strategy, vector_size)
        self.initial_cap = initial_cap
        self.m = m
        self.ef_construction = ef_construction
        self.ef_runtime = ef_runtime

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of the algorithm, by their names here."""
        names = ("initial_cap", "m", "ef_construction", "ef_runtime")
        return {name: getattr(self, name) for name in names}


class FLATConfig(VectorIndexConfig):
    """Settings of a FLAT index, which compares all documents and is exact.

    Args:
        name: name of the index, with which the keys of its documents begin.
        field_name: field of a document that holds its vector; None for "vector".
        vector_size: numbers of a vector.
        distance_strategy: COSINE, EUCLIDEAN_DISTANCE or MAX_INNER_PRODUCT.
    """

    def __init__(
        self,
        name: str,
        field_name: str | None = None,
        vector_size: int = 128,
        distance_strategy: DistanceStrategy = DistanceStrategy.COSINE,
    ) -> None:
        field_name = "vector" if field_name is None else field_name
        super().__init__(name, field_name, "FLAT", distance_strategy, vector_size)


def distance_strategy_of(value: Any) -> DistanceStrategy:
    """Return a strategy of this enumeration, or of LangChain's of the same name."""
    try:
        return DistanceStrategy(value)
    except ValueError as error:
        known = ", ".join(DistanceStrategy)
        raise InvalidArgumentError(
            "distance_strategy", f"must be one of {known}, not {value!r:.80}"
        ) from error
