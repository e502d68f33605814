"""Conversation memory for LangChain and LangGraph in Google Cloud Memorystore."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from langchain_google_memorystore_redis.errors import (
    ArgumentTypeError,
    AsyncClientError,
    ClusterChangedError,
    CorruptEntryError,
    CredentialsError,
    EmbeddedServerError,
    HistoryChangedError,
    InvalidArgumentError,
    InvalidClientError,
    InvalidMessageError,
    MemorystoreError,
    MessageIndexError,
    MissingExtraError,
    NotReplicatedError,
    SessionExistsError,
    WrongTypeError,
)

if TYPE_CHECKING:
    from langchain_google_memorystore_redis._checkpoint.saver import MemorystoreSaver
    from langchain_google_memorystore_redis._connect.connect import aconnect, connect
    from langchain_google_memorystore_redis._history.entry import Entry
    from langchain_google_memorystore_redis._history.history import (
        MemorystoreChatMessageHistory,
    )
    from langchain_google_memorystore_redis._history.middleware import ChatHistoryMiddleware
    from langchain_google_memorystore_redis._history.read_cache import ReadCache

__all__ = [
    "ArgumentTypeError",
    "AsyncClientError",
    "ChatHistoryMiddleware",
    "ClusterChangedError",
    "CorruptEntryError",
    "CredentialsError",
    "EmbeddedServerError",
    "Entry",
    "HistoryChangedError",
    "InvalidArgumentError",
    "InvalidClientError",
    "InvalidMessageError",
    "MemorystoreChatMessageHistory",
    "MemorystoreError",
    "MemorystoreSaver",
    "MessageIndexError",
    "MissingExtraError",
    "NotReplicatedError",
    "ReadCache",
    "SessionExistsError",
    "WrongTypeError",
    "aconnect",
    "connect",
]

# What is imported when it is first asked for: the module, and the extra that importing it needs.
_LAZY = {
    "ChatHistoryMiddleware": ("_history.middleware", "langchain"),
    "Entry": ("_history.entry", None),
    # LangChain's module of histories takes longer to import than all the rest of this package.
    "MemorystoreChatMessageHistory": ("_history.history", None),
    "MemorystoreSaver": ("_checkpoint.saver", "langgraph"),
    "ReadCache": ("_history.read_cache", None),
    "aconnect": ("_connect.connect", None),
    "connect": ("_connect.connect", None),
}

# Or Python would print warnings of a program that has not set up logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # or it would answer a type checker for names that do not exist
    # What cannot be imported is not listed: `import *` and inspect ask for each name in the list.
    # hasattr() still raises MissingExtraError. No class can be both an ImportError and an
    # AttributeError, and of the latter `from ... import name` would lose the name of the extra.
    for _name, (_, _extra) in _LAZY.items():
        if _extra is not None and find_spec(_extra) is None:
            __all__.remove(_name)

    def __getattr__(name: str) -> Any:
        """Import what not every user needs; says which extra to install if that is missing."""
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, extra = _LAZY[name]
        try:
            found = getattr(import_module(f"{__name__}.{module}"), name)
        except ModuleNotFoundError as error:
            if extra is None or (error.name or __name__).startswith(__name__):
                raise
            raise MissingExtraError(extra, name) from error
        return globals().setdefault(name, found)
