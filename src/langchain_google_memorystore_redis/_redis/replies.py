"""Error replies: which are final, which are retried, and which belong to another node.

Strategy: pure, except that a cluster client is asked for its nodes. Errors are recognised by
class name, because those of redis-py and valkey-py are unrelated and valkey-py is optional.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_google_memorystore_redis._redis.op import Op
from langchain_google_memorystore_redis._redis.translation import translate
from langchain_google_memorystore_redis.errors import ClusterChangedError


class translated_errors:  # noqa: N801 - used like a function, as contextlib's are
    """Context in which errors of the client are raised under this package's names."""

    def __init__(self, command: tuple[Any, ...]) -> None:
        self._command = command

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):
            named = translate(error, self._command)
            if named is not error:
                raise named from error


def non_retryable(is_cluster: bool) -> set[str]:
    """Return the names of errors that sending the script again cannot cure."""
    # Memorystore has no cluster of Redis 5, the only engine that `eviction_probe` helps.
    return {"OutOfMemoryError"} if is_cluster else set()


def retry_commands(error: Exception, op: Op[Any], tried: set[str]) -> list[tuple[Any, ...]]:
    """Return the commands that may cure a failed script, the script itself last.

    Raises `error` if there are none, or if it has been tried before.
    """
    name = type(error).__name__
    if op.source is None or name in tried:
        raise error
    tried.add(name)
    if name == "NoScriptError":  # the server restarted, failed over, or flushed its scripts
        return [op.eval_command()]
    if name == "OutOfMemoryError":
        # QUIRK(redis<6): a server at `maxmemory` evicts before a command, but not before a script,
        # and the script's own size may be what is too much. Remove when Redis 6 is the oldest.
        return [op.eviction_probe(), op.eval_command()]
    raise error


def without_numbers(command: Sequence[Any]) -> list[Any]:
    """Return a command with its numbers as text."""
    # QUIRK(hiredis<=3.5): the process dies of SIGSEGV if a signal handler raises while a number is
    # packed. Remove when it does not.
    return [str(part) if isinstance(part, (int, float)) else part for part in command]


def pipeline_commands(ops: Sequence[Op[Any]]) -> Iterator[list[Any]]:
    """Yield the commands of a pipeline, the text of each script once."""
    sent: set[str] = set()
    for op in ops:
        if op.source is None or op.source in sent:
            yield without_numbers(op.command)
        else:
            sent.add(op.source)
            yield without_numbers(op.eval_command())


def errors_in(replies: Sequence[Any]) -> list[Exception]:
    """Return the errors among the replies of a pipeline."""
    return [reply for reply in replies if isinstance(reply, Exception)]


def ask_target(client: Any, replies: Sequence[Any]) -> Any:
    """Return the node that an ASK redirection names; None if no reply is one."""
    for error in errors_in(replies):
        if type(error).__name__ == "AskError":
            return client.get_node(error.host, error.port)  # type: ignore[attr-defined]
    return None


def without_asking(replies: Sequence[Any]) -> list[Any]:
    """Return the replies to the commands of a pipeline that sent ASKING before each."""
    return list(replies[1::2])


def primaries(client: Any) -> tuple[str | None, ...]:
    """Return the names of a cluster's primaries; None stands for a single server."""
    if not hasattr(client, "get_primaries"):
        return (None,)
    return tuple(node.name for node in client.get_primaries())


def node_options(client: Any, name: str | None) -> dict[str, Any]:
    """Return the options that send a command to one primary, or to the node of its key."""
    if name is None:
        return {"NEVER_DECODE": True}
    node = client.get_node(node_name=name)
    if node is None:
        raise ClusterChangedError(name)
    return {"NEVER_DECODE": True, "target_nodes": node}
