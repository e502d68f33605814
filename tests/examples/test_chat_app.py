"""The example application, as a person with a browser uses it; it also takes the screenshots.

Two processes of the application serve one server, and second tabs go to the second process.
`UPDATE_SCREENSHOTS=1 pytest tests/examples/test_chat_app.py` renews docs/images/chat_app_*.png.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.examples.chat_app import FLAGS, App, Chat, running_app
from tests.plugins.servers import Servers, _missing
from tests.servers.install import find_chromium
from tests.servers.processes import Server

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SECOND_ITEM = """() => new Promise((seen) => {
    const look = () => document.querySelectorAll('.draft li').length > 1 && seen();
    new MutationObserver(look).observe(document, {childList: true, subtree: true});
})"""
UNKNOWN = "I only know names and the weather, but I remember all you say."


@pytest.fixture(scope="module")
def app(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    chromium = find_chromium() or _missing("Chromium")
    logs = tmp_path_factory.mktemp("chat_app")
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        stack.callback(browser.close)
        engine = servers.engine("valkey-9.1")
        server = stack.enter_context(Server(engine, "--appendonly", "yes"))
        paces = {"quick": 0.01, "slow": 0.03}
        apps = [
            stack.enter_context(running_app(server, logs / name, pace=pace))
            for name, pace in paces.items()
        ]
        urls = [url() for url in apps]
        browser.new_page().goto(urls[0])  # open to the end: the application must not wait for it
        yield App(server, browser, urls)


@pytest.fixture
def chat(app: App) -> Iterator[Chat]:
    with app.tab() as chat:
        yield chat


def test_an_answer_is_seen_while_it_is_written(chat: Chat) -> None:
    chat.say("hello", UNKNOWN)
    seen = chat.drafts
    assert len(seen) > 3
    assert all(UNKNOWN.startswith(text.strip()) for text in seen)
    assert [len(text) for text in seen] == sorted(len(text) for text in seen)
    expect(chat.page.locator(".draft")).to_have_count(0)
    expect(chat.page.get_by_label("Message", exact=True)).to_have_value("")


def test_the_sidebar_names_a_conversation_by_its_first_message(chat: Chat) -> None:
    chat.say("I am Ada.", "Nice to meet you, Ada! What can I do for you?")
    first = chat.id
    expect(chat.listed()).to_contain_text("I am Ada.")
    expect(chat.listed()).to_contain_text("2 messages")
    chat.page.get_by_role("button", name="New chat").click()
    expect(chat.said).to_have_count(0)
    chat.say("What's my name?", "You have not told me yet.")
    assert chat.id != first
    chat.listed(first).get_by_role("link").click()
    expect(chat.said).to_have_text(["I am Ada."])
    chat.say("What's my name?", "You are Ada.")
    expect(chat.page.locator("#conversations .item").first).to_contain_text("I am Ada.")


def test_a_reload_shows_the_same(chat: Chat) -> None:
    chat.say("I am Ada.", "Nice to meet you, Ada! What can I do for you?")
    chat.say("What's the weather in Zurich?", "It is 12 °C, light rain there.")
    before = chat.ids()
    shown = chat.page.locator("#messages").inner_text()
    chat.page.reload()
    expect(chat.answers).to_have_count(2)
    assert chat.ids() == before
    assert chat.page.locator("#messages").inner_text() == shown


def test_a_tool_call_is_a_card_with_its_result(chat: Chat) -> None:
    chat.say("What's the weather in Nairobi?", "It is 24 °C, sunny there.")
    card = chat.page.locator(".card")
    expect(card).to_have_attribute("data-state", "done")
    expect(card).to_contain_text('weather(city="Nairobi")')
    expect(card).to_contain_text("24 °C, sunny")


def test_two_tabs_on_two_workers_show_the_same(app: App, chat: Chat) -> None:
    with app.tab(f"#{chat.id}", worker=1) as other:
        chat.say("How do you remember this?")
        expect(other.said).to_have_text(["How do you remember this?"])
        expect(other.answers).to_have_count(1)
        assert len(other.drafts) > 3
        other.say("I am Ben.", "Nice to meet you, Ben! What can I do for you?")
        expect(chat.answers).to_have_count(2)
        expect(chat.listed()).to_contain_text("4 messages")
        assert chat.ids() == other.ids()


def test_a_tab_opened_while_an_answer_is_written_shows_all_of_it(app: App) -> None:
    with app.tab("#late", worker=1) as chat:
        chat.say("How do you remember this?")
        expect(chat.page.locator(".draft .prose")).to_be_visible()
        with app.tab("#late") as other:
            expect(other.answers).to_have_count(1)
            assert other.drafts[0].startswith("Each conversation is one list")


def test_editing_replaces_a_message_and_all_after_it(app: App, chat: Chat) -> None:
    chat.say("I am Ada.", "Nice to meet you, Ada! What can I do for you?")
    chat.say("What's my name?", "You are Ada.")
    with app.tab(f"#{chat.id}", worker=1) as other:
        chat.do("Edit", chat.said.first)
        chat.page.get_by_label("Edit message").fill("I am Grace.")
        chat.page.keyboard.press("Enter")
        for tab in (chat, other):
            expect(tab.said).to_have_text(["I am Grace."])
            expect(tab.answers).to_have_text(["Nice to meet you, Grace! What can I do for you?"])
    chat.say("What's my name?", "You are Grace.")


def test_arrow_up_edits_the_last_message_and_escape_leaves_it(chat: Chat) -> None:
    chat.say("one", UNKNOWN)
    chat.page.keyboard.press("ArrowUp")
    expect(chat.page.get_by_label("Edit message")).to_have_value("one")
    chat.page.keyboard.press("Escape")
    expect(chat.said).to_have_text(["one"])
    expect(chat.page.get_by_label("Message", exact=True)).to_be_focused()


def test_regenerating_replaces_the_answer_with_its_tool_calls(chat: Chat) -> None:
    chat.say("What's the weather in Zurich?", "It is 12 °C, light rain there.")
    question, *old = chat.ids()
    chat.do("Regenerate", chat.answers.last)
    expect(chat.page.locator(f'[data-id="{old[-1]}"]')).to_have_count(0)
    expect(chat.answers).to_have_text(["It is 12 °C, light rain there."])
    kept, *new = chat.ids()
    assert kept == question
    assert len(new) == len(old)
    assert not set(new) & set(old)


def test_the_old_answer_returns_if_a_new_one_cannot_be_stored(app: App) -> None:
    with app.tab("#regenerated", worker=1) as chat:
        chat.say("How do you remember this?")
        expect(chat.answers).to_have_count(1)
        old = chat.ids()
        app.server.cli("ACL", "SETUSER", "default", "-rpush", "-lset")
        try:
            chat.do("Regenerate", chat.answers.last)
            expect(chat.page.locator(".draft .prose")).to_be_visible()
            expect(chat.answers).to_have_count(0)
            expect(chat.problem).to_contain_text("no permissions")
        finally:
            app.server.cli("ACL", "SETUSER", "default", "+rpush", "+lset")
        expect(chat.answers).to_have_count(1)
        expect(chat.page.locator(".draft")).to_have_count(0)
        assert chat.ids() == old


def test_a_branch_goes_its_own_way(chat: Chat) -> None:
    chat.say("I am Ada.", "Nice to meet you, Ada! What can I do for you?")
    chat.say("What's my name?", "You are Ada.")
    trunk, ids = chat.id, chat.ids()
    chat.do("Branch here", chat.answers.first)
    expect(chat.said).to_have_text(["I am Ada."])
    assert chat.id.startswith("branch-")
    assert chat.ids() == ids[:2]
    chat.say("I am Eve.", "Nice to meet you, Eve! What can I do for you?")
    chat.listed(trunk).get_by_role("link").click()
    expect(chat.said).to_have_text(["I am Ada.", "What's my name?"])


def test_deleting_asks_first_and_removes_it_in_every_tab(app: App, chat: Chat) -> None:
    chat.say("forget me", UNKNOWN)
    gone = chat.id
    with app.tab(f"#{gone}", worker=1) as other:
        for choice in ("Cancel", "Delete"):
            chat.listed(gone).hover()
            chat.listed(gone).get_by_role("button", name="Delete").click()
            chat.page.get_by_role("dialog").get_by_role("button", name=choice).click()
            expect(chat.listed(gone)).to_have_count(int(choice == "Cancel"))
        expect(other.said).to_have_count(0)
        expect(other.listed(gone)).to_have_count(0)
    assert app.server.cli("EXISTS", f"chat_app:conversation:{gone}") == 0


def test_markup_in_messages_is_text(chat: Chat) -> None:
    nasty = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    chat.say(f"I am {nasty}")
    expect(chat.answers).to_contain_text(nasty)
    expect(chat.said).to_have_text([f"I am {nasty}"])
    expect(chat.listed()).to_contain_text(nasty)
    assert chat.page.locator("main script, main img, aside script, aside img").count() == 0


def test_markdown_of_an_answer_is_drawn(chat: Chat) -> None:
    chat.say("How do you remember this?")
    expect(chat.answers.locator("pre code")).to_contain_text("history.acopy(")
    expect(chat.answers.locator("li strong")).to_have_text(["Reload", "Edit", "Branch"])


def test_during_an_outage_the_page_says_so_and_then_continues(app: App, chat: Chat) -> None:
    chat.say("I am Ada.", "Nice to meet you, Ada! What can I do for you?")
    app.server.stop()
    try:
        expect(chat.problem).to_contain_text("Redis is not reachable")
        expect(chat.page.locator("#state")).to_have_text("offline")
        with chat.page.expect_response(lambda response: response.request.method == "POST") as sent:
            chat.say("What's my name?")
        assert sent.value.status == 503
        expect(chat.page.get_by_label("Message", exact=True)).to_have_value("What's my name?")
        expect(chat.said).to_have_text(["I am Ada."])
    finally:
        app.server.start()
    expect(chat.page.locator("#state")).to_have_text("online")
    expect(chat.problem).to_be_hidden()
    chat.page.get_by_label("Message", exact=True).press("Enter")
    expect(chat.answers.last).to_have_text("You are Ada.")
    expect(chat.said).to_have_text(["I am Ada.", "What's my name?"])


def test_an_answer_that_was_lost_can_be_asked_for(app: App, chat: Chat) -> None:
    app.server.cli(
        "RPUSH",
        f"chat_app:conversation:{chat.id}",
        '{"type": "human", "data": {"content": "Give me a summary."}, "id": "0", "ts": 1}',
    )
    chat.page.reload()
    chat.page.get_by_role("button", name="Get an answer").click()
    expect(chat.answers).to_have_text(["You said: "])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 390, "height": 780}, "has_touch": True}),
    ],
)
def test_it_looks_right(app: App, tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    for key in app.server.cli("KEYS", "chat_app:conversation:*"):
        app.server.cli("DEL", key)
    folder = IMAGES if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    with app.tab(f"#tour-{name}", **{"device_scale_factor": 2, **options}) as chat:
        if name == "phone":
            chat.say("What can you do?")
            expect(chat.answers).to_have_count(1)
        else:
            chat.page.evaluate("location.hash = 'ada'")
            chat.say("I am Ada.", "Nice to meet you, Ada! What can I do for you?")
            chat.say("What's my name?", "You are Ada.")
            chat.page.evaluate("name => (location.hash = name)", f"tour-{name}")
            expect(chat.said).to_have_count(0)
            chat.say("What's the weather in Zurich?", "It is 12 °C, light rain there.")
            chat.do("Branch here", chat.answers.last)
            expect(chat.page).to_have_url(re.compile("#branch-"))
            chat.page.evaluate("name => (location.hash = name)", f"tour-{name}")
            expect(chat.listed(f"tour-{name}").get_by_role("link")).to_have_attribute(
                "aria-current", "page"
            )
            expect(chat.answers).to_have_count(1)
            chat.say("How do you remember this?")
            chat.page.evaluate(SECOND_ITEM)
            app.server.pause()  # and the answer with it
        chat.page.screenshot(path=folder / f"chat_app_{name}.png")
        app.server.resume()
        overflow = "document.documentElement.scrollWidth > innerWidth"
        assert chat.page.evaluate(overflow) is False
        expect(chat.page.locator(".draft")).to_have_count(0)  # the next test removes them all
