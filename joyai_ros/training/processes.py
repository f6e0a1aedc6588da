"""The processes that train together, by accelerate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import PartialState


def process_state() -> Any:
    """Return accelerate's state: of one process, or of those that were launched; without accelerators they talk by gloo."""
    is_launched = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return PartialState(cpu=is_launched and not torch.cuda.is_available())


@contextmanager
def leaving_processes() -> Iterator[None]:
    """Leave the other processes at the end: what still listens to them when the interpreter ends can abort it."""
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
