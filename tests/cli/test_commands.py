"""`memorystore-chat`, command by command."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote, unquote

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, message_to_dict
from langchain_core.outputs import Generation
from redis.backoff import EqualJitterBackoff

from langchain_google_memorystore_redis import (
    MemorystoreCache,
    MemorystoreChatMessageHistory,
    sessions,
)
from langchain_google_memorystore_redis.cli import output
from tests.connect.certificates import tls_server
from tests.plugins.clients import Target
from tests.plugins.servers import Servers
from tests.plugins.shell import TERMINAL, Shell, rows, run, uncoloured
from tests.servers.processes import Server
from tests.sessions.test_files import DOCUMENTS


def test_list_prints_lines_json_or_a_table(shell: Shell) -> None:
    shell.history("ada", ttl=1000).add_messages([HumanMessage("hi"), AIMessage("yo")])
    shell.history("a\tb\n\x1b[31m").add_message(HumanMessage("hi"))
    done = shell("list")
    assert (done.exit_code, done.stderr) == (0, f"2 sessions under {shell.prefix!r}\n")
    ada, odd = sorted((line.split("\t") for line in done.stdout.splitlines()), key=len)
    ada, odd = sorted((ada, odd), key=lambda fields: fields[0], reverse=True)
    assert (ada[:2], odd[:2], odd[5]) == (["ada", "2"], ["a\\tb\\n␛[31m", "1"], "-")
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", field) for field in ada[3:5])
    assert 900 < float(ada[5]) <= 1000
    by_id = {row["session_id"]: row for row in rows(shell("list", "--json"))}
    assert by_id["ada"]["messages"] == 2
    assert by_id["a\tb\n\x1b[31m"]["expires_in_seconds"] is None
    table = uncoloured(shell("list", **TERMINAL))
    assert re.search(r"SESSION +MESSAGES +SIZE +FIRST +LAST +EXPIRES IN", table)
    assert re.search(r"ada +2 +\d+ bytes +\d s ago +\d s ago +17 min", table)
    assert re.search(r"a\\tb\\n␛\[31m +1 ", table)


def test_list_shows_a_session_that_outlives_python(shell: Shell) -> None:
    history = shell.history("ada")
    history.add_message(HumanMessage("hi"))
    shell.client.expire(history.key, 10**14)
    (row,) = rows(shell("list", "--json"))
    assert row["expires_in_seconds"] > 86_400 * 999_999_998
    assert shell("list").exit_code == 0


def test_a_pipe_gets_all_while_the_terminal_shows_progress(
    plain: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_PROGRESS_DELAY", -1)
    for name in ("ada", "ben"):
        plain.history(name).add_message(HumanMessage("hi"))
    done = plain("list", "--json", **TERMINAL)
    assert sorted(row["session_id"] for row in rows(done)) == ["ada", "ben"]
    assert "Scanning keys" in done.stderr


def test_a_narrow_terminal_shows_the_ids_and_drops_other_columns(plain: Shell) -> None:
    plain.history("a-conversation-of-30-characters").add_message(HumanMessage("hi"))
    shown: dict[int, str] = {
        width: uncoloured(plain("list", COLUMNS=str(width), **TERMINAL))
        for width in (80, 50, 30, 10)
    }
    heads = {width: text.splitlines()[0].split() for width, text in shown.items()}
    assert heads == {
        80: ["SESSION", "MESSAGES", "SIZE", "FIRST", "LAST", "EXPIRES", "IN"],
        50: ["SESSION", "MESSAGES", "LAST"],
        30: ["SESSION", "LAST"],
        10: ["SESSION"],
    }
    for text in shown.values():
        rows_of_id = [line[:20].split()[0] for line in text.splitlines()[1:] if line.split()]
        assert "".join(rows_of_id).startswith("a-conversation-of-30")


def test_an_empty_list_is_no_error(plain: Shell) -> None:
    done = plain("list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"0 sessions under {plain.prefix!r}\n"


def test_show_prints_the_transcript(shell: Shell) -> None:
    call = [{"name": "weather", "args": {"city": "Zurich"}, "id": "1"}]
    history = shell.history("ada")
    history.add_messages(
        [
            HumanMessage("Zurich?"),
            AIMessage("", tool_calls=call),
            ToolMessage("12 °C", tool_call_id="1"),
            AIMessage("It is **12 °C**.\x1b]0;title\x07"),
        ]
    )
    shell.client.rpush(history.key, "torn")
    done = shell("show", "ada")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split("\t")[1:] for line in done.stdout.splitlines()] == [
        ["user", "Zurich?"],
        ["assistant", '→ weather(city="Zurich")'],
        ["tool", "← 12 °C"],
        ["assistant", "It is **12 °C**.␛]0;title␇"],
        ["unreadable", "index 4: not JSON that can be read (JSONDecodeError)"],
    ]
    assert len(shell("show", "ada", "--last", "2").stdout.splitlines()) == 2
    shown = rows(shell("show", "ada", "--last", "2", "--json"))
    assert [row["index"] for row in shown] == [3, 4]
    assert shown[0]["data"]["content"].startswith("It is")
    assert shown[0]["id"] == history.entries(3, 4)[0].id
    assert "not JSON" in shown[1]["error"]
    assert "assistant It is 12 °C." in uncoloured(shell("show", "ada", **TERMINAL))


def test_on_a_terminal_a_date_stands_above_the_messages_of_its_day(plain: Shell) -> None:
    days = ("2026-01-30", "2026-01-30", "2026-01-31", "2026-02-01")
    for number, day in enumerate(days):
        at = datetime.fromisoformat(f"{day}T12:00:00").timestamp()
        data = {"type": "human", "data": {"content": f"text {number}"}, "id": f"{number}"}
        element = json.dumps({**data, "ts": int(at * 1000)})
        plain.client.rpush(f"{plain.prefix}ada", element)
    plain.client.rpush(f"{plain.prefix}ada", json.dumps(data))
    lines = uncoloured(plain("show", "ada", **TERMINAL)).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("2026-01-30", "12:00:00", "12:00:00"),
        *("2026-01-31", "12:00:00", "2026-02-01", "12:00:00", "user"),
    ]
    assert len(plain("show", "ada").stdout.splitlines()) == 5


def test_what_is_not_there_is_one_line_and_exit_code_1(plain: Shell) -> None:
    for command in (["show", "nobody"], ["export", "nobody"]):
        done = plain(*command)
        assert (done.exit_code, done.stdout) == (1, "")
        assert re.fullmatch(r"memorystore-chat: no session 'nobody' under .*\n", done.stderr)


@pytest.mark.parametrize("format", ["jsonl", "openai"])
def test_what_is_exported_can_be_imported_again(
    shell: Shell,
    tmp_path: Path,
    format: str,  # noqa: A002
) -> None:
    shell.history("ada").add_messages([HumanMessage("hi"), AIMessage("yo")])
    shell.history("ben").add_message(HumanMessage("hi"))
    file = tmp_path / "backup"
    done = shell("export", "--format", format, "-o", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert list(tmp_path.iterdir()) == [file]
    to_stdout = shell("export", "ada", "--format", format).stdout
    assert to_stdout in file.read_text()
    sessions.delete_prefix(shell.client, shell.prefix)
    again = ["import", str(file), "--format", format, "--json"]
    assert rows(shell(*again)) == [{"sessions": 2, "added": 3, "present": 0, "refused": []}]
    assert rows(shell(*again)) == [{"sessions": 2, "added": 0, "present": 3, "refused": []}]
    done = shell("import", "-", "--format", format, stdin=to_stdout)
    assert done.stderr == "Added 0 messages in 1 session (2 already present).\n"
    alone = shell("export", "ben", "--format", format).stdout
    done = shell("import", "-", "--format", format, stdin=alone)
    assert done.stderr == "Added 0 messages in 1 session (1 already present).\n"
    assert [message.text for message in shell.history("ada").messages] == ["hi", "yo"]


def test_an_import_names_the_sessions_that_hold_other_messages(
    plain: Shell, tmp_path: Path
) -> None:
    plain.history("ada").add_message(HumanMessage("hi"))
    (tmp_path / "file").write_text(plain("export").stdout)
    plain.history("ada").clear()
    plain.history("ada").add_message(HumanMessage("another"))
    done = plain("import", str(tmp_path / "file"))
    assert done.exit_code == 1
    assert "Not imported, the session holds other messages: 'ada'" in done.stderr


def test_an_export_that_breaks_off_leaves_no_file(plain: Shell, tmp_path: Path) -> None:
    history = plain.history("ada")
    history.add_message(HumanMessage("hi"))
    plain.client.rpush(history.key, "torn")
    done = plain("export", "--format", "openai", "-o", str(tmp_path / "file"))
    assert done.exit_code == 1
    assert "session 'ada', index 1" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_line_is_named(plain: Shell) -> None:
    done = plain("import", "-", stdin='{"session_id": "a"}\n')
    assert done.exit_code == 1
    assert done.stderr.startswith('memorystore-chat: line 1 has no "session_id" and "index"')
    assert len(done.stderr.splitlines()) == 1


def test_sessions_of_langchain_community_are_migrated(shell: Shell) -> None:
    old = f"{shell.prefix}message_store:"
    for text in ("hi", "there"):
        shell.client.lpush(f"{old}ada", json.dumps(message_to_dict(HumanMessage(text))))
    command = ["migrate", "langchain-community", "--source-prefix", old, "--ttl", "1000", "--json"]
    for added, present in ((2, 0), (0, 2)):
        expected = {"sessions": 1, "added": added, "present": present, "refused": []}
        assert rows(shell(*command)) == [expected]
    assert [message.text for message in shell.history("ada").messages] == ["hi", "there"]
    none = shell("migrate", "langchain-community", "--source-prefix", f"{shell.prefix}none:")
    assert none.stderr.startswith("No sessions of langchain-community found")


def test_documents_without_a_json_module_have_another_way(plain: Shell) -> None:
    plain.client.set(f"{plain.prefix}ada:01J00000000000000000000000", "")
    done = plain("migrate", "langchain-redis", "--source-prefix", plain.prefix)
    assert done.exit_code == 1
    assert "`memorystore-chat import --format langchain-redis FILE`" in done.stderr


def test_sessions_are_migrated_from_a_server_of_another_kind(
    servers: Servers, blocking_clients: dict[Target, Any], prefix: str, json_server: Server
) -> None:
    document = DOCUMENTS[-1].decode()
    json_server.cli("JSON.SET", "chat:user:ben:01M86XWH63SYEVBB9RH10X8Z58", "$", document)
    target = Target("redis-7.0", cluster=True)
    there = ["--url", f"127.0.0.1:{target.port(servers)}", "--prefix", prefix, "--cluster"]
    done = run(*there, "migrate", "langchain-redis", "--source-url", json_server.url)
    assert (done.exit_code, done.stderr) == (0, "Added 1 message in 1 session.\n")
    client = blocking_clients[target]
    history = MemorystoreChatMessageHistory(client, "user:ben", key_prefix=prefix)
    assert history.messages == [AIMessage("yo")]


def test_delete_asks_first_and_says_how_many(shell: Shell) -> None:
    for name in ("user-1:a", "user-1:b", "user-2", "user-3"):
        shell.history(name).add_messages([HumanMessage("x")] * 2)
    shell.client.set(f"{shell.prefix}user-1:text", "x")
    for answer in ("n\n", ""):
        done = shell("delete", "--id-prefix", "user-1:", stdin=answer)
        assert done.exit_code == 1
        assert "Delete 2 sessions (4 messages) whose id starts with 'user-1:'?" in done.stderr
    assert len(shell("list").stdout.splitlines()) == 4
    done = shell("delete", "--id-prefix", "user-1:", stdin="y\n")
    assert done.exit_code == 0
    assert "Deleted 2 sessions. Skipped 1 key of another kind.\n" in done.stderr
    assert done.stderr.endswith("Caches were not searched: clear-cache clears them as a whole.\n")
    done = shell("delete", "user-2", "nobody", "--dry-run", "--json")
    assert rows(done) == [{"would_delete": 1, "refused": 0}]
    done = shell("delete", "user-2", "nobody", "--yes", "--json")
    assert rows(done) == [{"deleted": 1, "refused": 0}]
    assert [line.split("\t")[0] for line in shell("list").stdout.splitlines()] == ["user-3"]


def test_delete_forgets_the_threads_of_a_user_too(shell: Shell) -> None:
    threads = f"{shell.prefix}threads:"
    users = ("user-4:a", "user-4:é/{b}", "user-4%", "user-42:a", "User-4:a")
    for name in users:
        shell.client.zadd(f"{threads}{{{quote(name, safe='')}}}:index", {"x": 0})
        shell.client.hset(f"{threads}{{{quote(name, safe='')}}}:data", "x", "y")
    shell.client.delete(f"{threads}{{{quote('user-4:a', safe='')}}}:index")  # evicted
    shell.history("user-4:s").add_user_message("x")
    options = ("--id-prefix", "user-4:", "--threads-prefix", threads)
    done = shell("delete", *options, "--dry-run")
    expected = "Would delete 1 session (1 message) and 2 threads.\n"
    assert done.stderr.startswith(expected)
    done = shell("delete", *options, "--yes", "--json")
    assert rows(done) == [{"deleted": 1, "threads": 2, "items": 0, "refused": 0}]
    left = {unquote(name) for name in users[2:]}
    keys = list(shell.client.scan_iter(f"{threads}*"))
    assert {unquote(text(key).partition("{")[2].partition("}")[0]) for key in keys} == left
    assert len(keys) == 6


def text(key: bytes | str) -> str:
    return key if isinstance(key, str) else key.decode()


def test_the_old_name_of_the_id_prefix_warns(shell: Shell) -> None:
    shell.history("user-5:a").add_user_message("x")
    done = shell("delete", "--prefix", "user-5:", "--yes")
    assert done.stderr.startswith("delete --prefix is now called --id-prefix\n")
    assert "Deleted 1 session." in done.stderr


def test_clear_cache_clears_it_as_a_whole(shell: Shell) -> None:
    cache = MemorystoreCache(shell.client, key_prefix=shell.prefix)
    cache.update("prompt", "model", [Generation(text="answer")])
    assert shell("clear-cache", stdin="n\n").exit_code == 1
    assert cache.lookup("prompt", "model") is not None
    done = shell("clear-cache", "--yes")
    assert done.stderr == f"Cleared the whole cache at {shell.prefix!r}.\n"
    assert cache.lookup("prompt", "model") is None


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["delete"], "name sessions, or pass an --id-prefix that is not empty"),
        (["delete", "a", "--id-prefix", "b"], "name sessions, or pass an --id-prefix"),
        (["delete", "--id-prefix", ""], "name sessions, or pass an --id-prefix that is not empty"),
        (["list", "--nonsense"], "No such option"),
        (["nonsense"], "No such command 'nonsense'"),
        (["show"], "Missing argument 'SESSION'"),
        (["export", "--format", "xml"], "'xml' is not one of 'jsonl', 'openai'"),
        (["lst"], "Did you mean 'list'? See memorystore-chat"),
        (["migrate"], "Choose from: langchain-community, langchain-redis. See"),
        (["list", "--prefix", "x"], "--prefix goes before the command"),
        (["show", "a", "--url=x"], "--url goes before the command"),
        (["doctor", "--no-cluster"], "--no-cluster goes before the command"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    plain: Shell, args: list[str], problem: str
) -> None:
    done = plain(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_errors_are_one_line_and_show_no_password(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EqualJitterBackoff, "compute", lambda *_: 0)
    port = servers.standalone("valkey-9.1").port
    refused = f"redis://user:secret@127.0.0.1:{port}"
    for url, command, problem in (
        ("redis://user:secret@127.0.0.1:1", "list", "Is the server at --url"),
        (refused, "list", "redis://:password@host:port"),
        (refused, "doctor", "redis://user:password@host:port"),
        ("nonsense://user:secret@x", "list", "--url must be host, host:port"),
        ("nonsense://user:secret@x", "doctor", "must be host, host:port"),
    ):
        done = run("--url", url, "--no-cluster", command)
        assert done.exit_code == 1
        said = done.stdout + done.stderr
        assert problem in said
        assert "secret" not in said
        assert "Traceback" not in said


@pytest.mark.parametrize("engine", ["redis-5.0", "redis-7.0", "valkey-9.1"])
def test_a_password_that_the_server_has_not_is_to_be_left_out(
    servers: Servers, engine: str
) -> None:
    port = servers.standalone(engine).port
    for command in ("list", "doctor"):
        done = run("--url", f"redis://:secret@127.0.0.1:{port}", "--no-cluster", command)
        said = done.stdout + done.stderr
        assert "Leave the password out: this server has none." in said
        assert "Put a password" not in said
        assert "?." not in said


def test_a_password_that_is_wanted_is_shown_in_a_url_without_a_user(servers: Servers) -> None:
    with Server(servers.engine("redis-7.0"), "--requirepass", "right") as server:
        for url in (server.url, f"redis://:wrong@127.0.0.1:{server.port}"):
            done = run("--url", url, "--no-cluster", "list")
            assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
            assert "redis://:password@host:port" in done.stderr


def test_a_server_is_named_by_a_url_of_either_library_in_any_case(
    servers: Servers, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    with Server(servers.engine("valkey-9.1"), "--unixsocket", str(path)) as server:
        where = f"127.0.0.1:{server.port}"
        for url in (f"VALKEY://{where}", f"Redis://{where}/1", f"unix://{path}"):
            assert run("--url", url, "list").exit_code == 0
            assert run("list", REDIS_URL=url).exit_code == 0
            migrated = run("--url", where, "migrate", "langchain-redis", "--source-url", url)
            assert migrated.exit_code == 0
            checked = run("--url", url, "doctor")
            assert checked.exit_code == 0
            assert re.match(f"Checking (redis://{where}|unix://{path})", checked.output)


def test_tls_on_one_side_only_is_said_with_the_options_that_mend_it(
    servers: Servers, tmp_path: Path
) -> None:
    with tls_server(servers.engine("redis-7.0"), tmp_path) as server:
        done = run("--url", f"redis://{server.endpoint}", "list")
        assert done.exit_code == 1
        assert "Begin the URL with rediss://, or pass --ca-certs." in done.stderr
        server.plain.cli("CONFIG", "SET", "tls-auth-clients", "yes")
        authorities = tmp_path / "authorities.pem"
        authorities.write_text(server.authority.pem)
        trusting = ["--url", f"valkeys://{server.endpoint}", "--ca-certs", str(authorities)]
        done = run(*trusting, "list")
        assert "?ssl_certfile=FILE&ssl_keyfile=FILE" in done.stderr
        mine = server.authority.issue_to_client(tmp_path)
        options = "&".join(f"{name}={path}" for name, path in mine.items())
        trusting[1] += f"?{options}"
        assert run(*trusting, "list").exit_code == 0
        done = run("--url", f"rediss://127.0.0.1:{server.plain.port}", "list")
        assert "Begin the URL with redis://, and leave out --ca-certs." in done.stderr


def test_an_error_names_where_the_url_came_from(plain: Shell) -> None:
    wrong = "must be host, host:port"
    for command in ("list", "doctor"):
        assert f"REDIS_URL {wrong}" in run(command, REDIS_URL="http://x").output
    assert f"--url {wrong}" in run("--url", "http://x", "list", REDIS_URL="h").stderr
    migrating = plain("migrate", "langchain-redis", "--source-url", "http://x")
    assert f"--source-url {wrong}" in migrating.stderr


def test_the_server_that_is_checked_is_named_without_its_password(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EqualJitterBackoff, "compute", lambda *_: 0)
    for url, named in (
        ("redis://:secret@[::1]:1/2", "redis://[::1]:1/2"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("redis://:secret@[::1", "the server of --url"),
    ):
        done = run("--url", url, "--no-cluster", "doctor")
        assert done.stderr.startswith(f"Checking {named}\n")
        assert "secret" not in done.output
    assert "--url must be host, host:port" in done.stdout
    broken = run("doctor", REDIS_URL="redis://[::1")
    assert broken.stderr.startswith("Checking the server of REDIS_URL\n")


def test_tls_takes_an_authority_and_a_host_that_the_certificate_names(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EqualJitterBackoff, "compute", lambda *_: 0)
    with tls_server(servers.engine("redis-7.0"), tmp_path) as server:
        (tmp_path / "ca.pem").write_text(server.authority.pem)
        port = server.endpoint.partition(":")[2]
        trusting = ["--ca-certs", str(tmp_path / "ca.pem")]
        unchecked = f"rediss://localhost:{port}?ssl_check_hostname=false"
        for url in (server.endpoint, unchecked):
            assert run("--url", url, *trusting, "list").exit_code == 0
        for options in (
            ["--url", f"rediss://{server.endpoint}"],
            ["--url", f"localhost:{port}", *trusting],
        ):
            done = run(*options, "list")
            assert (done.exit_code, len(done.stderr.splitlines())) == (1, 1)
            assert "with --ca-certs" in done.stderr


def test_even_a_bug_is_one_line(plain: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "list_sessions", Mock(side_effect=KeyError("bug")))
    done = plain("list")
    assert (done.exit_code, done.stderr) == (1, "memorystore-chat: KeyError 'bug'\n")


def test_one_node_is_not_taken_for_the_cluster(servers: Servers) -> None:
    url = servers.cluster("redis-7.0").url
    for command in (["list"], ["delete", "--id-prefix", "x", "--yes"], ["doctor"]):
        done = run("--url", url, "--no-cluster", *command)
        assert done.exit_code == 1
        assert "Pass --cluster" in done.stdout + done.stderr


def test_the_demo_runs_and_leaves_nothing_behind(plain: Shell) -> None:
    before = set(plain.client.scan_iter("demo:*"))
    done = plain("demo")
    assert done.exit_code == 0
    assert "You said: I am Ada." in done.stdout
    assert set(plain.client.scan_iter("demo:*")) == before
