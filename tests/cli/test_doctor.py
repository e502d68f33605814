"""`memorystore-chat doctor`: what it checks, and without which permissions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from langchain_core.messages import HumanMessage

from langchain_google_memorystore_redis.cli.assessment import (
    Info,
    assess_eviction,
    assess_memory,
    assess_replicas,
    assess_round_trip,
    assess_version,
)
from langchain_google_memorystore_redis.sessions import Session
from tests.plugins.servers import Servers
from tests.plugins.shell import TERMINAL, Shell, rows, run, uncoloured
from tests.servers.processes import Server


def test_doctor_finds_a_server_of_the_tests_to_work(shell: Shell) -> None:
    shell.history("ada", ttl=1000).add_message(HumanMessage("hi"))
    done = shell("doctor", "--json")
    assert done.exit_code == 0
    found = {row["check"]: row for row in rows(done)}
    assert list(found) == [
        *("connection", "server", "modules", "scripts", "messages", "sessions"),
        *("eviction", "memory", "replicas"),
    ]
    for check in ("server", "modules", "scripts", "messages", "sessions", "eviction"):
        assert found[check]["level"] == "green"
    assert found["replicas"]["level"] == "yellow"
    # More, if the keys that other tests left are more than it looks through.
    assert re.match("1 session (or more )?found", found["sessions"]["detail"])
    assert len(shell("list").stdout.splitlines()) == 1
    lines = [line.split("\t")[:2] for line in shell("doctor").stdout.splitlines()]
    assert lines[1:3] == [["green", "server"], ["green", "modules"]]
    shown = shell("doctor", **TERMINAL)
    assert re.search(r"yellow +replicas .*\n +Without replicas", uncoloured(shown))


@pytest.mark.parametrize(
    ("engine", "detail"), [("valkey-9.1-search", "vector search has"), ("valkey-9.1", "exact=True")]
)
def test_doctor_says_whether_there_is_vector_search(
    servers: Servers, engine: str, detail: str
) -> None:
    with Server(servers.engine(engine)) as server:
        found = {row["check"]: row for row in rows(run("--url", server.url, "doctor", "--json"))}
    assert found["modules"]["level"] == "green"
    assert detail in found["modules"]["detail"]


def test_doctor_says_whether_it_has_seen_all_sessions(servers: Servers, prefix: str) -> None:
    with (
        Server(servers.engine("valkey-9.1")) as server,
        redis.Redis(port=server.port, protocol=2) as client,
    ):
        message = '{"type":"human","data":{"content":"hi"}}'

        def write(count: int, key: str) -> None:
            pipeline = client.pipeline()
            for number in range(count):
                pipeline.rpush(f"{key}{number}", message)
            pipeline.execute()

        def said(about: str) -> str:
            found = rows(run("--url", server.url, "--prefix", about, "doctor", "--json"))
            return next(str(row["detail"]) for row in found if row["check"] == "sessions")

        write(303, "chat:")
        assert said("chat:") == "303 sessions found under 'chat:'"
        assert said("other:") == "none found under 'other:'"
        write(15_000, "chat:more:")
        assert re.fullmatch(r"[\d,]+ sessions or more found under 'chat:'", said("chat:"))
        assert said("other:") == "none found under 'other:' among the first keys"


@pytest.mark.parametrize(
    ("rules", "red", "yellow"),
    [
        ("-@all", {"scripts", "messages"}, {"server", "sessions", "eviction, memory, replicas"}),
        ("+@all -info", set(), {"server", "eviction, memory, replicas"}),
        ("+@all -scan", set(), {"sessions"}),
        ("+@all -@scripting", {"scripts", "messages"}, set()),
        ("+@all -echo -ping", set(), set()),
        ("+@all -lrange", {"messages"}, set()),
        ("+@all -unlink", {"messages"}, set()),
        ("+@all -memory -client -config -cluster -command -object", set(), set()),
        ("+@read +@write +@scripting", set(), {"server", "eviction, memory, replicas"}),
    ],
)
def test_doctor_survives_every_missing_permission(
    servers: Servers, prefix: str, rules: str, red: set[str], yellow: set[str]
) -> None:
    server = servers.standalone("redis-7.0")
    server.cli("ACL", "SETUSER", "limited", "reset", "on", ">secret", "~*", *rules.split())
    url = f"redis://limited:secret@127.0.0.1:{server.port}"
    options = ["--url", url, "--prefix", prefix, "doctor", "--json"]
    done = run(*options)
    found = rows(done)
    # These two judge the server of the tests, not the permission.
    levels = {one["check"]: one["level"] for one in found if one["check"] != "memory"}
    levels["replicas"] = "green"
    assert {check for check, level in levels.items() if level == "red"} == red
    assert {check for check, level in levels.items() if level == "yellow"} == yellow
    assert done.exit_code == (1 if red else 0)
    assert done.stderr == ""
    for one in found:
        if one["check"] in red | yellow:
            assert re.search("NOPERM|permission|can't run this command", one["detail"])
            assert one["advice"]


def test_doctor_sees_a_replica_and_a_full_server(servers: Servers, prefix: str) -> None:
    engine = servers.engine("valkey-9.1")
    with Server(engine) as full, Server(engine) as replica:
        full.cli("SET", "filler", "x" * 4_000_000)
        full.cli("CONFIG", "SET", "maxmemory", "2mb")
        replica.cli("REPLICAOF", "127.0.0.1", full.port)
        done = run("--url", full.url, "doctor", "--json")
        levels = {row["check"]: row["level"] for row in rows(done)}
        assert (done.exit_code, levels["memory"], levels["messages"]) == (1, "red", "red")
        done = run("--url", replica.url, "doctor", "--json")
        (server,) = (row for row in rows(done) if row["check"] == "server")
        assert (done.exit_code, server["level"]) == (1, "red")
        assert "a replica" in server["detail"]


EXPIRING = Session("a", 1, 1, None, None, timedelta(1))
LASTING = Session("a", 1, 1, None, None, None)


@pytest.mark.parametrize(
    ("policy", "sessions", "level"),
    [
        ("noeviction", [EXPIRING], "green"),
        ("volatile-lru", [LASTING], "green"),
        ("volatile-lru", [LASTING, EXPIRING], "yellow"),
        ("allkeys-lru", [LASTING], "yellow"),
        ("", [], "yellow"),
    ],
)
def test_an_eviction_policy_is_rated_by_the_sessions(
    policy: str, sessions: list[Session], level: str
) -> None:
    assert assess_eviction([{"maxmemory_policy": policy}], sessions).level == level


@pytest.mark.parametrize(
    ("assess", "infos", "level"),
    [
        (assess_memory, [{"used_memory": 10, "maxmemory": 100}], "green"),
        (assess_memory, [{"used_memory": 10, "maxmemory": 100}] * 2, "green"),
        (
            assess_memory,
            [{"used_memory": 1, "maxmemory": 100}, {"used_memory": 85, "maxmemory": 100}],
            "yellow",
        ),
        (assess_memory, [{"used_memory": 95, "maxmemory": 100}], "red"),
        (assess_memory, [{"used_memory": 1, "maxmemory": 0, "total_system_memory": 9}], "yellow"),
        (assess_memory, [{}], "yellow"),
        (assess_replicas, [{"connected_slaves": 1}, {"connected_slaves": 2}], "green"),
        (assess_replicas, [{"connected_slaves": 1}, {"connected_slaves": 0}], "yellow"),
        (assess_replicas, [{}], "yellow"),
        (assess_version, [{"redis_version": "4.0.14"}], "red"),
        (assess_version, [{"redis_version": "7.2.4", "valkey_version": "9.0.0"}], "green"),
        (assess_version, [{}], "green"),
    ],
)
def test_answers_are_rated(
    assess: Callable[[list[Info]], Any], infos: list[Info], level: str
) -> None:
    assert assess(infos).level == level


def test_a_slow_server_is_yellow() -> None:
    assert (assess_round_trip(0.5, 9).level, assess_round_trip(20, 9).level) == ("green", "yellow")
