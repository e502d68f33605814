"""Module path of the vector store in release 0.3.0.

Strategy: imports written for that release keep working.
"""

from langchain_google_memorystore_redis import (
    DistanceStrategy,
    FLATConfig,
    HNSWConfig,
    RedisVectorStore,
    VectorIndexConfig,
)

IndexConfig = VectorIndexConfig
"""Settings of an index; there are no others than those of vectors."""

__all__ = [
    "DistanceStrategy",
    "FLATConfig",
    "HNSWConfig",
    "IndexConfig",
    "RedisVectorStore",
    "VectorIndexConfig",
]
