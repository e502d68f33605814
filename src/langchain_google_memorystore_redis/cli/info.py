"""INFO of the server: the keys to scan, and the kind of its nodes.

Strategy: every primary is asked. A user without permission for INFO loses the length of the
progress bar and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from langchain_google_memorystore_redis._redis.clients import runners_for
from langchain_google_memorystore_redis._redis.op import PRIMARIES, Flow, Op, ask
from langchain_google_memorystore_redis.cli.output import progress


@contextmanager
def scan_progress(client: Any, description: str) -> Iterator[Callable[[int], None]]:
    """Show a progress bar for a scan of all keys of the server.

    Raises ValueError if the client would scan only one node of a cluster.
    """
    try:
        infos = runners_for(client)[0].run(read_infos())
    except redis.ResponseError:  # no permission for INFO
        infos = []
    if is_cluster_node(client, infos):
        raise ValueError("this is one node of a cluster. Pass --cluster.")
    databases = (value for info in infos for name, value in info.items() if name[:2] == "db")
    keys = sum(value["keys"] for value in databases if isinstance(value, Mapping))
    with progress(description, keys or None) as advance:
        yield advance


def read_infos() -> Flow[list[Mapping[str, Any]]]:
    """Return the INFO of each primary."""
    nodes = yield PRIMARIES
    infos = []
    for node in nodes:
        info = yield from ask(Op(("INFO",), _as_mapping, node=node))
        infos.append(info)
    return infos


def is_cluster_node(client: Any, infos: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a client for single servers is connected to a node of a cluster."""
    single = not hasattr(client, "get_primaries")
    return single and any(info.get("cluster_enabled") for info in infos)


def _as_mapping(reply: Any) -> Mapping[str, Any]:
    if not isinstance(reply, Mapping):  # the client parses the text
        raise TypeError(f"INFO returned {type(reply).__name__}, not a mapping")
    return reply
