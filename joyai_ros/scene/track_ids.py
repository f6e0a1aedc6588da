"""Ids that last: what a detector's ids are worth, and what is published."""

from __future__ import annotations

from collections.abc import Collection

_LEAST = 10.0  # confirmations before a detector's ids are believed
_SHARE = 0.95  # of the comparisons that must confirm them
_MEMORY = 0.98  # by which older comparisons fade with each frame


class IdBook:
    """Issues ids, and learns whether the detections' own ids name the same object from frame to frame."""

    def __init__(self) -> None:
        self._issued: set[str] = set()
        self._clusters = 0
        self._same = 0.0
        self._compared = 0.0

    @property
    def trusted(self) -> bool:
        """Whether the detections' ids have proved to stay with their objects."""
        return self._same >= _LEAST and self._same >= _SHARE * self._compared

    def compare(self, pairs: Collection[tuple[str, str]]) -> None:
        """Learn from objects matched by place alone: the id that each had before, and the one that it has now."""
        self._same = self._same * _MEMORY + sum(before == now for before, now in pairs)
        self._compared = self._compared * _MEMORY + len(pairs)

    def issue(self, wanted: str, live: Collection[str]) -> str:
        """Return an id for a new object that has the detection id ``wanted``, empty for a cluster.

        A detection's own id is kept where nobody had it, or where its ids are trusted and nobody has it now. Else a
        number is added. The numbers of clusters are never used twice.

        Args:
            wanted: the detection's id.
            live: the ids of all present and remembered objects.
        """
        if not wanted:
            found = self._next_cluster(live)
        elif wanted not in live and (wanted not in self._issued or self.trusted):
            found = wanted
        else:
            number = 2
            while f"{wanted}_{number}" in self._issued or f"{wanted}_{number}" in live:
                number += 1
            found = f"{wanted}_{number}"
        self._issued.add(found)
        return found

    def _next_cluster(self, live: Collection[str]) -> str:
        while True:
            name = f"cluster_{self._clusters}"
            self._clusters += 1
            if name not in self._issued and name not in live:
                return name
