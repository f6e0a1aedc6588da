"""A small random pipeline, loaded once."""

import pytest


@pytest.fixture(scope="session")
def edit_pipeline(edit_folder):
    from joyai_ros.imagination.mmdit.loading import load_pipeline

    return load_pipeline(edit_folder)


@pytest.fixture
def sampler(edit_pipeline):
    from joyai_ros.imagination.mmdit.sampler import Sampler

    return Sampler(edit_pipeline)
