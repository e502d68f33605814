"""The errors of this package.

    MemorystoreError
    ├── InvalidArgumentError      (ValueError)             a setting or argument out of range
    │   ├── ArgumentTypeError     (TypeError)              ... of the wrong type
    │   └── InvalidFilterError                             a filter without a meaning
    ├── InvalidMessageError       (ValueError, TypeError)  a message that cannot be stored
    ├── InvalidVectorError        (ValueError)             a vector that no index can use
    ├── InvalidDocumentError      (ValueError, TypeError)  a document that would not come back equal
    ├── DocumentsNotStoredError   (RuntimeError)           a load that failed on the way
    ├── DocumentExistsError       (RuntimeError)           a document saved onto an existing one
    ├── IndexMissingError         (LookupError)            a search without an index
    ├── IndexMismatchError        (ValueError)             an index that is not as asked for
    ├── SearchUnavailableError    (RuntimeError)           a server without vector search
    ├── SearchLimitError          (RuntimeError)           a search too large to be exact
    ├── InvalidClientError        (TypeError)              an object that is no usable client
    │   ├── AsyncClientError                               a blocking call on an asyncio client
    │   ├── EventLoopError                                 an async call in a loop that is not its
    │   └── ClientClosedError                              a call on a client that was closed
    ├── NotPicklableError         (TypeError)              an object that holds a client, pickled
    ├── WrongTypeError            (TypeError)              a key that holds another Redis type
    ├── CorruptEntryError         (ValueError)             a stored element that is no message
    ├── CorruptCheckpointError    (ValueError)             a stored checkpoint that is none
    ├── InvalidItemError          (ValueError, TypeError)  a value that would not come back equal
    ├── CorruptItemError          (ValueError)             a stored item that is none
    ├── MessageIndexError         (IndexError)             an index without a message
    ├── EntryNotFoundError        (LookupError)            an entry that is no longer there
    ├── NotReplicatedError        (RuntimeError)           stored, but not yet on enough replicas
    ├── SessionExistsError        (ValueError)             a copy onto an existing session
    ├── HistoryChangedError       (RuntimeError)           a session cut while it was being read
    ├── ClusterChangedError       (RuntimeError)           a node that left during a listing
    ├── MissingExtraError         (ImportError)            an optional package that is not installed
    ├── EmbeddedServerError       (RuntimeError)           an embedded server that cannot be used
    └── CredentialsError          (RuntimeError)           no IAM token available

Strategy: a message says what was wrong, with which session, and what to do; attributes carry the
same. Errors of the client library (connection lost, out of memory, permission denied) pass
unchanged, because callers handle them already; `translate` replaces the few that mean something
here.
"""

from __future__ import annotations

import copyreg
from typing import Any


class MemorystoreError(Exception):
    """Base class of every error that this package raises itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call the class with the message alone.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class InvalidArgumentError(MemorystoreError, ValueError):
    """A setting or argument is out of range. `argument` names it."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument


class ArgumentTypeError(InvalidArgumentError, TypeError):
    """A setting or argument has the wrong type. `argument` names it."""


class InvalidFilterError(InvalidArgumentError):
    """A filter names an unknown operator or field, or compares with what cannot be compared."""

    def __init__(self, problem: str) -> None:
        super().__init__("filter", f"is invalid: {problem}")


class InvalidMessageError(MemorystoreError, ValueError, TypeError):
    """A message cannot be stored, so nothing of its batch was.

    `index` is its position in the batch, `field` the path of the value at fault, such as
    `response_metadata['created']`; None if it is the message itself.
    """

    def __init__(self, index: int, field: str | None, problem: str) -> None:
        place = f"messages[{index}]" + (f", field {field}" if field else "")
        super().__init__(f"{place}: {problem}. Nothing of this batch was stored.")
        self.index = index
        self.field = field


class InvalidItemError(MemorystoreError, ValueError, TypeError):
    """An item of the long-term store that would not come back equal; nothing of it was stored.

    `field` is the part at fault, such as `value['created']`.
    """

    def __init__(self, namespace: tuple[str, ...], key: str, field: str, problem: str) -> None:
        super().__init__(f"item {key!r:.80} of namespace {namespace!r}, {field}: {problem}")
        self.namespace = namespace
        self.key = key
        self.field = field


class InvalidVectorError(MemorystoreError, ValueError):
    """A vector that no index can use. `index` is its position among those given."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(f"vectors[{index}] {problem}")
        self.index = index


class InvalidDocumentError(MemorystoreError, ValueError, TypeError):
    """A document that would not come back equal; nothing of it was stored.

    `index` is its position among those given, `field` the part at fault, such as
    `metadata['created']`.
    """

    def __init__(self, index: int, field: str, problem: str) -> None:
        super().__init__(f"documents[{index}], {field}: {problem}")
        self.index = index
        self.field = field


class DocumentsNotStoredError(MemorystoreError, RuntimeError):
    """Something failed while documents were being added; `__cause__` is the error.

    `stored` are the ids of documents that are stored, `unknown` those that may be or not.
    """

    def __init__(self, stored: list[str], unknown: list[str], rest: int, problem: str) -> None:
        super().__init__(
            f"{len(stored)} documents are stored, {len(unknown)} may be or not, and {rest} are not "
            f"(`stored` and `unknown` name them): {problem}"
        )
        self.stored = stored
        self.unknown = unknown


class DocumentExistsError(MemorystoreError, RuntimeError):
    """Some of the documents exist already, so nothing was saved. `ids` name them."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(
            f"{len(ids)} of the documents exist already, such as {ids[0]!r:.80}. Nothing was "
            "saved: choose other ids, or delete those first (`ids` names them)."
        )
        self.ids = ids


class IndexMissingError(MemorystoreError, LookupError):
    """The server has no index of that name. `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no index {name!r} over the documents: call create_index() (init_index() of "
            "RedisVectorStore), which also indexes those that are there"
        )
        self.name = name


class IndexMismatchError(MemorystoreError, ValueError):
    """The index is not as asked for, or there are other fields in it. `name` is its name."""

    def __init__(self, name: str, differences: list[str]) -> None:
        super().__init__(
            f"index {name!r} is not as asked for: {'; '.join(differences)}. Ask for what it has, "
            "or drop it (documents stay) and create it again."
        )
        self.name = name


class SearchUnavailableError(MemorystoreError, RuntimeError):
    """The server has no vector search, or the user no right to it."""

    def __init__(self, command: str, reply: str) -> None:
        super().__init__(
            f"the server refuses {command} ({reply}). Vector search is part of Memorystore for "
            "Redis 7.2, for Redis Cluster and for Valkey (instances created since 2024-09-13), and "
            "needs the commands FT.CREATE, FT.SEARCH, FT.INFO, FT._LIST and FT.DROPINDEX (+@search "
            "in a user's rules). On other servers, exact=True searches without it."
        )


class SearchLimitError(MemorystoreError, RuntimeError):
    """A search would have to examine more documents here than `limit`."""

    def __init__(
        self, limit: int, found: int = 0, wanted: int = 0, problem: str | None = None
    ) -> None:
        examined = (
            f"of the nearest {limit:,} documents only {found} of {wanted} match the filter, which "
            "the server cannot be asked for exactly"
            if wanted
            else f"there are more than {limit:,} documents to score"
        )
        super().__init__(
            problem
            or f"{examined}. Raise max_scored, or narrow the search: filter by equal strings or by "
            "numbers in declared fields, or use an index (exact=False)."
        )
        self.limit = limit


class InvalidClientError(MemorystoreError, TypeError):
    """The object passed as a client is none that this package can use."""


class AsyncClientError(InvalidClientError):
    """A blocking method was called where there is only an asyncio client."""


class EventLoopError(InvalidClientError):
    """An async method was called in another event loop than its client's, or without asyncio."""


class ClientClosedError(InvalidClientError):
    """A method was called after its client had been closed."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"this client ({client}) has been closed. Make another one, and the objects that use "
            "it, and close it when the last of them is done."
        )
        self.client = client


class NotPicklableError(MemorystoreError, TypeError):
    """An object that holds a client, a cache or a lock was to be pickled."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a {name} cannot be pickled: it shares connections, caches or locks with other "
            "objects of this process. Send its settings (such as session_id) instead, and make "
            "one with a client of its own in the other process."
        )
        self.name = name


class WrongTypeError(MemorystoreError, TypeError):
    """A key holds another Redis type than this package uses there; it was not changed.

    `key` names it. A thread of checkpoints has two keys: it may be the other one, which the message
    names too.
    """

    def __init__(self, key: str, *others: str) -> None:
        super().__init__(
            f"key {' or '.join(map(repr, (key, *others)))} holds another Redis type than this "
            "package keeps there; it was not changed. Choose another session_id, thread_id or "
            "key_prefix, or remove the key yourself."
        )
        self.key = key


class CorruptEntryError(MemorystoreError, ValueError):
    """A stored element is no message. `session_id` and `index` say which.

    A negative `index` counts from the end.
    """

    def __init__(
        self, session_id: str, index: int, problem: str, *, may_skip: bool = False
    ) -> None:
        advice = ' Pass on_corrupt="skip" to read the other messages.' if may_skip else ""
        super().__init__(f"session {session_id!r}, index {index}: {problem}.{advice}")
        self.session_id = session_id
        self.index = index


class CorruptCheckpointError(MemorystoreError, ValueError):
    """A stored checkpoint cannot be decoded. `thread_id`, `checkpoint_ns` and `checkpoint_id`.

    Somebody else wrote to its keys, or the saver has not the serializer that it was written with.
    """

    def __init__(
        self, thread_id: str, checkpoint_ns: str, checkpoint_id: str, problem: str
    ) -> None:
        place = f"thread {thread_id!r}, checkpoint {checkpoint_id!r}"
        space = f" of namespace {checkpoint_ns!r}" if checkpoint_ns else ""
        super().__init__(
            f"{place}{space} cannot be decoded: {problem}. Use the `serde` that it was written "
            "with; if that is so, delete the thread."
        )
        self.thread_id = thread_id
        self.checkpoint_ns = checkpoint_ns
        self.checkpoint_id = checkpoint_id


class CorruptItemError(MemorystoreError, ValueError):
    """A stored item that cannot be decoded: somebody else wrote to its key.

    `namespace` and `key` say which.
    """

    def __init__(self, namespace: tuple[str, ...], key: str) -> None:
        super().__init__(
            f"item {key!r:.80} of namespace {namespace!r} cannot be decoded: something else wrote "
            "to its key. Put it again, or delete it."
        )
        self.namespace = namespace
        self.key = key


class MessageIndexError(MemorystoreError, IndexError):
    """The session has no message at that index."""

    def __init__(self, session_id: str, index: int) -> None:
        super().__init__(f"session {session_id!r} has no message at index {index}")
        self.session_id = session_id
        self.index = index


class EntryNotFoundError(MemorystoreError, LookupError):
    """The session has no entry with that id. `session_id` and `entry_id` say which."""

    def __init__(self, session_id: str, entry_id: str) -> None:
        super().__init__(
            f"session {session_id!r} has no entry {entry_id!r}, or it is not among the newest "
            "1,000: it was replaced or removed. Nothing was changed; read the session again."
        )
        self.session_id = session_id
        self.entry_id = entry_id


class NotReplicatedError(MemorystoreError, RuntimeError):
    """The messages are stored, but not yet on as many replicas as requested.

    `acknowledged` of `wanted` replicas confirmed them in time. Repeating the append with the same
    messages waits again and stores nothing twice.
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
    """The target of a copy exists already. `session_id` names it."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} exists already. Choose another id, or clear it.")
        self.session_id = session_id


class HistoryChangedError(MemorystoreError, RuntimeError):
    """Another client cut or replaced the session between two pages of a read or copy."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id!r} was cleared, truncated or trimmed by another client "
            "while it was being read page by page. Read it again."
        )
        self.session_id = session_id


class ClusterChangedError(MemorystoreError, RuntimeError):
    """A node left the cluster, or ceased to be a primary, while its keys were being listed."""

    def __init__(self, node: str) -> None:
        super().__init__(f"node {node} left the cluster while its keys were listed. Run it again.")
        self.node = node


class MissingExtraError(MemorystoreError, ImportError):
    """A feature needs an optional package that is not installed. `extra` names it."""

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
    """There is no valid IAM token, and Google issues none."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"no IAM token to log in with: {problem}")


__all__ = [name for name in dir() if name.endswith("Error")]
