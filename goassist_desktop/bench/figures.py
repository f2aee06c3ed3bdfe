"""What a benchmark measured, and whether it keeps what is promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goassist_desktop.report import percentile

STATISTICS = ("p50", "p95", "max", "min")
"""What can be said of a figure, and what a limit can be set on. A "min" is a floor."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity. Raises ValueError for a limit on anything but STATISTICS."""

    name: str
    """As it is read: "response gap"."""
    unit: str
    """"ms", "%", "MB", "1/h"; empty for a count or a ratio."""
    values: tuple[float, ...]
    """One per trial; a single one for a count or a rate; none when there was nothing to measure."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Statistic -> what is promised: the most it may be, or with "min" the least."""

    def __post_init__(self) -> None:
        for statistic in self.limits:
            if statistic not in STATISTICS:
                raise ValueError(f"{self.name}: limit on {statistic!r}, not one of {STATISTICS}")

    def statistic(self, name: str) -> float | None:
        """One of STATISTICS, by nearest rank, so a value that occurred; None without values."""
        match name:
            case "p50":
                return percentile(self.values, 50)
            case "p95":
                return percentile(self.values, 95)
            case "max":
                return max(self.values, default=None)
            case "min":
                return min(self.values, default=None)
        raise ValueError(f"{name!r} is not one of {STATISTICS}")

    @property
    def median(self) -> float | None:
        return self.statistic("p50")

    def keeps(self, statistic: str) -> bool:
        """Whether the limit on a statistic holds. What was never measured keeps no promise."""
        limit, value = self.limits[statistic], self.statistic(statistic)
        if value is None:
            return False
        return value >= limit if statistic == "min" else value <= limit

    @property
    def missed(self) -> tuple[str, ...]:
        """The statistics whose limits do not hold."""
        return tuple(statistic for statistic in self.limits if not self.keeps(statistic))


def limits_held(figures: Sequence[Figure]) -> tuple[int, int]:
    """How many limits hold, and how many there are."""
    promised = sum(len(figure.limits) for figure in figures)
    return promised - sum(len(figure.missed) for figure in figures), promised
