"""Assessment of a server for chat sessions, from its INFO and measurements.

Strategy: pure. Yellow is what an operator should know and may well want; red keeps a chat from
working.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rich.filesize import decimal

from langchain_google_memorystore_redis._sessions.operations import Session
from langchain_google_memorystore_redis.cli.formatting import format_count

Level = Literal["green", "yellow", "red"]
Info = Mapping[str, Any]
_SLOW_MS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check."""

    check: str
    level: Level
    detail: str
    advice: str = ""


def assess_round_trip(median_ms: float, first_ms: float) -> Finding:
    """Rate the time of a round trip."""
    detail = f"{median_ms:.2f} ms per round trip, {first_ms:.1f} ms to connect"
    if median_ms > _SLOW_MS:
        advice = "Run the application in the region of the server, or better, in its zone."
        return Finding("connection", "yellow", detail, advice)
    return Finding("connection", "green", detail)


def assess_version(infos: list[Info]) -> Finding:
    """Rate the version and role of the server."""
    info = infos[0]
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "unknown")
    detail = f"{name} {version}"
    if len(infos) > 1:
        detail += f", a cluster of {len(infos)} primaries"
    if info.get("role") == "slave":
        advice = "Connect to the primary: a replica lags behind and takes no writes."
        return Finding("server", "red", f"{detail}, a replica", advice)
    if version.split(".", maxsplit=1)[0] in ("2", "3", "4"):
        return Finding("server", "red", detail, "Upgrade to Redis 5.0 or later.")
    return Finding("server", "green", detail)


def assess_eviction(infos: list[Info], sessions: list[Session]) -> Finding:
    """Rate the eviction policy, given the expiry of some sessions."""
    policy = str(infos[0].get("maxmemory_policy", "unknown"))
    expiring = sum(session.expires_in is not None for session in sessions)
    detail = policy
    if sessions:
        detail += f"; {expiring} of {format_count(len(sessions), 'session')} checked have a ttl"
    if policy == "noeviction":
        advice = "Nothing is evicted; when memory is full, writes fail: monitor it."
        return Finding("eviction", "green", detail, advice)
    if policy.startswith("allkeys"):
        advice = "When memory is full, any session may be evicted. Set noeviction or volatile-lru."
        return Finding("eviction", "yellow", detail, advice)
    if policy.startswith("volatile") and expiring:
        advice = (
            "When memory is full, sessions with a ttl may be evicted before they expire. If that "
            "is worse than failing writes, set noeviction or no ttl."
        )
        return Finding("eviction", "yellow", detail, advice)
    if policy.startswith("volatile"):
        advice = "Sessions without a ttl are never evicted; when memory is full, writes fail."
        return Finding("eviction", "green", detail, advice)
    return Finding("eviction", "yellow", detail, "Look up maxmemory-policy in the console.")


def assess_memory(infos: list[Info]) -> Finding:
    """Rate the memory left on the fullest node."""

    def share(info: Info) -> float:
        limit = _memory_limit(info)
        return int(info.get("used_memory", 0)) / limit if limit else 0.0

    fullest = max(infos, key=share)
    used, limit = int(fullest.get("used_memory", 0)), _memory_limit(fullest)
    if not limit:
        return Finding("memory", "yellow", f"{decimal(used)} used; the limit is unknown")
    detail = f"{decimal(used)} of {decimal(limit)} used ({share(fullest):.0%})"
    if len(infos) > 1:
        detail += " on the fullest node"
    if not fullest.get("maxmemory"):
        advice = "Set maxmemory: without it, the system kills the server when memory is full."
        return Finding("memory", "yellow", f"{detail}, of the whole machine", advice)
    level: Level = "red" if share(fullest) >= 0.95 else "yellow"
    if share(fullest) < 0.8:
        return Finding("memory", "green", detail)
    return Finding("memory", level, detail, "Scale up, shorten the ttl, or delete old sessions.")


def assess_replicas(infos: list[Info]) -> Finding:
    """Rate the number of replicas of each primary."""
    counts = [int(info.get("connected_slaves", 0)) for info in infos]
    if min(counts) == 0:
        detail = "none" if len(counts) == 1 else f"{counts.count(0)} of {len(counts)} have none"
        advice = "Without replicas or persistence, a restart loses all sessions."
        return Finding("replicas", "yellow", detail, advice)
    advice = "Replication is asynchronous: a failover can lose the last writes (see replicas_ack)."
    return Finding("replicas", "green", f"{min(counts)} for each primary", advice)


def count_sessions(sessions: list[Session], is_complete: bool, prefix: str) -> str:
    """Return the number of sessions found, in words; unless complete, among the first keys."""
    where = f"under {prefix!r}" if prefix else "with the empty prefix"
    if not sessions:
        return f"none found {where}" + ("" if is_complete else " among the first keys")
    more = "" if is_complete else " or more"
    return f"{format_count(len(sessions), 'session')}{more} found {where}"


def _memory_limit(info: Info) -> int:
    return int(info.get("maxmemory") or info.get("total_system_memory") or 0)
