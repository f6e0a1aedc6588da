"""What every test stands on: one core, seeds, drawing without a screen, and the real data where it lies."""

import os
import signal
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

import cv2
import pytest
from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background so, and programs that the tests start and interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
cv2.setNumThreads(1)
settings.register_profile("joyai", derandomize=True, deadline=None, database=None)
settings.load_profile("joyai")

DATA = Path(os.environ.get("JOYAI_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real recordings; tests that need it skip where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"no real recordings in {DATA}; name their folder with JOYAI_DATA")
    return DATA


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory) -> Path:
    """A small random Qwen3-VL with the real file layout; tests that change it copy it."""
    pytest.importorskip("torch", reason="the small model is made with torch")
    from benchmarks.small_model import write_small_model

    return write_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="session")
def edit_folder(tmp_path_factory):
    pytest.importorskip("diffusers", reason="the small pipeline is saved by diffusers")
    from benchmarks.small_pipeline import write_small_pipeline

    return write_small_pipeline(tmp_path_factory.mktemp("pipelines") / "edit")


@pytest.fixture(scope="session")
def plus_folder(tmp_path_factory):
    pytest.importorskip("diffusers", reason="the small pipeline is saved by diffusers")
    from benchmarks.small_pipeline import write_small_pipeline

    return write_small_pipeline(tmp_path_factory.mktemp("pipelines") / "plus", plus=True)


def pytest_terminal_summary(terminalreporter):
    """Say once for each reason how many tests were skipped for it."""
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
