"""Transcripts that are stored, made from a seed: the same in every run.

Strategy: messages are plain dicts, as LangChain's `message_to_dict` makes them, because each
candidate reads them in its own environment. Words follow Zipf's law and tool results are JSON
records, so that compression finds as much as it would in real text.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

SEED = 20261124
TRANSCRIPTS = {
    "chat": 1_000,
    "agent": 1_000,
    "mixed": 3_000,
    "multilingual": 1_000,
    "1 KB": 500,
    "20 KB": 100,
}
"""Messages of each transcript, by its name; longer sessions repeat them."""

Message: TypeAlias = dict[str, Any]
_Writer: TypeAlias = Callable[[random.Random, int], Message]
"""Function that writes the message at an index."""

_WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split("\n\n")
_ENGLISH, *_OTHER_LANGUAGES = (paragraph.split() for paragraph in _WORDS)
_UNSPACED = (2, 3)
"""Indices of Chinese and Japanese, which put no spaces between words."""
_EMOJI = ("🦜", "🙏", "✅", "☀️")


def text(rng: random.Random, length: int) -> str:
    """Return English sentences of about `length` characters."""
    weights = [1 / rank for rank in range(1, len(_ENGLISH) + 1)]
    return _sentences(lambda: rng.choices(_ENGLISH, weights, k=rng.randint(5, 16)), length)


def _text_in(language: int, rng: random.Random, length: int) -> str:
    """Return sentences of another language, whose few words are all equally frequent."""
    words = [*_OTHER_LANGUAGES[language], *_EMOJI]
    space = "" if language in _UNSPACED else " "
    return _sentences(lambda: rng.choices(words, k=rng.randint(5, 16)), length, space)


def _sentences(words: Callable[[], list[str]], length: int, space: str = " ") -> str:
    written = ""
    while len(written) < length:
        sentence = space.join(words())
        written += f"{sentence[0].upper()}{sentence[1:]}. "
    return written[:length].strip()


def _records(rng: random.Random, length: int) -> str:
    """Return the JSON of about `length` characters that a search tool would."""
    records: list[Message] = []
    while len(json.dumps(records)) < length:
        name = "-".join(rng.choices(_ENGLISH, k=4))
        records.append(
            {
                "id": f"{rng.getrandbits(64):016x}",
                "title": text(rng, 40),
                "url": f"https://example.com/{name}",
                "snippet": text(rng, rng.randint(120, 240)),
                "score": round(rng.random(), 4),
            }
        )
    return json.dumps(records)[:length]


def _human(content: str) -> Message:
    return {"type": "human", "data": {"type": "human", "content": content}}


def _ai(rng: random.Random, content: str, **fields: Any) -> Message:
    """Return an answer with the id, token counts and metadata that chat models give it."""
    read, written = rng.randint(200, 4000), max(1, len(content) // 4)
    data = {
        "type": "ai",
        "content": content,
        "id": f"run-{rng.getrandbits(128):032x}",
        "usage_metadata": {
            "input_tokens": read,
            "output_tokens": written,
            "total_tokens": read + written,
        },
        "response_metadata": {"model_name": "example-large-2", "finish_reason": "stop"},
        **fields,
    }
    return {"type": "ai", "data": data}


def _chat(rng: random.Random, index: int) -> Message:
    if index % 2 == 0:
        return _human(text(rng, rng.randint(20, 160)))
    return _ai(rng, text(rng, rng.randint(60, 480)))


def _agent(rng: random.Random, index: int) -> Message:
    """Write a question, two rounds of tool call and result, and an answer."""
    position = index % 6
    if position == 0:
        return _human(text(rng, rng.randint(40, 200)))
    if position in (1, 3):
        call = {
            "name": "search_documents",
            "args": {"query": text(rng, 40), "limit": 5, "filters": {"language": "en"}},
            "id": f"call-{index + 1}",
            "type": "tool_call",
        }
        return _ai(rng, "", tool_calls=[call])
    if position in (2, 4):
        data = {
            "type": "tool",
            "content": _records(rng, rng.randint(200, 900)),
            "name": "search_documents",
            "tool_call_id": f"call-{index}",
        }
        return {"type": "tool", "data": data}
    return _ai(rng, text(rng, rng.randint(200, 700)))


def _mixed(rng: random.Random, index: int) -> Message:
    """Write a dozen messages of chat and a dozen of an agent, in turn."""
    return (_chat if index // 12 % 2 == 0 else _agent)(rng, index % 12)


def _multilingual(rng: random.Random, index: int) -> Message:
    language = index // 2 % len(_OTHER_LANGUAGES)
    if index % 2 == 0:
        return _human(_text_in(language, rng, rng.randint(20, 160)))
    return _ai(rng, _text_in(language, rng, rng.randint(60, 480)))


def _of_size(length: int) -> _Writer:
    def write(rng: random.Random, index: int) -> Message:
        if index % 2 == 0:
            data = {"type": "tool", "content": _records(rng, length), "tool_call_id": "call-1"}
            return {"type": "tool", "data": data}
        return _ai(rng, text(rng, length))

    return write


_WRITERS: dict[str, _Writer] = {
    "chat": _chat,
    "agent": _agent,
    "mixed": _mixed,
    "multilingual": _multilingual,
    "1 KB": _of_size(1_000),
    "20 KB": _of_size(20_000),
}


def make_transcript(name: str, length: int | None = None) -> list[Message]:
    """Return the first messages of a transcript, by default all; always the same for a name."""
    rng = random.Random(f"{SEED} {name}")  # noqa: S311 - the same in every run
    return [_WRITERS[name](rng, index) for index in range(length or TRANSCRIPTS[name])]


def make_turn() -> list[Message]:
    """Return the two messages that a turn adds."""
    rng = random.Random(f"{SEED} turn")  # noqa: S311
    return [_human(text(rng, 80)), _ai(rng, text(rng, 300))]
