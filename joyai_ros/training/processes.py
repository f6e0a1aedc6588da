"""The processes that train together, by accelerate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from accelerate import PartialState

# The first process makes what all read, such as latents of every image, while the others wait. Gloo would wait half an hour.
_LONGEST_WAIT = timedelta(days=2)


def process_state() -> Any:
    """Return accelerate's state: of one process, or of those that were launched; without accelerators they talk by gloo."""
    is_launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return PartialState(cpu=is_launched and not torch.cuda.is_available(), timeout=_LONGEST_WAIT)


def is_sharded() -> bool:
    """Return whether FSDP will give each process a part of the weights, as accelerate's launcher says."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


@contextmanager
def leaving_processes() -> Iterator[None]:
    """Leave the other processes at the end: what still listens to them when the interpreter ends can abort it."""
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
