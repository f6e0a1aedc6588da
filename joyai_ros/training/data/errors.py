"""What can be wrong with a store."""

from __future__ import annotations

from joyai_ros.errors import InputError


class StoreError(InputError):
    """A store or one of its shards is missing, cut short, damaged, or of another kind."""
