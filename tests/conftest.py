"""What every test stands on: one core, seeds, drawing without a screen, and the real data where it lies."""

import json
import os
import shutil
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

_WEIGHTS = "diffusion_pytorch_model.safetensors"
_OTHER_BLOCKS = tuple(f"double_blocks.{at}." for at in (1, 2, 3))
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


@pytest.fixture(scope="session")
def one_block_folder(edit_folder, tmp_path_factory) -> Path:
    """The small pipeline with a network of one block, which is exported and built in a quarter of the time."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(edit_folder, tmp_path_factory.mktemp("pipelines") / "one-block")
    weights, config = (folder / "transformer" / name for name in (_WEIGHTS, "config.json"))
    save_file({name: one for name, one in load_file(weights).items() if not name.startswith(_OTHER_BLOCKS)}, weights)
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_layers": 1}))
    return folder


@pytest.fixture(scope="session")
def built_engine(one_block_folder, tmp_path_factory) -> Path:
    """The engine of that pipeline for ONNX Runtime on the CPU, in a cache of its own."""
    from joyai_ros.engines.config import EngineConfig, EngineKind
    from joyai_ros.imagination.engine_files import Source, build
    from joyai_ros.models.pipeline_folder import check_pipeline

    source = Source(check_pipeline(one_block_folder), EngineConfig(kind=EngineKind.ONNX))
    return build(source, tmp_path_factory.mktemp("engines"))


def pytest_terminal_summary(terminalreporter):
    """Say once for each reason how many tests were skipped for it."""
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped"))
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped: {reason}")
