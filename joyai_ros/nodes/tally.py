"""What a node counts and times, for its diagnostics."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping

import numpy as np

_WINDOW = 200  # latest values that medians are taken of


class Tally:
    """Counts by name, and durations by name; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._values: dict[str, deque[float]] = {}
        self._moments: dict[str, float] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        if count:
            with self._lock:
                self._counts[name] += count

    def time(self, name: str, seconds: float) -> None:
        """Note how long something took."""
        with self._lock:
            self._values.setdefault(name, deque(maxlen=_WINDOW)).append(seconds)

    def touch(self, name: str, moment: float) -> None:
        """Note when something happened last, in seconds of a steady clock."""
        with self._lock:
            self._moments[name] = moment

    def age(self, name: str, now: float) -> float | None:
        """Return the seconds since something happened last; None if it never did."""
        with self._lock:
            return now - self._moments[name] if name in self._moments else None

    def counts(self) -> Mapping[str, int]:
        """Return all counts since the start."""
        with self._lock:
            return dict(self._counts)

    def since_last(self) -> Mapping[str, int]:
        """Return the counts since the last call of this."""
        with self._lock:
            new = {name: count - self._before[name] for name, count in self._counts.items()}
            self._before = Counter(self._counts)
        return new

    def quantiles(self, name: str) -> tuple[float, float] | None:
        """Return median and maximum of the latest durations of a name in seconds; None without any."""
        with self._lock:
            values = list(self._values.get(name, ()))
        return (float(np.median(values)), max(values)) if values else None

    def clear(self) -> None:
        """Forget when things happened and how long they took; counts go on."""
        with self._lock:
            self._values.clear()
            self._moments.clear()
