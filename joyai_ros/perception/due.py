"""What happens at a rate along a stream."""

from __future__ import annotations


class Due:
    """Says when something is due: at the first frame, and at the first one in each further period of stamp time.

    Args:
        rate: times per second; 0 or less: never.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._start: int | None = None
        self._period = -1

    def is_due(self, stamp: int) -> bool:
        """Return whether it is due at a frame with this stamp (nanoseconds), once in a period."""
        if self.rate <= 0:
            return False
        if self._start is None or stamp < self._start:
            self._start, self._period = stamp, -1
        period = int((stamp - self._start) * self.rate / 1e9 + 1e-6)
        due = period > self._period
        self._period = max(period, self._period)
        return due
