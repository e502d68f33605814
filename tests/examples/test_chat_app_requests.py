"""The requests that the example application answers, and those that it refuses."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.examples.chat_app import APP, running_app
from tests.plugins.servers import Servers
from tests.servers.processes import Server, wait_until

ID = "c0ffee"
API = f"/api/conversations/{ID}"
KEY = f"chat_app:conversation:{ID}"
HALF = "\\ud83d"
"""Half a surrogate pair, as JSON holds it."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def problem(self) -> str:
        problem: str = json.loads(self.body)["problem"]
        return problem


@dataclass(frozen=True)
class Site:
    """The application and its server; its one conversation has three turns at first."""

    server: Server
    port: int

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: list[tuple[str, str]] | None = None,
        chunked: bool = False,
    ) -> Answer:
        """Send exactly these headers, with the usual Host unless they hold one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = headers or []
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if "Host" not in dict(headers):
            headers = [("Host", f"127.0.0.1:{self.port}"), *headers]
        if body is not None and not chunked:
            headers = [*headers, ("Content-Length", str(len(body)))]
        elif chunked:
            headers = [*headers, ("Transfer-Encoding", "chunked")]
        for name, value in [*headers, ("Content-Type", "application/json")]:
            connection.putheader(name, value)
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was read
            connection.endheaders(body, encode_chunked=chunked)
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def post(self, path: str, **fields: Any) -> Answer:
        return self.ask("POST", f"{API}{path}", json.dumps(fields).encode())

    def stored(self) -> list[tuple[str, str]]:
        """The ids and texts of the conversation's messages."""
        elements = map(json.loads, self.server.cli("LRANGE", KEY, 0, -1))
        return [(element["id"], element["data"]["content"]) for element in elements]

    def wait_for_answer(self) -> None:
        free = lambda: not self.server.cli("EXISTS", f"chat_app:turn:{ID}")  # noqa: E731
        wait_until(free, "the end of the answer")

    @contextmanager
    def failing_store(self) -> Iterator[None]:
        """A server that removes messages, but stores none."""
        self.server.cli("ACL", "SETUSER", "default", "-rpush", "-lset")
        try:
            yield
        finally:
            self.server.cli("ACL", "SETUSER", "default", "+rpush", "+lset")


@pytest.fixture(scope="module")
def running(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    log = tmp_path_factory.mktemp("chat_app") / "log"
    with (
        Server(servers.engine("valkey-9.1")) as server,
        running_app(server, log, "--allow-host", "Chat.example:443", pace=0) as url,
    ):
        yield Site(server, urlsplit(url()).port or 0)


@pytest.fixture
def site(running: Site) -> Site:
    running.server.cli("DEL", KEY)
    for text in ("I am Ada.", "What's my name?", "Roll a die."):
        assert running.post("/messages", text=text).status == 202
        running.wait_for_answer()
    return running


def stay(site: Site, before: list[tuple[str, str]]) -> bool:
    site.wait_for_answer()
    return len(before) == 6 and site.stored() == before


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1.evil.example:PORT",
        "localhost.evil.example",
        "evillocalhost",
        "evil.example@127.0.0.1",
        "127.0.0.1:PORT@evil.example",
        "127.0.0.1:PORT:PORT",
        "127.0.0.1,evil.example",
        "evil.example#127.0.0.1",
        "[::1",
        "0177.0.0.1",
        "other.chat.example",
        "",
    ],
)
def test_a_foreign_name_that_leads_here_is_refused(site: Site, host: str) -> None:
    before = site.stored()
    headers = [("Host", host.replace("PORT", str(site.port)))]
    for method, path in (
        ("GET", "/"),
        ("GET", f"{API}/events"),
        ("POST", f"{API}/answers"),
        ("DELETE", API),
    ):
        answer = site.ask(method, path, headers=headers)
        assert answer.status in (400, 403)
        assert b"Ada" not in answer.body
    assert stay(site, before)


def test_two_hosts_are_refused(site: Site) -> None:
    headers = [("Host", "evil.example"), ("Host", f"127.0.0.1:{site.port}")]
    assert site.ask("DELETE", API, headers=headers).status in (400, 403)
    assert site.ask("DELETE", API, headers=headers[::-1]).status in (400, 403)
    assert len(site.stored()) == 6


def test_the_refusal_says_how_to_allow_a_name(site: Site) -> None:
    answer = site.ask("GET", "/", headers=[("Host", "my-desk.example:8000")])
    assert answer.problem == (
        "The host 'my-desk.example:8000' is not allowed. Restart the app with --allow-host "
        "my-desk.example."
    )


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:PORT", "127.0.0.1:9999", "localhost", "LocalHost:PORT"),
        *("localhost.:PORT", "[::1]:PORT", "192.168.1.5:8000", "chat.example", "CHAT.example:443"),
    ],
)
def test_addresses_and_allowed_names_are_answered(site: Site, host: str) -> None:
    host = host.replace("PORT", str(site.port))
    for origin in (f"http://{host}", f"https://{host.lower()}", None):
        headers = [("Host", host), *([("Origin", origin)] if origin else [])]
        assert site.ask("GET", "/", headers=headers).status == 200
        assert site.ask("POST", f"{API}/answers", headers=headers).status == 202
        site.wait_for_answer()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:PORT"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:PORT.evil.example"},
        {"Origin": "http://127.0.0.1:PORT http://evil.example"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
    ids=str,
)
def test_a_page_of_another_site_can_change_nothing(site: Site, headers: dict[str, str]) -> None:
    before = site.stored()
    sent = [(name, value.replace("PORT", str(site.port))) for name, value in headers.items()]
    body = b'{"text": "x"}'
    for method, path in (
        ("POST", "/answers"),
        ("POST", "/messages"),
        ("POST", "/branches"),
        ("DELETE", ""),
    ):
        answer = site.ask(method, f"{API}{path}", body, [*sent, ("Content-Type", "text/plain")])
        assert answer.status == 403
        assert "may not use this app" in answer.problem
    assert stay(site, before)


def test_a_page_of_another_site_can_only_link_to_this_one(site: Site) -> None:
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
    assert site.ask("GET", "/", headers=link).status == 200
    part = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
    assert site.ask("GET", f"{API}/events", headers=part).status == 403


def test_every_answer_says_what_browsers_may_do_with_it(site: Site) -> None:
    for method, path, headers in (
        ("GET", "/", []),
        ("GET", "/app.js", []),
        ("GET", "/nothing", []),
        ("GET", "/", [("Host", "evil.example")]),
        ("POST", f"{API}/messages", []),
        ("DELETE", "/api/conversations/UPPER", []),
    ):
        answer = site.ask(method, path, headers=headers)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/messages", f'{{"text": "{HALF}"}}'),
        ("/messages", f'{{"text": "a {HALF} b"}}'),
        ("/messages", f'{{"text": "x", "replaces": "{HALF}"}}'),
        ("/messages", f'{{"text": ["{HALF}"]}}'),
        ("/messages", f'{{"{HALF}": 1}}'),
        ("/messages", f'"{HALF}"'),
        ("/branches", f'{{"entry": "{HALF}"}}'),
        ("/messages", '{"text": ""}'),
        ("/messages", '{"text": null}'),
        ("/messages", "[]"),
        ("/messages", ""),
    ],
)
def test_a_body_that_cannot_be_stored_is_422(site: Site, path: str, body: str) -> None:
    before = site.stored()
    answer = site.ask("POST", f"{API}{path}", body.encode())
    assert answer.status == 422
    assert answer.problem
    assert stay(site, before)


@pytest.mark.parametrize(
    "body", [b'{"text": "\xff"}', b'{"text"', b"[" * 100_000, b'{"text": ' + b"1" * 9_999]
)
def test_a_body_that_is_no_json_is_refused(site: Site, body: bytes) -> None:
    assert site.ask("POST", f"{API}/messages", body).status in (400, 422)


def test_characters_of_every_kind_are_stored(site: Site) -> None:
    text = "\0 \x1b \x9b \u202e \U0001f600 \ufeff"
    assert site.post("/messages", text=text).status == 202
    site.wait_for_answer()
    assert text in dict(site.stored()).values()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_oversized_body_is_refused(site: Site, chunked: bool) -> None:
    before = site.stored()
    body = json.dumps({"text": "x" * 2_000_000}).encode()
    sent: Any = iter([body[:900_000], body[900_000:]]) if chunked else body
    answer = site.ask("POST", f"{API}/messages", sent, chunked=chunked)
    assert (answer.status, answer.problem) == (413, "A request may have 1,000,000 bytes.")
    longest = {"text": "\U0001f600" * 50_000 + "\0" * 50_000}
    assert site.ask("POST", f"{API}/messages", json.dumps(longest).encode()).status == 202
    site.wait_for_answer()
    assert site.stored()[:6] == before
    assert site.post("/messages", text="x" * 100_001).status == 422


@pytest.mark.parametrize(
    "name",
    [
        *("UPPER", "a" * 65, "a%0A", "%00", "%ED%A0%BD", "%FF", "%2E%2E", "a%2F..%2Fb", "*"),
        *("%7Ba%7D", "%C3%A4", "a;b", "a%3Fb", ""),
    ],
)
def test_a_conversation_has_a_plain_id(site: Site, name: str) -> None:
    for method, end in (("GET", "/events"), ("POST", "/answers"), ("DELETE", "")):
        answer = site.ask(method, f"/api/conversations/{name}{end}")
        assert answer.status in (404, 405, 422)
        assert answer.problem


@pytest.mark.parametrize("path", ["/%00", "/%ED%A0%BD", "/%FF", "/../app.py", "/%2e%2e/app.py"])
def test_a_path_that_is_not_there_is_404(site: Site, path: str) -> None:
    answer = site.ask("GET", path)
    assert answer.status == 404
    assert b"import" not in answer.body


def test_documentation_that_loads_from_elsewhere_is_not_served(site: Site) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert site.ask("GET", path).status == 404


def test_an_edit_that_fails_leaves_the_old_messages(site: Site) -> None:
    before = site.stored()
    for entry_id, _ in before[::2]:
        with site.failing_store():
            assert site.post("/messages", text="edited", replaces=entry_id).status == 502
        assert stay(site, before)
    assert site.post("/messages", text="I am Eve.", replaces=before[0][0]).status == 202
    site.wait_for_answer()
    assert [text for _, text in site.stored()] == [
        "I am Eve.",
        "Nice to meet you, Eve! What can I do for you?",
    ]


def test_a_new_answer_that_fails_leaves_the_old_one(site: Site) -> None:
    before = site.stored()
    with site.failing_store():
        assert site.post("/answers").status == 202
        assert stay(site, before)
    assert site.post("/answers").status == 202
    site.wait_for_answer()
    assert site.stored()[:5] == before[:5]
    assert len(site.stored()) == 6
    assert site.stored()[5][0] != before[5][0]


def test_an_entry_that_is_gone_is_a_conflict(site: Site) -> None:
    before = site.stored()
    for path, fields in (
        ("/messages", {"text": "x", "replaces": "gone"}),
        ("/branches", {"entry": "gone"}),
    ):
        answer = site.post(path, **fields)
        assert answer.status == 409
        assert answer.problem.startswith("That message no longer exists")
    assert stay(site, before)


def test_a_host_that_is_none_is_named() -> None:
    command = [sys.executable, str(APP), "--allow-host", "http://x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'http://x' is not a host" in done.stderr
