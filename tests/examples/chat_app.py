"""The example application as its tests see it: processes that serve it, and tabs that show it.

Strategy: a test says what a person does and sees; which elements that is, only this module knows.
Waiting is Playwright's: nothing here sleeps.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.servers.processes import HOST, Server, wait_until

APP = Path(__file__).parents[2] / "examples" / "chat_app" / "app.py"
# Chromium asks nothing of the network for itself, and draws without looking for a GPU.
FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=15_000)
# Records every draft of an answer: they change too fast for polling.
RECORD = """
window.drafts = [];
new MutationObserver(() => {
    const text = document.querySelector('.draft .prose')?.textContent;
    if (text && text !== window.drafts.at(-1)) window.drafts.push(text);
}).observe(document, {childList: true, subtree: true});
"""


@dataclass(frozen=True)
class Chat:
    """A tab, and the words for what a person does in it."""

    page: Page

    @property
    def id(self) -> str:
        return self.page.url.partition("#")[2]

    def say(self, text: str, answer: str | None = None) -> None:
        """Type and press Enter; then wait for the end of the answer."""
        before = self.answers.count()
        self.page.get_by_label("Message", exact=True).fill(text)
        self.page.keyboard.press("Enter")
        if answer is not None:
            expect(self.answers).to_have_count(before + 1)
            expect(self.answers.last).to_have_text(answer)

    @property
    def said(self) -> Locator:
        return self.page.locator(".bubble")

    @property
    def answers(self) -> Locator:
        """The stored ones; a draft has no time yet."""
        return self.page.locator(".message.ai:has(time) .prose")

    @property
    def drafts(self) -> list[str]:
        """All drafts of answers that were shown."""
        drafts: list[str] = self.page.evaluate("window.drafts")
        return drafts

    @property
    def problem(self) -> Locator:
        return self.page.get_by_role("alert")

    def listed(self, chat_id: str | None = None) -> Locator:
        return self.page.locator(f'#conversations .item[data-id="{chat_id or self.id}"]')

    def ids(self) -> list[str]:
        messages = self.page.locator(".message[data-id]").all()
        return [message.get_attribute("data-id") or "" for message in messages]

    def do(self, what: str, to: Locator) -> None:
        """Press a button of the message that holds `to`."""
        message = to.locator("xpath=ancestor::article")
        message.hover()
        message.get_by_role("button", name=what).click()


class App:
    """The server, two processes of the application, and a browser."""

    def __init__(self, server: Server, browser: Browser, urls: list[str]) -> None:
        self.server = server
        self.urls = urls
        self._browser = browser

    @contextmanager
    def tab(self, path: str = "", worker: int = 0, **options: Any) -> Iterator[Chat]:
        """A tab of a browser of its own; the test fails if the page raises an error."""
        options = {"viewport": {"width": 1120, "height": 720}, "locale": "en-GB", **options}
        with self._browser.new_context(**options) as context:
            context.add_init_script(RECORD)
            page = context.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("dialog", lambda dialog: errors.append(f"dialog: {dialog.message}"))
            page.goto(self.urls[worker] + path)
            expect(page.locator("#state")).to_have_text("online")
            yield Chat(page)
            assert errors == []


@contextmanager
def running_app(
    server: Server, log: Path, *options: str, pace: float = 0.01
) -> Iterator[Callable[[], str]]:
    """Run a process of the application; the function yielded waits for it and returns its URL."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "REDIS_URL": server.url, "CHAT_APP_SECONDS_PER_WORD": str(pace)}
    command = [sys.executable, str(APP), "--port", str(port), *options]
    with log.open("wb") as out, subprocess.Popen(command, env=env, stdout=out, stderr=out) as app:

        def answers() -> bool:
            assert app.poll() is None, log.read_text()
            with socket.socket() as connection:
                return connection.connect_ex((HOST, port)) == 0

        def url() -> str:
            wait_until(answers, "the application to answer", timeout=30)
            return f"http://{HOST}:{port}/"

        try:
            yield url
        finally:
            app.terminate()
    assert "ERROR" not in log.read_text(), log.read_text()
