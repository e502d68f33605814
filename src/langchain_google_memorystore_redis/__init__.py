"""Conversation memory for LangChain and LangGraph in Google Cloud Memorystore."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    AsyncClientError,
    ClientClosedError,
    ClusterChangedError,
    CorruptCheckpointError,
    CorruptEntryError,
    CorruptItemError,
    CredentialsError,
    DocumentExistsError,
    DocumentsNotStoredError,
    EmbeddedServerError,
    EntryNotFoundError,
    EventLoopError,
    HistoryChangedError,
    IndexMismatchError,
    IndexMissingError,
    InvalidArgumentError,
    InvalidClientError,
    InvalidDocumentError,
    InvalidFilterError,
    InvalidItemError,
    InvalidMessageError,
    InvalidVectorError,
    MemorystoreError,
    MessageIndexError,
    MissingExtraError,
    NotPicklableError,
    NotReplicatedError,
    SearchLimitError,
    SearchUnavailableError,
    SessionExistsError,
    WrongTypeError,
)

if TYPE_CHECKING:
    from langchain_google_memorystore_redis._cache.llm import MemorystoreCache
    from langchain_google_memorystore_redis._cache.nodes import MemorystoreNodeCache
    from langchain_google_memorystore_redis._checkpoint.saver import MemorystoreSaver
    from langchain_google_memorystore_redis._checkpoint.thread_cache import ThreadCache
    from langchain_google_memorystore_redis._connect.connect import aconnect, connect
    from langchain_google_memorystore_redis._documents.index_configs import (
        DistanceStrategy,
        FLATConfig,
        HNSWConfig,
        VectorIndexConfig,
    )
    from langchain_google_memorystore_redis._documents.information import IndexInfo
    from langchain_google_memorystore_redis._documents.legacy import RedisVectorStore
    from langchain_google_memorystore_redis._documents.loader import MemorystoreDocumentLoader
    from langchain_google_memorystore_redis._documents.saver import MemorystoreDocumentSaver
    from langchain_google_memorystore_redis._documents.vectorstore import MemorystoreVectorStore
    from langchain_google_memorystore_redis._history.entry import Entry
    from langchain_google_memorystore_redis._history.history import (
        MemorystoreChatMessageHistory,
    )
    from langchain_google_memorystore_redis._history.middleware import ChatHistoryMiddleware
    from langchain_google_memorystore_redis._history.read_cache import ReadCache
    from langchain_google_memorystore_redis._store.store import MemorystoreStore
    from langchain_google_memorystore_redis.version import __version__

__all__ = [
    "ArgumentTypeError",
    "AsyncClientError",
    "ChatHistoryMiddleware",
    "ClientClosedError",
    "ClusterChangedError",
    "CorruptCheckpointError",
    "CorruptEntryError",
    "CorruptItemError",
    "CredentialsError",
    "DistanceStrategy",
    "DocumentExistsError",
    "DocumentsNotStoredError",
    "EmbeddedServerError",
    "Entry",
    "EntryNotFoundError",
    "EventLoopError",
    "FLATConfig",
    "HNSWConfig",
    "HistoryChangedError",
    "IndexInfo",
    "IndexMismatchError",
    "IndexMissingError",
    "InvalidArgumentError",
    "InvalidClientError",
    "InvalidDocumentError",
    "InvalidFilterError",
    "InvalidItemError",
    "InvalidMessageError",
    "InvalidVectorError",
    "MemorystoreCache",
    "MemorystoreChatMessageHistory",
    "MemorystoreDocumentLoader",
    "MemorystoreDocumentSaver",
    "MemorystoreError",
    "MemorystoreNodeCache",
    "MemorystoreSaver",
    "MemorystoreStore",
    "MemorystoreVectorStore",
    "MessageIndexError",
    "MissingExtraError",
    "NotPicklableError",
    "NotReplicatedError",
    "ReadCache",
    "RedisVectorStore",
    "SearchLimitError",
    "SearchUnavailableError",
    "SessionExistsError",
    "ThreadCache",
    "VectorIndexConfig",
    "WrongTypeError",
    "__version__",
    "aconnect",
    "connect",
]

# Names imported at their first use: the module, and the extra that it needs.
_LAZY = {
    "ChatHistoryMiddleware": ("_history.middleware", "langchain"),
    "DistanceStrategy": ("_documents.index_configs", None),
    "Entry": ("_history.entry", None),
    "FLATConfig": ("_documents.index_configs", None),
    "HNSWConfig": ("_documents.index_configs", None),
    "MemorystoreCache": ("_cache.llm", None),
    "MemorystoreNodeCache": ("_cache.nodes", "langgraph"),
    # Importing LangChain's chat histories takes longer than all the rest of this package.
    "MemorystoreChatMessageHistory": ("_history.history", None),
    "MemorystoreDocumentLoader": ("_documents.loader", None),
    "MemorystoreDocumentSaver": ("_documents.saver", None),
    "MemorystoreSaver": ("_checkpoint.saver", "langgraph"),
    "MemorystoreStore": ("_store.store", "langgraph"),
    "ThreadCache": ("_checkpoint.thread_cache", "langgraph"),
    "IndexInfo": ("_documents.information", None),
    "MemorystoreVectorStore": ("_documents.vectorstore", "vector"),
    "ReadCache": ("_history.read_cache", None),
    "RedisVectorStore": ("_documents.legacy", "vector"),
    "VectorIndexConfig": ("_documents.index_configs", None),
    "__version__": ("version", None),
    "aconnect": ("_connect.connect", None),
    "connect": ("_connect.connect", None),
}

# Extras that are not named after the package whose absence they are missed by.
_PACKAGES = {"vector": "numpy"}

# Without it, Python prints warnings in programs that have not set up logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # a type checker would accept any name
    # Names whose extra is missing are not listed, since `import *` and inspect get all that are.
    # hasattr() still raises MissingExtraError: no class can be both an ImportError and an
    # AttributeError, and with the latter `from ... import name` would not name the extra.
    for _name, (_, _extra) in _LAZY.items():
        if _extra is not None and find_spec(_PACKAGES.get(_extra, _extra)) is None:
            __all__.remove(_name)

    def __getattr__(name: str) -> Any:
        """Import a name at its first use; raise `MissingExtraError` if its extra is missing."""
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, extra = _LAZY[name]
        try:
            value = getattr(import_module(f"{__name__}.{module}"), name)
        except ModuleNotFoundError as error:
            if extra is None or (error.name or __name__).startswith(__name__):
                raise
            raise MissingExtraError(extra, name) from error
        return globals().setdefault(name, value)
