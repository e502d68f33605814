"""Who appends what: decided from a seed before anything is sent.

Strategy: a plan is values only, so both patterns carry out the very same one. Every message says
in its text which writer, which batch and which part of it it is: that is all the verifier needs.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

SHARED = "shared"
"""The session that half of all batches go to, whoever writes them."""
BOUNDED = "bounded"
"""The session that an eighth of them go to; it may hold `BOUND` messages."""
# Several times what is appended while a late command is under way: one that comes when the copy
# stored before is cut off already is stored once more, since nothing of it is left to be found.
BOUND = 300
_MOST_MESSAGES = 5
_GIVEN_UP = 0.2


class Label(NamedTuple):
    """The text of a message: `part` (1 to `size`) of a writer's batch."""

    writer: int
    number: int
    part: int
    size: int

    def __str__(self) -> str:
        return f"w{self.writer}.{self.number}.{self.part}/{self.size}"

    @classmethod
    def of(cls, text: str) -> Label | None:
        """The label that a text is, if it is one."""
        found = re.fullmatch(r"w(\d+)\.(\d+)\.(\d+)/(\d+)", text)
        return cls(*map(int, found.groups())) if found else None


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages that one writer appends together."""

    writer: int
    number: int
    size: int
    session: str
    is_given_up: bool
    """Whether the writer leaves it at that if the append raises, or else repeats it."""

    def messages(self) -> list[BaseMessage]:
        """New message objects: to repeat an append, keep them."""
        texts = [
            str(Label(self.writer, self.number, part + 1, self.size)) for part in range(self.size)
        ]
        return [(AIMessage if i % 2 else HumanMessage)(text) for i, text in enumerate(texts)]


@dataclass(frozen=True, slots=True)
class Writer:
    """A thread or task, and its batches in order."""

    number: int
    batches: tuple[Batch, ...]

    @property
    def keeps_histories(self) -> bool:
        """Whether it keeps a history object a session, or makes one an append as LangChain does."""
        return self.number % 2 == 1

    @property
    def client_retries(self) -> bool:
        """Whether its client has redis-py's default retries, or none, so that its appends raise."""
        return self.number % 3 != 2

    @property
    def waits_for_a_replica(self) -> bool:
        """Whether each append waits for a replica, where there are any."""
        return self.number % 4 in (1, 2)


def make(seed: int, appends: int, writers: int) -> tuple[Writer, ...]:
    """As many batches as `appends`, dealt out to writers; a third of these have no retries."""
    chance = random.Random(f"{seed} plan")
    own = [f"session-{number}" for number in range(max(2, writers // 2))]
    dealt: list[list[Batch]] = [[] for _ in range(writers)]
    for count in range(appends):
        writer = count % writers
        somewhere = [SHARED, BOUNDED, chance.choice(own)]
        dealt[writer].append(
            Batch(
                writer=writer,
                number=len(dealt[writer]),
                size=chance.randint(1, _MOST_MESSAGES),
                session=chance.choices(somewhere, weights=[4, 1, 3])[0],
                is_given_up=chance.random() < _GIVEN_UP,
            )
        )
    return tuple(Writer(number, tuple(batches)) for number, batches in enumerate(dealt))
