"""From times to medians with their spread, and to ratios.

Strategy: pure. A round of a contestant is summed up by its median; two contestants are compared
round by round, since both ran within the same second, and the median of those ratios is the
figure. What slows the machine for a while moves both sides of a ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Spread:
    """Five figures of many."""

    count: int
    minimum: float
    first_quartile: float
    median: float
    third_quartile: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of one value or more."""
        if len(values) == 1:
            first = middle = third = float(values[0])
        else:
            first, middle, third = quantiles(values, n=4, method="inclusive")
        return cls(len(values), min(values), first, middle, third, max(values))

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def round_medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """One figure a round."""
    return [median(times) for times in rounds]


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """The spread of the ratios round by round."""
    pairs = zip(numerators, denominators, strict=True)
    return Spread.of([above / below for above, below in pairs])
