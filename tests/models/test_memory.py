"""How much memory there is: of the machine, or of the container that holds this process."""

import math

import pytest

pytest.importorskip("torch", reason="memory is asked for by torch's devices")

import torch

from joyai_ros.models import memory
from joyai_ros.models.memory import free_memory

CPU = torch.device("cpu")


def test_the_machine_says_what_it_has():
    assert 0.01 < free_memory(CPU) < 1e5
    assert free_memory(torch.device("meta")) == math.inf


def test_a_container_has_what_its_limit_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    monkeypatch.setattr(memory, "_PROC", tmp_path / "meminfo")
    assert free_memory(CPU) == math.inf, "nothing says it"
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4000000 kB\n")
    assert free_memory(CPU) == pytest.approx(4.096)
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("2500000000\n")
    (tmp_path / "memory.stat").write_text("anon 1500000000\nfile 1000000000\n")
    assert free_memory(CPU) == pytest.approx(1.5)
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(CPU) == pytest.approx(4.096)
