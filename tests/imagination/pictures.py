"""Pictures for models that have never seen one."""

import numpy as np


def blocks(seed, height=64, width=64):
    """An image of coloured blocks."""
    grid = np.random.default_rng(seed).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return grid.repeat(16, 0).repeat(16, 1)
