"""Operations on the answers of models.

Strategy: those of `operations.py`, with answers encoded and decoded around them. An answer that
cannot be stored, or read, is one that the model has to give again.
"""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.outputs import Generation

from langchain_google_memorystore_redis._cache.codec import (
    DamagedError,
    NotCacheableError,
    decode_answers,
    encode_answers,
)
from langchain_google_memorystore_redis._cache.operations import CacheOps
from langchain_google_memorystore_redis._redis.op import Flow


class AnswerOps(CacheOps):
    """Operations on one cache of answers."""

    def find(self, prompt: str, llm_string: str) -> Flow[list[Generation] | None]:
        """Return an answer; None if it is missing."""
        (content,) = yield from self.lookup([self.keys.of_entry((prompt, llm_string))])
        if content is None:
            return None
        try:
            return decode_answers(content)
        except DamagedError:
            return None

    def store(self, prompt: str, llm_string: str, answers: Sequence[Generation]) -> Flow[None]:
        """Write an answer, if it can be stored."""
        try:
            content = encode_answers(answers)
        except NotCacheableError as error:
            self.outages.report(str(error))
            return
        yield from self.update([(self.keys.of_entry((prompt, llm_string)), content, 0)])
