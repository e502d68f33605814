"""The module path of release 0.3.0.

Strategy: `from langchain_google_memorystore_redis.chat_message_history import ...` keeps working.
"""

from langchain_google_memorystore_redis._history.history import MemorystoreChatMessageHistory

__all__ = ["MemorystoreChatMessageHistory"]
