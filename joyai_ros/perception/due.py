"""What happens at a rate along a stream."""

from __future__ import annotations

_EARLY = 5_000_000  # nanoseconds: stamps jitter, and one that is a little early still belongs to the next period


class Due:
    """Says when something is due: at the first stamp in each period.

    Args:
        rate: times per second; 0: never.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._start = self._last = 0
        self._period: int | None = None

    def is_due(self, stamp: int) -> bool:
        """Return whether it is due at this stamp (nanoseconds), once in a period; stamps that jump back start anew."""
        if self.rate <= 0:
            return False
        if self._period is None or stamp < self._last:
            self._start, self._period = stamp, -1
        self._last = stamp
        period = int((stamp - self._start + _EARLY) * self.rate / 1e9)
        if period <= self._period:
            return False
        self._period = period
        return True
