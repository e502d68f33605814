"""Module path of `MemorystoreChatMessageHistory` in release 0.3.0.

Strategy: imports written for that release keep working.
"""

from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory

__all__ = ["MemorystoreChatMessageHistory"]
