from collections.abc import Iterator

import pytest

from joyai_ros.errors import MissingDependencyError
from joyai_ros.sim.graphics import open_context
from joyai_ros.sim.tabletop import TabletopSim

SEEDS = (1, 3, 7, 9)  # a stack, bowls with balls, a tray, plates; sparse and dense


@pytest.fixture(scope="session", autouse=True)
def _drawing() -> None:
    try:
        open_context(64, 48).free()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def sims() -> Iterator[list[TabletopSim]]:
    """A few scenes that tests only look at."""
    opened = [TabletopSim(seed) for seed in SEEDS]
    yield opened
    for sim in opened:
        sim.close()
