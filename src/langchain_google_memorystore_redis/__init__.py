"""Conversation memory for LangChain and LangGraph in Google Cloud Memorystore."""

from langchain_google_memorystore_redis.chat_message_history import (
    Entry,
    MemorystoreChatMessageHistory,
)
from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    AsyncClientError,
    CorruptEntryError,
    HistoryChangedError,
    InvalidArgumentError,
    InvalidClientError,
    InvalidMessageError,
    MemorystoreError,
    MessageIndexError,
    NotReplicatedError,
    SessionExistsError,
    WrongTypeError,
)

__all__ = [
    "ArgumentTypeError",
    "AsyncClientError",
    "CorruptEntryError",
    "Entry",
    "HistoryChangedError",
    "InvalidArgumentError",
    "InvalidClientError",
    "InvalidMessageError",
    "MemorystoreChatMessageHistory",
    "MemorystoreError",
    "MessageIndexError",
    "NotReplicatedError",
    "SessionExistsError",
    "WrongTypeError",
]
