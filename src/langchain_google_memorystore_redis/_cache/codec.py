"""Encoding of a model's answers to bytes.

Strategy: messages are elements of a session, the rest is JSON around them. Answers are decoded and
compared before they are stored, since a cache must return what the model did; nothing that is
stored is ever run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    Generation,
    GenerationChunk,
)

from langchain_google_memorystore_redis._codec.decode import UndecodableError, decode
from langchain_google_memorystore_redis._codec.encode import encode
from langchain_google_memorystore_redis._codec.plain import PlainForm, Policy, RefusedError

_CLASSES: dict[str, type[Generation]] = {
    cls.__name__: cls for cls in (Generation, GenerationChunk, ChatGeneration, ChatGenerationChunk)
}


class _Answer(msgspec.Struct, omit_defaults=True):
    """Stored form of a generation: a message, or a text alone."""

    kind: str
    message: msgspec.Raw = msgspec.Raw()
    text: str | None = None
    info: dict[str, Any] | None = None


class NotCacheableError(ValueError):
    """Answers that would not come back equal; the text gives the reason."""


class DamagedError(ValueError):
    """Content that this package did not write."""


_write = msgspec.json.Encoder().encode
_parse = msgspec.json.Decoder(list[_Answer]).decode


def encode_answers(answers: Sequence[Generation]) -> bytes:
    """Encode generations; raises `NotCacheableError` if they would not come back equal."""
    try:
        content = _write([_encode_answer(each) for each in answers])
        is_same = decode_answers(content) == list(answers)
    except RefusedError as error:
        raise NotCacheableError(f"{error.path}: {error.problem}") from error
    except Exception as error:
        # The values of a message may be of any class, whose own methods raise anything.
        raise NotCacheableError(f"{error or type(error).__name__}") from error
    if not is_same:
        raise NotCacheableError("the model's answer would not come back equal")
    return content


def _encode_answer(answer: Generation) -> _Answer:
    kind = type(answer).__name__
    if _CLASSES.get(kind) is not type(answer):
        raise NotCacheableError(f"{kind} is not one of LangChain's own generation classes")
    info = PlainForm("generation_info", Policy.REFUSE).convert(answer.generation_info)
    if isinstance(answer, ChatGeneration):
        return _Answer(kind, message=msgspec.Raw(encode(answer.message, 0, b"}")), info=info)
    return _Answer(kind, text=answer.text, info=info)


def decode_answers(content: bytes) -> list[Generation]:
    """Decode generations; raises `DamagedError` for other content, and nothing else."""
    try:
        return [_decode_answer(each) for each in _parse(content)]
    except (ValueError, LookupError, TypeError, UndecodableError) as error:
        raise DamagedError(f"{error}") from error


def _decode_answer(answer: _Answer) -> Generation:
    cls = _CLASSES[answer.kind]
    if issubclass(cls, ChatGeneration):
        message = decode(bytes(answer.message))[0]
        return cls(message=message, generation_info=answer.info)
    return cls(text=answer.text, generation_info=answer.info)  # type: ignore[arg-type]
