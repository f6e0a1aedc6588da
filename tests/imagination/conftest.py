"""A small random pipeline, saved by diffusers and loaded once."""

import pytest


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
def edit_pipeline(edit_folder):
    from joyai_ros.imagination.mmdit.loading import load_pipeline

    return load_pipeline(edit_folder)


@pytest.fixture
def sampler(edit_pipeline):
    from joyai_ros.imagination.mmdit.sampler import Sampler

    return Sampler(edit_pipeline)
