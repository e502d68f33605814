"""Listings of the keys under a prefix, a page a round trip.

Strategy: SCAN, primary by primary, because no command lists the keys of a whole cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_google_memorystore_redis._redis.keys import prefix_pattern, strip_prefix
from langchain_google_memorystore_redis._redis.op import PRIMARIES, Flow, Op, ask

SCAN_COUNT = 1_000
"""Keys that one SCAN examines; the server does nothing else meanwhile, for less than 1 ms."""


@dataclass(frozen=True, slots=True)
class ScanCursor:
    """Position of a listing: the primaries still to be scanned, and the cursor in the first."""

    nodes: tuple[str | None, ...]
    position: int = 0

    def after(self, position: int) -> ScanCursor | None:
        """Return the cursor after a SCAN that returned `position`; None at the end."""
        if position:
            return ScanCursor(self.nodes, position)
        return ScanCursor(self.nodes[1:]) if self.nodes[1:] else None


def start_scan() -> Flow[ScanCursor]:
    """Return the cursor at which a listing begins; no round trip."""
    return ScanCursor((yield PRIMARIES))


def scan_page(
    key_prefix: str, cursor: ScanCursor, kind: str | None = None
) -> Flow[tuple[list[str], ScanCursor | None]]:
    """Return what follows the prefix in a page of keys, and the cursor of the next page.

    Only keys of one Redis type are listed if `kind` names it, but for servers that cannot tell.
    """
    command = ("SCAN", cursor.position, "MATCH", prefix_pattern(key_prefix), "COUNT", SCAN_COUNT)
    node = cursor.nodes[0]
    try:
        typed = (*command, "TYPE", kind) if kind else command
        position, keys = yield from ask(Op(typed, _parse_scan, node=node))
    except Exception as error:
        # QUIRK(redis<6): SCAN knows no TYPE. Remove when Redis 5 is no longer supported.
        if not kind or "syntax error" not in str(error):
            raise
        position, keys = yield from ask(Op(command, _parse_scan, node=node))
    # SCAN may list a key twice. A key that is not UTF-8 is none of ours.
    rests = dict.fromkeys(strip_prefix(key_prefix, key) for key in keys)
    return [rest for rest in rests if rest], cursor.after(position)


def _parse_scan(reply: Any) -> tuple[int, list[bytes]]:
    position, keys = reply
    if isinstance(position, dict):  # the form that cluster clients give it
        (position,) = position.values()
    return int(position), keys
