"""What the answers of a server mean for chat sessions: green, yellow or red, with what to do.

Strategy: pure. Yellow is what an operator should know and may well want; red is what keeps a chat
from working.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langchain_google_memorystore_redis._sessions.operations import Session
from langchain_google_memorystore_redis.cli.words import plural, size

Level = Literal["green", "yellow", "red"]
Info = Mapping[str, Any]
_SLOW_MS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found."""

    check: str
    level: Level
    detail: str
    advice: str = ""


def judge_round_trip(median_ms: float, first_ms: float) -> Finding:
    """How fast the server answers."""
    detail = f"{median_ms:.2f} ms a round trip, {first_ms:.1f} ms to connect"
    if median_ms > _SLOW_MS:
        advice = "Run the application in the region, best in the zone, of the server."
        return Finding("connection", "yellow", detail, advice)
    return Finding("connection", "green", detail)


def judge_version(infos: list[Info]) -> Finding:
    """Which server it is, and whether this package runs on it."""
    info = infos[0]
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "unknown")
    detail = f"{name} {version}"
    if len(infos) > 1:
        detail += f", a cluster of {len(infos)} primaries"
    if info.get("role") == "slave":
        advice = "Connect to the primary; a replica's answers lag behind, and it takes no writes."
        return Finding("server", "red", f"{detail}, a replica", advice)
    if version.split(".", maxsplit=1)[0] in ("2", "3", "4"):
        return Finding("server", "red", detail, "Upgrade: Redis 5.0 is the oldest that works.")
    return Finding("server", "green", detail)


def judge_eviction(infos: list[Info], sessions: list[Session]) -> Finding:
    """Whether the server may drop sessions before their time when its memory is full."""
    policy = str(infos[0].get("maxmemory_policy", "unknown"))
    expiring = sum(session.expires_in is not None for session in sessions)
    seen = policy
    if sessions:
        seen += f"; {expiring} of {plural(len(sessions), 'session')} looked at have a ttl"
    if policy == "noeviction":
        advice = "Nothing is ever dropped; when memory is full, writes fail: watch it."
        return Finding("eviction", "green", seen, advice)
    if policy.startswith("allkeys"):
        advice = "Any session may be dropped when memory is full. Set noeviction or volatile-lru."
        return Finding("eviction", "yellow", seen, advice)
    if policy.startswith("volatile") and expiring:
        advice = (
            "Sessions with a ttl may be dropped before their time when memory is full. If that is "
            "worse than a failing write: no ttl, or noeviction."
        )
        return Finding("eviction", "yellow", seen, advice)
    if policy.startswith("volatile"):
        advice = "Sessions without a ttl are never dropped; when memory is full, writes fail."
        return Finding("eviction", "green", seen, advice)
    return Finding("eviction", "yellow", seen, "Look it up in the console: maxmemory-policy.")


def judge_memory(infos: list[Info]) -> Finding:
    """How much memory is left on the fullest node."""

    def share(info: Info) -> float:
        limit = _limit(info)
        return float(info.get("used_memory", 0)) / limit if limit else 0.0

    fullest = max(infos, key=share)
    used, limit = float(fullest.get("used_memory", 0)), _limit(fullest)
    if not limit:
        return Finding("memory", "yellow", f"{size(used)} used; the limit is not known")
    detail = f"{size(used)} of {size(limit)} used ({share(fullest):.0%})"
    if len(infos) > 1:
        detail += " on the fullest node"
    if fullest.get("maxmemory"):
        level: Level = "red" if share(fullest) >= 0.95 else "green"
        level = "yellow" if 0.8 <= share(fullest) < 0.95 else level
        advice = "" if level == "green" else "Scale up, shorten the ttl, or delete old sessions."
        return Finding("memory", level, detail, advice)
    advice = "No maxmemory is set: the operating system ends the server when memory is full."
    return Finding("memory", "yellow", f"{detail}, of the whole machine", advice)


def judge_replicas(infos: list[Info]) -> Finding:
    """Whether each primary has a replica to take over from it."""
    counts = [int(info.get("connected_slaves", 0)) for info in infos]
    if min(counts) == 0:
        where = "none" if len(counts) == 1 else f"{counts.count(0)} of {len(counts)} have none"
        advice = "Without replicas or persistence, a restart loses all sessions."
        return Finding("replicas", "yellow", where, advice)
    advice = "Replication is asynchronous: a failover can lose the last writes (see replicas_ack)."
    return Finding("replicas", "green", f"{min(counts)} for each primary", advice)


def is_permission(error: object) -> bool:
    """Whether the server refused permission (NOPERM)."""
    # Of a command inside a script Redis 7 says it in other words.
    said = ("NOPERM", "can't run this command")
    return type(error).__name__ == "NoPermissionError" or any(x in str(error) for x in said)


def not_known(check: str, error: Exception, advice: str = "") -> Finding:
    """What a probe that failed leaves open."""
    if is_permission(error):
        advice = advice or "Not needed for a chat. To see it here, allow +info to this user."
        return Finding(check, "yellow", "this user may not ask (NOPERM)", advice)
    return Finding(check, "yellow", " ".join(str(error).split()), advice)


def count_sessions(sessions: list[Session], are_all: bool, prefix: str) -> str:
    """Whether there are sessions, in words; not `are_all`: among the keys looked at."""
    where = f"under {prefix!r}" if prefix else "with the empty prefix"
    if not sessions:
        return f"none found {where}" + ("" if are_all else " among the first keys")
    more = "" if are_all else " or more"
    return f"{plural(len(sessions), 'session')}{more} found {where}"


def _limit(info: Info) -> float:
    return float(info.get("maxmemory") or info.get("total_system_memory") or 0)
