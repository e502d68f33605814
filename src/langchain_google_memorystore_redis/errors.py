"""The errors of this package.

    MemorystoreError
    ├── InvalidArgumentError      (ValueError)             a setting or argument out of range
    │   └── ArgumentTypeError     (TypeError)              ... of the wrong type
    ├── InvalidMessageError       (ValueError, TypeError)  could not be read back equal: not stored
    ├── InvalidClientError        (TypeError)              not a client this package can use
    │   └── AsyncClientError                               a blocking method of an asyncio client
    ├── WrongTypeError            (TypeError)              the key holds another Redis type
    ├── CorruptEntryError         (ValueError)             a stored element is no message
    ├── MessageIndexError         (IndexError)             no message at that index
    ├── NotReplicatedError        (RuntimeError)           stored, but on too few replicas yet
    ├── SessionExistsError        (ValueError)             the target of a copy is taken
    ├── HistoryChangedError       (RuntimeError)           cut by someone else while being read
    ├── ClusterChangedError       (RuntimeError)           a node left while its keys were listed
    ├── MissingExtraError         (ImportError)            an optional package is not installed
    ├── EmbeddedServerError       (RuntimeError)           the embedded server cannot be used
    └── CredentialsError          (RuntimeError)           no IAM token can be had

Strategy: an error says what was wrong, with which session, and what to do, and carries the
same as attributes. Errors of the client library (connection lost, out of memory, permission
denied) pass through as they are: callers handle them already. `translate` renames only what
means something here.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ArgumentTypeError",
    "AsyncClientError",
    "ClusterChangedError",
    "CorruptEntryError",
    "CredentialsError",
    "EmbeddedServerError",
    "HistoryChangedError",
    "InvalidArgumentError",
    "InvalidClientError",
    "InvalidMessageError",
    "MemorystoreError",
    "MessageIndexError",
    "MissingExtraError",
    "NotReplicatedError",
    "SessionExistsError",
    "WrongTypeError",
]


class MemorystoreError(Exception):
    """Root of every error this package raises itself."""


class InvalidArgumentError(MemorystoreError, ValueError):
    """A setting or argument is out of range. `argument` names it."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument


class ArgumentTypeError(InvalidArgumentError, TypeError):
    """A setting or argument has the wrong type. `argument` names it."""


class InvalidMessageError(MemorystoreError, ValueError, TypeError):
    """A message could not be read back equal, so its whole batch was not stored.

    `index` is its position in the batch; `field` the path to the value at fault, such as
    `response_metadata['created']`, or None when the message itself is.
    """

    def __init__(self, index: int, field: str | None, problem: str) -> None:
        place = f"messages[{index}]" + (f", field {field}" if field else "")
        super().__init__(f"{place}: {problem}. Nothing of this batch was stored.")
        self.index = index
        self.field = field


class InvalidClientError(MemorystoreError, TypeError):
    """The object given as client is no client this package can use."""


class AsyncClientError(InvalidClientError):
    """A blocking method was called on a history that has only an asyncio client."""


class WrongTypeError(MemorystoreError, TypeError):
    """The key holds another Redis type than ours; it was left as it is. `key` names it.

    A thread of checkpoints has several keys; any of those named may be the one.
    """

    def __init__(self, key: str, *others: str) -> None:
        super().__init__(
            f"key {' or '.join(map(repr, (key, *others)))} holds another Redis type than this "
            "package keeps there; it was not changed. Choose another session_id, thread_id or "
            "key_prefix, or remove the key yourself."
        )
        self.key = key


class CorruptEntryError(MemorystoreError, ValueError):
    """An element of the list is no message. `session_id` and `index` say which.

    A negative `index` counts from the end.
    """

    def __init__(
        self, session_id: str, index: int, problem: str, *, may_skip: bool = False
    ) -> None:
        advice = ' Pass on_corrupt="skip" to read the other messages.' if may_skip else ""
        super().__init__(f"session {session_id!r}, index {index}: {problem}.{advice}")
        self.session_id = session_id
        self.index = index


class MessageIndexError(MemorystoreError, IndexError):
    """The session has no message at that index."""

    def __init__(self, session_id: str, index: int) -> None:
        super().__init__(f"session {session_id!r} has no message at index {index}")
        self.session_id = session_id
        self.index = index


class NotReplicatedError(MemorystoreError, RuntimeError):
    """The messages are stored, but fewer replicas than asked for have them so far.

    `acknowledged` of the `wanted` replicas answered in time. Repeating the append with the same
    messages stores nothing twice and waits again.
    """

    def __init__(self, session_id: str, acknowledged: int, wanted: int) -> None:
        super().__init__(
            f"session {session_id!r}: the messages are stored, but only {acknowledged} of "
            f"{wanted} replicas confirmed them in time. Do not add them as new messages; to wait "
            "again, repeat the call with the same messages."
        )
        self.session_id = session_id
        self.acknowledged = acknowledged
        self.wanted = wanted


class SessionExistsError(MemorystoreError, ValueError):
    """The session to copy to exists already. `session_id` names it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id!r} exists already. Choose another id, or clear it first."
        )
        self.session_id = session_id


class HistoryChangedError(MemorystoreError, RuntimeError):
    """Someone else cut or replaced the session between two pages of a read or copy."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id!r} was cleared, truncated or trimmed by someone else while "
            "it was being read page by page. Read it again."
        )
        self.session_id = session_id


class ClusterChangedError(MemorystoreError, RuntimeError):
    """A node left the cluster, or is no primary any more, while its keys were being listed."""

    def __init__(self, node: str) -> None:
        super().__init__(
            f"node {node} left the cluster while its keys were being listed. Run it again."
        )
        self.node = node


class MissingExtraError(MemorystoreError, ImportError):
    """What was asked for needs an optional package that is not installed. `extra` names it."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the extra {extra!r}: "
            f'pip install "langchain-google-memorystore-redis[{extra}]"'
        )
        self.extra = extra


class EmbeddedServerError(MemorystoreError, RuntimeError):
    """The embedded server cannot be started or reached. `folder` is its data folder, or None."""

    def __init__(self, folder: str | None, problem: str) -> None:
        super().__init__(f"embedded server{f' in {folder}' if folder else ''}: {problem}")
        self.folder = folder


class CredentialsError(MemorystoreError, RuntimeError):
    """There is no valid IAM token, and Google gives none."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"no IAM token to log in with: {problem}")


def translate(error: Exception, wire: tuple[Any, ...]) -> Exception:
    """What `error`, the answer to the command `wire`, is called here; `error` itself if nothing."""
    if "WRONGTYPE" in _answer(error):
        keys = wire[3 : 3 + wire[2]] if wire[0] == "EVALSHA" else wire[1:2]
        return WrongTypeError(*(key.decode("utf-8", "backslashreplace") for key in keys))
    return error


def is_of_demoted(error: Exception) -> bool:
    """Whether WAIT was refused, or broken off, because its server has become a replica."""
    answer = _answer(error)
    return "UNBLOCKED " in answer or "WAIT cannot be used with replica" in answer


def _answer(error: Exception) -> str:
    """The server's words, if `error` holds any."""
    # By name: redis-py's and valkey-py's errors are unrelated classes, and valkey-py is optional.
    if not any(base.__name__ == "ResponseError" for base in type(error).__mro__):
        return ""
    # Of a pipeline they follow the whole command, and so what a user has written.
    return str(error).rpartition("of pipeline caused error: ")[2]
