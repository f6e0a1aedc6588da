"""Which task a free question is, told from its words: for geometry alone, and to check a model's free answers."""

from __future__ import annotations

import re

# The first pattern that fits decides, so the special ones come first.
_PATTERNS = (
    ("count", r"\bhow many\b|\bcount\b|\bnumber of\b"),
    ("clearance", r"\b(gap|clearance|free space|room) between\b"),
    ("relative_distance", r"\b(closer|nearer|closest|nearest) to\b(?!.*\b(camera|me|you|viewer|robot)\b)"),
    ("depth_order", r"\b(closer|closest|nearer|nearest)\b.*\b(camera|me|you|viewer|robot)\b|\bin front most\b"),
    ("camera_distance", r"\b(how far|distance)\b.*\b(camera|me|you|viewer|robot|away)\b"),
    ("object_distance", r"\bhow far\b|\bdistance\b|\bhow (close|near)\b"),
    ("relative_height", r"\b(taller|tallest|shorter|higher|which .* tall)\b"),
    ("object_height", r"\bhow (tall|high)\b|\bheight\b"),
    ("relative_size", r"\b(bigger|biggest|larger|largest|smaller|smallest|longer|longest)\b"),
    ("object_size", r"\bhow (big|large|long)\b|\bsize\b|\blength\b"),
    ("direction_to_go", r"\b(turn|head|go|drive|steer)\b.*\b(reach|to|for|towards?)\b"),
    ("left_right", r"\b(left|right)\b"),
    ("front_behind", r"\bin front of\b|\bbehind\b"),
    ("above_below", r"\babove\b|\bbelow\b|\bunder(neath)?\b|\bon top of\b"),
    ("near_far", r"\bnear\b.*\bfar\b|\bfar apart\b|\bclose together\b|\bnear\b"),
    ("object_camera", r"\bo'?clock\b|\bclock direction\b"),
    ("reachability", r"\b(reach|reachable|free way|blocked|obstructed)\b"),
)  # fmt: skip


def task_of(text: str) -> str:
    """Return the name of the task that a question seems to be; ``free`` where no words tell."""
    lowered = text.lower()
    return next((name for name, pattern in _PATTERNS if re.search(pattern, lowered)), "free")
