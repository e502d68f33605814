"""Listings of the keys under a prefix, a page a round trip.

Strategy: SCAN, primary by primary, since no command lists the keys of a whole cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_google_memorystore_redis._redis.keys import keys_pattern, session_id_of
from langchain_google_memorystore_redis._redis.op import PRIMARIES, Flow, Op, ask

SCAN_COUNT = 1_000
"""Keys that one SCAN looks at; the server does nothing else meanwhile, for less than 1 ms."""


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """Where a listing goes on."""

    nodes: tuple[str | None, ...]
    position: int = 0

    def after(self, position: int) -> ScanCursor | None:
        """Where it goes on after a SCAN that ended at `position`; None at the end."""
        if position:
            return ScanCursor(self.nodes, position)
        return ScanCursor(self.nodes[1:]) if self.nodes[1:] else None


def start_scan() -> Flow[ScanCursor]:
    """Return where a listing begins; no round trip."""
    return ScanCursor((yield PRIMARIES))


def scan_page(key_prefix: str, cursor: ScanCursor) -> Flow[tuple[list[str], ScanCursor | None]]:
    """Return a page of what follows `key_prefix` in keys, and where the listing goes on."""
    wire = ("SCAN", cursor.position, "MATCH", keys_pattern(key_prefix))
    scan = Op((*wire, "COUNT", SCAN_COUNT), _parse_scan, node=cursor.nodes[0])
    position, keys = yield from ask(scan)
    # A key twice in a page would be described twice. A key that is no text is no session.
    ids = dict.fromkeys(session_id_of(key_prefix, key) for key in keys)
    return [one for one in ids if one], cursor.after(position)


def _parse_scan(reply: Any) -> tuple[int, list[bytes]]:
    position, keys = reply
    if isinstance(position, dict):  # as cluster clients answer
        (position,) = position.values()
    return int(position), keys
