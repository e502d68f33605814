"""What the log must hold, compared with what it holds.

Strategy: pure. It is given the texts of each session and what became of each append, and names
every batch that is not where it should be. A batch that raised and was given up may be anywhere
after it was sent, since the network can deliver it late; an acknowledged one is in its order.
Of a bounded session it asks for what its end must hold: of each writer all that it appended since
the oldest batch of it that is left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.soak.plan import Batch, Label

Kind = Literal["lost", "doubled", "torn", "out of order", "strange"]
KINDS: tuple[Kind, ...] = ("lost", "doubled", "torn", "out of order", "strange")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a writer was told about a batch."""

    batch: Batch
    is_acknowledged: bool
    raised: int = 0
    """How many times the append raised."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One batch, or one message of none, that is not as promised."""

    kind: Kind
    session: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} in {self.session}"


Places = Mapping[tuple[int, int], Sequence[tuple[int, Label]]]
"""Where the messages of each batch are, by writer and number."""


def violations(
    logs: Mapping[str, Sequence[str]],
    outcomes: Iterable[Outcome],
    bounds: Mapping[str, int] | None = None,
) -> list[Violation]:
    """Everything that is wrong with `logs`, the texts of each session in order.

    `bounds` says of some sessions how many messages they may hold.
    """
    expected: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        expected[outcome.batch.session].append(outcome)
    found: list[Violation] = []
    for session in sorted({*logs, *expected}):
        texts, of_session = logs.get(session, ()), expected[session]
        if bounds and len(texts) == bounds.get(session):
            texts, of_session = _left(texts, of_session)
        elif bounds and len(texts) > bounds.get(session, len(texts)):
            found.append(Violation("strange", session, f"{len(texts)} messages, over its bound"))
        found += _session(session, texts, of_session)
    return found


def _left(texts: Sequence[str], outcomes: Sequence[Outcome]) -> tuple[Sequence[str], list[Outcome]]:
    """A log without the half of a batch at its front, and the outcomes that it should show."""
    labels = [Label.of(text) for text in texts]
    cut = next((at for at, label in enumerate(labels) if label is None or label.part == 1), 0)
    there = {(label.writer, label.number) for label in labels[cut:] if label is not None}
    oldest: dict[int, int] = {}
    for outcome in outcomes:
        batch = outcome.batch
        if outcome.is_acknowledged and (batch.writer, batch.number) in there:
            oldest[batch.writer] = min(batch.number, oldest.get(batch.writer, batch.number))
    return texts[cut:], [
        outcome
        for outcome in outcomes
        if not outcome.is_acknowledged
        or outcome.batch.number >= oldest.get(outcome.batch.writer, outcome.batch.number + 1)
    ]


def _session(
    session: str, texts: Sequence[str], outcomes: Sequence[Outcome]
) -> Iterator[Violation]:
    sizes = {(each.batch.writer, each.batch.number): each.batch.size for each in outcomes}
    places: dict[tuple[int, int], list[tuple[int, Label]]] = defaultdict(list)
    for position, text in enumerate(texts):
        label = Label.of(text)
        name = None if label is None else (label.writer, label.number)
        if label is None or name is None or sizes.get(name) != label.size:
            yield Violation("strange", session, f"{text!r} at {position}")
        else:
            places[name].append((position, label))
    for outcome in outcomes:
        yield from _batch(session, outcome, places)
    yield from _order(session, outcomes, places)


def _batch(session: str, outcome: Outcome, places: Places) -> Iterator[Violation]:
    batch = outcome.batch
    found = places.get((batch.writer, batch.number), ())
    parts = [label.part for _, label in found]
    what = f"batch {batch.number} of writer {batch.writer} ({batch.size} messages)"
    if found:
        parts_at = ", ".join(f"{label.part}: {position}" for position, label in found)
        what += f" at {parts_at}"
    missing = set(range(1, batch.size + 1)) - set(parts)
    if missing and outcome.is_acknowledged:
        yield Violation("lost", session, f"{len(missing)} of {what}")
    elif found and not _is_whole(found, batch.size):
        yield Violation("torn", session, what)
    if len(parts) > len(set(parts)):
        yield Violation("doubled", session, what)


def _is_whole(found: Sequence[tuple[int, Label]], size: int) -> bool:
    """Whether the batch is there in one piece, be it among other copies of its messages."""
    at = {(position, label.part) for position, label in found}
    return any(
        all((position + part, 1 + part) in at for part in range(size)) for position, _ in found
    )


def _order(session: str, outcomes: Sequence[Outcome], places: Places) -> Iterator[Violation]:
    """Acknowledged batches that begin before an earlier one of the same writer does."""
    begins: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for outcome in outcomes:
        name = (outcome.batch.writer, outcome.batch.number)
        if outcome.is_acknowledged and name in places:
            begins[outcome.batch.writer].append((places[name][0][0], outcome.batch.number))
    for writer, batches in begins.items():
        newest = -1
        for position, number in sorted(batches):
            if number < newest:
                what = f"batch {number} of writer {writer} at {position}, behind batch {newest}"
                yield Violation("out of order", session, what)
            newest = max(newest, number)
