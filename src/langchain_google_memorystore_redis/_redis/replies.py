"""What the answers of a client mean for the one who sends: give it up, send again, or elsewhere.

Strategy: pure but for what a cluster's client knows of its nodes. Errors are told apart by name:
redis-py's and valkey-py's are unrelated classes, and valkey-py is optional.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_google_memorystore_redis._redis.op import Op
from langchain_google_memorystore_redis.errors import ClusterChangedError, translate


class Translated:
    """Raises the client's errors under the name they have here."""

    def __init__(self, wire: tuple[Any, ...]) -> None:
        self._wire = wire

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):
            named = translate(error, self._wire)
            if named is not error:
                raise named from error


def hopeless(is_cluster: bool) -> set[str]:
    """The errors that sending again cannot mend: no cluster on Memorystore is Redis 5."""
    return {"OutOfMemoryError"} if is_cluster else set()


def remedy(error: Exception, op: Op[Any], tried: set[str]) -> list[tuple[Any, ...]]:
    """What to send before a script has another try, and the script; raises what has no remedy.

    A server that lacks the script (restarted, failed over, flushed) is given its text. Redis 5
    makes room before a command and not for a script, whose own size may be what is too much:
    a plain command of that size makes it evict. Remove that when Redis 6 is the oldest server.
    """
    name = type(error).__name__
    if op.source is None or name in tried:
        raise error
    tried.add(name)
    if name == "NoScriptError":
        return [op.with_source]
    if name == "OutOfMemoryError":
        return [op.with_room, op.with_source]
    raise error


def together(ops: Sequence[Op[Any]]) -> Iterator[tuple[Any, ...]]:
    """What to send for operations over one connection: each script's text with its first use."""
    taught: set[str] = set()
    for op in ops:
        if op.source is None or op.source in taught:
            yield op.wire
        else:
            taught.add(op.source)
            yield op.with_source


def failed(replies: Sequence[Any]) -> list[Exception]:
    """The errors among the replies of a pipeline."""
    return [reply for reply in replies if isinstance(reply, Exception)]


def asked(client: Any, replies: Sequence[Any]) -> Any:
    """The node that a key has been moved to before its slot; None if no reply says so."""
    for error in failed(replies):
        if type(error).__name__ == "AskError":
            return client.get_node(error.host, error.port)  # type: ignore[attr-defined]
    return None


def primaries(client: Any) -> tuple[str | None, ...]:
    """The names of a cluster's primaries; None stands for the one server there is."""
    if not hasattr(client, "get_primaries"):
        return (None,)
    return tuple(node.name for node in client.get_primaries())


def to_node(client: Any, name: str | None) -> dict[str, Any]:
    """Options of a command that goes to one primary of a cluster, whatever its key."""
    if name is None:
        return {"NEVER_DECODE": True}
    node = client.get_node(node_name=name)
    if node is None:
        raise ClusterChangedError(name)
    return {"NEVER_DECODE": True, "target_nodes": node}
