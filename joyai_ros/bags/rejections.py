"""What was refused within a stream, counted by reason."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Rejection:
    """One reason, how often it came, and the first case in full."""

    reason: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.count} x {self.reason} (first: {self.first})" if self.first else f"{self.count} x {self.reason}"


class Rejections:
    """Counts refused items by reason; may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_reason: dict[str, Rejection] = {}

    def add(self, reason: str, detail: object = "", count: int = 1) -> None:
        """Count one more item for a reason in a few fixed words; ``detail`` says what was wrong with this one."""
        with self._lock:
            known = self._by_reason.setdefault(reason, Rejection(reason, 0, " ".join(str(detail).split())))
            known.count += count

    def all(self) -> list[Rejection]:
        """Return all reasons, the most frequent first."""
        with self._lock:
            return sorted(self._by_reason.values(), key=lambda r: (-r.count, r.reason))
