"""Medians, their spread, and ratios.

Strategy: pure. Two candidates are compared by the median of the ratios of their rounds, since a
round of both runs within the same second and what slows the machine slows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Spread:
    """Five-number summary of figures."""

    count: int
    minimum: float
    first_quartile: float
    median: float
    third_quartile: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of one value or more."""
        if len(values) == 1:
            first = middle = third = float(values[0])
        else:
            first, middle, third = quantiles(values, n=4, method="inclusive")
        return cls(len(values), min(values), first, middle, third, max(values))

    def as_dict(self) -> dict[str, float]:
        """Return a dict for JSON."""
        return asdict(self)


def round_medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Return the median of each round."""
    return [median(times) for times in rounds]


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Return the spread of the ratios round by round."""
    pairs = zip(numerators, denominators, strict=True)
    return Spread.of([numerator / denominator for numerator, denominator in pairs])
