"""Figures as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from goassist_desktop.bench.figures import Figure, limits_held

_SIGN = {"min": "≥"}


def table(
    title: str, figures: Sequence[Figure], ratios: Mapping[str, float] | None = None
) -> Table:
    """A row for each figure; `ratios` (of medians, against an earlier run) add a column."""
    rows = Table(title=title, title_justify="left")
    rows.add_column("figure")
    for column in ("n", "p50", "p95", "max"):
        rows.add_column(column, justify="right")
    rows.add_column("unit")
    rows.add_column("limit")
    if ratios is not None:
        rows.add_column("ratio", justify="right")
    for figure in figures:
        cells: list[str | Text] = [figure.name, str(len(figure.values)), *_statistics(figure)]
        cells += [figure.unit, _limits(figure)]
        if ratios is not None:
            cells.append(f"{ratios[figure.name]:.2f}" if figure.name in ratios else "")
        rows.add_row(*cells)
    return rows


def verdict(figures: Sequence[Figure]) -> str:
    """The last line: how many limits hold, and where not."""
    held, promised = limits_held(figures)
    if not promised:
        return "no limit is promised here"
    missed = [f"{figure.name} {statistic}" for figure in figures for statistic in figure.missed]
    return f"{held} of {promised} limits hold" + (f"; missed: {', '.join(missed)}" * bool(missed))


def _statistics(figure: Figure) -> list[str]:
    if len(figure.values) == 1:  # a count or a rate has no distribution
        return [_number(figure.values[0], figure.unit), "", ""]
    return [_number(figure.statistic(name), figure.unit) for name in ("p50", "p95", "max")]


def _limits(figure: Figure) -> Text:
    """Each limit with its statistic, and what misses it marked by more than its colour."""
    text = Text()
    for statistic, limit in figure.limits.items():
        name = "" if len(figure.values) == 1 or statistic == "min" else f"{statistic} "
        kept = figure.keeps(statistic)
        said = f"{name}{_SIGN.get(statistic, '≤')} {limit:g} {'✓' if kept else '✗ MISSED'}"
        text.append(", " * bool(text))
        text.append(said, "green" if kept else "bold red")
    return text


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "ms" or float(value).is_integer() or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"
