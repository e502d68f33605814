"""File formats of exported sessions, and documents of langchain-redis.

Strategy: a line of JSONL contains the element's own bytes, so that an import restores them exactly
and other tools can still parse the line; an element that is not a message is written in base64.
Other formats are converted to the same elements each time, entry ids included, so that a repeated
import recognises what it has already stored.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from langchain_core.messages import (
    BaseMessage,
    convert_to_messages,
    convert_to_openai_messages,
    messages_from_dict,
)

from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from langchain_google_memorystore_redis._codec.encode import element_tail, encode
from langchain_google_memorystore_redis._codec.shapes import YEAR_10000_MS
from langchain_google_memorystore_redis.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class PlacedElement:
    """An element, its session, and its index there."""

    session_id: str
    index: int
    element: bytes


def to_jsonl(placed: PlacedElement) -> bytes:
    """Return an element as a line of JSONL, without the newline."""
    head = _line_head(placed.session_id, placed.index)
    if _is_one_line_message(placed.element):
        return head + b'"element": ' + placed.element + b"}"
    return head + b'"base64": "' + b64encode(placed.element) + b'"}'


def _from_jsonl(line: bytes, number: int) -> Iterator[PlacedElement]:
    """Yield the element of line `number`. Raises `InvalidArgumentError`."""
    fields = _parse(line, number)
    session_id, index = fields.get("session_id"), fields.get("index")
    if not isinstance(session_id, str) or type(index) is not int or index < 0:
        raise _line_error(number, 'has no "session_id" and "index"; is it in another format?')
    if isinstance(fields.get("base64"), str):
        try:
            yield PlacedElement(session_id, index, b64decode(fields["base64"], validate=True))
        except ValueError as error:
            raise _line_error(number, f'has invalid "base64" ({error})') from error
        return
    if not isinstance(fields.get("element"), dict):
        raise _line_error(number, 'has no "element"')
    head = _line_head(session_id, index) + b'"element": '
    line = line.strip()
    if line.startswith(head) and len(fields) == 3:
        element = line[len(head) : -1].strip()
    else:  # another program has rewritten the line
        element = _to_element(fields["element"])
    try:
        decode(element)
    except UndecodableError as error:
        raise _line_error(number, f'has an "element" that is not a message ({error})') from error
    yield PlacedElement(session_id, index, element)


def _to_element(fields: dict[str, Any]) -> bytes:
    """Write an element with its fields in our order: the Lua scripts expect "type" first."""
    ours = {
        name: fields[name] for name in ("type", "data", "inexact", "id", "ts") if name in fields
    }
    return json.dumps(ours | fields).encode()


def to_openai(session_id: str, messages: Sequence[BaseMessage]) -> bytes:
    """Return a session as one line: its messages in the format of OpenAI's chat completions."""
    converted = []
    for index, message in enumerate(messages):
        try:
            converted += convert_to_openai_messages([message])
        except Exception as error:
            # LangChain raises ValueError, and anything else for unexpected content.
            raise InvalidArgumentError(
                "format",
                f'"openai" cannot represent session {session_id!r}, index {index}, a '
                f'{type(message).__name__} ({error}); export it as "jsonl"',
            ) from error
    return json.dumps({"session_id": session_id, "messages": converted}).encode()


def _from_openai(line: bytes, number: int) -> Iterator[PlacedElement]:
    """Yield the elements of a session in OpenAI's format. Raises `InvalidArgumentError`."""
    fields = _parse(line, number)
    # OpenAI's own files contain no conversation id.
    session_id = fields.get("session_id", f"conversation-{number}")
    if not isinstance(session_id, str) or not isinstance(fields.get("messages"), list):
        raise _line_error(number, 'has no "messages"; is it in another format?')
    try:
        messages = convert_to_messages(fields["messages"])
    except Exception as error:
        # LangChain's constructors and validators raise anything.
        raise _line_error(number, f"holds messages that LangChain cannot read: {error}") from error
    for index, message in enumerate(messages):
        place = json.dumps([session_id, index]).encode()
        entry_id = urlsafe_b64encode(sha256(place).digest()[:9])
        # The time of writing is unknown. Without it, the entry reads like one of release 0.3.0.
        tail = element_tail(entry_id, None)
        yield PlacedElement(session_id, index, encode(message, index, tail))


def from_langchain_redis(documents: Iterable[bytes | str]) -> Iterator[PlacedElement]:
    """Convert the documents of langchain-redis to elements, ordered by session and time.

    A document is the reply of JSON.GET, with or without the path "$" (which adds brackets).
    Raises `InvalidArgumentError` for a document that is not one of its messages.
    """
    found: list[tuple[str, float, str, BaseMessage]] = []
    for number, document in enumerate(documents, 1):
        text = _to_bytes(document).strip().removeprefix(b"[").removesuffix(b"]")
        if not text:
            continue
        fields = _parse(text, number)
        try:
            (message,) = messages_from_dict([{"type": fields["type"], "data": fields["data"]}])
            order = (
                str(fields["session_id"]),
                float(fields["timestamp"]),
                str(fields["message_id"]),
            )
        except Exception as error:
            raise _line_error(
                number, f"is not a document of langchain-redis ({error!r:.80})"
            ) from error
        if not 0 <= order[1] * 1000 < YEAR_10000_MS:  # refuses NaN too
            raise _line_error(number, f'has an invalid "timestamp": {order[1]}')
        found.append((*order, message))
    found.sort(key=lambda document: document[:3])
    session: str | None = None
    index = 0
    for session_id, timestamp, message_id, message in found:
        index = index + 1 if session_id == session else 0
        session = session_id
        tail = element_tail(json.dumps(message_id)[1:-1].encode(), int(timestamp * 1000))
        yield PlacedElement(session_id, index, encode(message, index, tail))


def _line_reader(
    read_line: Callable[[bytes, int], Iterator[PlacedElement]],
) -> Callable[[Iterable[bytes | str]], Iterator[PlacedElement]]:
    def read(lines: Iterable[bytes | str]) -> Iterator[PlacedElement]:
        for number, line in enumerate(lines, 1):
            text = _to_bytes(line)
            if text.strip():
                yield from read_line(text, number)

    return read


READERS: Mapping[str, Callable[[Iterable[bytes | str]], Iterator[PlacedElement]]] = {
    "jsonl": _line_reader(_from_jsonl),
    "openai": _line_reader(_from_openai),
    "langchain-redis": from_langchain_redis,
}
"""Functions that read the lines of a file, by format. They raise `InvalidArgumentError`."""


def _line_head(session_id: str, index: int) -> bytes:
    return json.dumps({"session_id": session_id, "index": index}).encode()[:-1] + b", "


def _to_bytes(line: bytes | str) -> bytes:
    # The parser refuses a lone surrogate, with the number of the line.
    return line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line


def _is_one_line_message(element: bytes) -> bool:
    if not element.startswith(b"{") or b"\n" in element or b"\r" in element:
        return False
    try:
        json.loads(element.decode())
        decode(element)
    except (ValueError, RecursionError):  # UndecodableError is a ValueError
        return False
    return element.endswith(b"}")


def _parse(line: bytes, number: int) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)  # not msgspec: lone surrogates and NaN must come through
    except (ValueError, RecursionError) as error:
        raise _line_error(number, f"is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise _line_error(number, "is not a JSON object")
    return fields


def _line_error(number: int, problem: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"line {number}", problem)
