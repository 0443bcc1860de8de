"""Figures beside the limits asked of them."""

from __future__ import annotations

import math
import statistics
import sys


class Verdicts:
    """Prints each figure as it comes; remembers whether one missed its limit."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_least(self, what: str, figure: float, limit: float, unit: str = "") -> None:
        self._judge(what, figure, limit, unit, figure >= limit, "at least")

    def at_most(self, what: str, figure: float, limit: float, unit: str = "") -> None:
        self._judge(what, figure, limit, unit, figure <= limit, "at most")

    def _judge(self, what: str, figure: float, limit: float, unit: str, is_met: bool, relation: str) -> None:
        word = "ok" if is_met else "MISSED"
        print(f"{word:6}  {what}: {number(figure)}{unit} (asked: {relation} {number(limit)}{unit})", flush=True)
        if not is_met:
            self.missed.append(what)

    def shown(self, what: str, figure: str) -> None:
        """A figure of which nothing is asked."""
        print(f"        {what}: {figure}", flush=True)


def number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def median(values: list[float]) -> float:
    return statistics.median(values)


def spread(values: list[float], unit: str = "") -> str:
    """The median with the least and the most."""
    text = f"{number(median(values))}{unit}"
    return text if len(values) < 2 else f"{text} ({number(min(values))} to {number(max(values))})"


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
