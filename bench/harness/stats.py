"""Medians with spread, percentiles, and the table."""

import math
import statistics
from dataclasses import dataclass


def percentile(values, share):
    """The smallest value that `share` (0..1) of the values do not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


@dataclass(frozen=True)
class Figure:
    """What a number is: its name in the table, its unit, and how it is rounded."""

    name: str
    unit: str = ""
    digits: int = 1

    def show(self, values):
        """The median and, if there is more than one value, the smallest and the largest."""
        text = self._round(statistics.median(values))
        if len(values) > 1:
            text += f" [{self._round(min(values))}–{self._round(max(values))}]"
        return f"{text} {self.unit}".rstrip()

    def _round(self, value):
        return f"{value:,.{self.digits}f}"


CPU = Figure("CPU-s per 1,000 runs", digits=2)
RATE = Figure("runs/s")
#: What the disk was like at that very time, which a shared machine's is not twice.
SYNC = Figure("sync", "ms", 2)

HEADS = ["row", "system", "isolation", "durability", CPU.name, RATE.name, "other figures"]


def table(lines):
    """Markdown, with columns as wide as they need to be."""
    rows = [HEADS, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]])


def line(row, case, results):
    """One line of the table from the repetitions of one case: dicts of figures, or reasons why not."""
    figures = {}
    for result in results:
        if isinstance(result, dict):
            for figure, value in result.items():
                if value is not None:
                    figures.setdefault(figure, []).append(value)
    told = [f"{figure.name} {figure.show(values)}" for figure, values in figures.items() if figure not in (CPU, RATE)]
    # In the order in which they were met, each once.
    told += dict.fromkeys(f"MISSING: {result}" for result in results if isinstance(result, str))
    shown = [figure.show(figures[figure]) if figure in figures else "" for figure in (CPU, RATE)]
    return [row, case.system, case.isolation, case.durability, *shown, "; ".join(told)]
