"""The conversations that are stored: made from a seed, the same in every run.

Strategy: plain dicts in the form of LangChain's `message_to_dict`, because every contestant reads
them in an environment of its own, with its own version of LangChain or without any. Words follow
Zipf's law, as in speech, so that compression finds what it would find in text and no more; tool
results are JSON records, as search tools and databases give them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEED = 20261124
TURN_TTL = 3600
"""Seconds every append asks for."""

Row = dict[str, Any]
Writer = Callable[[random.Random, int], Row]

_WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split("\n\n")
_ENGLISH, *_TONGUES = (paragraph.split() for paragraph in _WORDS)
_WITHOUT_SPACES = (2, 3)
"""Chinese and Japanese."""
_FIGURES = ("🦜", "🙏", "✅", "☀️")


def text(source: random.Random, length: int) -> str:
    """English sentences of about `length` characters."""
    weights = [1 / rank for rank in range(1, len(_ENGLISH) + 1)]
    return _sentences(lambda: source.choices(_ENGLISH, weights, k=source.randint(5, 16)), length)


def _text_in(tongue: int, source: random.Random, length: int) -> str:
    """The same in one of the other languages, whose few words are all as frequent."""
    words = [*_TONGUES[tongue], *_FIGURES]
    space = "" if tongue in _WITHOUT_SPACES else " "
    return _sentences(lambda: source.choices(words, k=source.randint(5, 16)), length, space)


def _sentences(words: Callable[[], list[str]], length: int, space: str = " ") -> str:
    written = ""
    while len(written) < length:
        sentence = space.join(words())
        written += f"{sentence[0].upper()}{sentence[1:]}. "
    return written[:length].strip()


def _records(source: random.Random, length: int) -> str:
    """What a search tool answers: JSON of about `length` characters."""
    records: list[Row] = []
    while len(json.dumps(records)) < length:
        name = "-".join(source.choices(_ENGLISH, k=4))
        records.append(
            {
                "id": f"{source.getrandbits(64):016x}",
                "title": text(source, 40),
                "url": f"https://example.com/{name}",
                "snippet": text(source, source.randint(120, 240)),
                "score": round(source.random(), 4),
            }
        )
    return json.dumps(records)[:length]


def _human(content: str) -> Row:
    return {"type": "human", "data": {"type": "human", "content": content}}


def _ai(source: random.Random, content: str, **fields: Any) -> Row:
    """As a chat model's integration fills it: an id, what it used, and what it was."""
    read, written = source.randint(200, 4000), max(1, len(content) // 4)
    data = {
        "type": "ai",
        "content": content,
        "id": f"run-{source.getrandbits(128):032x}",
        "usage_metadata": {
            "input_tokens": read,
            "output_tokens": written,
            "total_tokens": read + written,
        },
        "response_metadata": {"model_name": "example-large-2", "finish_reason": "stop"},
        **fields,
    }
    return {"type": "ai", "data": data}


def _chat(source: random.Random, index: int) -> Row:
    if index % 2 == 0:
        return _human(text(source, source.randint(20, 160)))
    return _ai(source, text(source, source.randint(60, 480)))


def _agent(source: random.Random, index: int) -> Row:
    """A question, two rounds of tool call and result, and an answer."""
    place = index % 6
    if place == 0:
        return _human(text(source, source.randint(40, 200)))
    if place in (1, 3):
        call = {
            "name": "search_documents",
            "args": {"query": text(source, 40), "limit": 5, "filters": {"language": "en"}},
            "id": f"call-{index + 1}",
            "type": "tool_call",
        }
        return _ai(source, "", tool_calls=[call])
    if place in (2, 4):
        data = {
            "type": "tool",
            "content": _records(source, source.randint(200, 900)),
            "name": "search_documents",
            "tool_call_id": f"call-{index}",
        }
        return {"type": "tool", "data": data}
    return _ai(source, text(source, source.randint(200, 700)))


def _mixed(source: random.Random, index: int) -> Row:
    """Half short chat, half agent at work, by stretches of a dozen."""
    return (_chat if index // 12 % 2 == 0 else _agent)(source, index % 12)


def _multilingual(source: random.Random, index: int) -> Row:
    tongue = index // 2 % len(_TONGUES)
    if index % 2 == 0:
        return _human(_text_in(tongue, source, source.randint(20, 160)))
    return _ai(source, _text_in(tongue, source, source.randint(60, 480)))


def _of_size(length: int) -> Writer:
    def write(source: random.Random, index: int) -> Row:
        if index % 2 == 0:
            data = {"type": "tool", "content": _records(source, length), "tool_call_id": "call-1"}
            return {"type": "tool", "data": data}
        return _ai(source, text(source, length))

    return write


_WRITERS: dict[str, Writer] = {
    "chat": _chat,
    "agent": _agent,
    "mixed": _mixed,
    "multilingual": _multilingual,
    "1 KB": _of_size(1_000),
    "20 KB": _of_size(20_000),
}
NAMES = tuple(_WRITERS)


def transcript(name: str, length: int) -> list[Row]:
    """The first `length` messages of a conversation; the same for the same name, always."""
    source = random.Random(f"{SEED} {name}")  # noqa: S311 - the same in every run
    return [_WRITERS[name](source, index) for index in range(length)]


def turn() -> list[Row]:
    """The two messages a turn adds."""
    source = random.Random(f"{SEED} turn")  # noqa: S311
    return [_human(text(source, 80)), _ai(source, text(source, 300))]
