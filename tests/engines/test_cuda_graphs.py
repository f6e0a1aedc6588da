"""What surrounds a CUDA graph: memory that stays where it is, and sizes that come and go. A plain call stands in for the
graph itself, which needs a GPU and was never run.
"""

import pytest
import torch

from joyai_ros.engines import cuda_graphs
from joyai_ros.engines.cuda_graphs import Replayed


@pytest.fixture
def captures(monkeypatch):
    """The results of all captures so far."""
    made = []

    def stand_in(run):
        result = run()
        made.append(result)

        def replay():
            result.copy_(run())

        return replay, result

    monkeypatch.setattr(cuda_graphs, "capture", stand_in)
    return made


def values(rows, value):
    return {"x": torch.full((rows, 2), float(value)), "y": torch.full((rows,), 10.0 * value)}


def test_a_call_is_captured_once_for_its_sizes(captures):
    prepared = []

    def prepare(held):
        prepared.append(held)
        return lambda: held["x"].sum(1) + held["y"]

    replayed = Replayed(prepare)
    results = [replayed(values(rows, value)) for rows, value in ((2, 1), (2, 2), (1, 3), (2, 4))]
    assert [result.tolist() for result in results] == [[12, 12], [24, 24], [36], [48, 48]], "no result is overwritten"
    assert len(captures) == len(prepared) == 2
    assert prepared[0]["x"].tolist() == [[4, 4], [4, 4]], "later inputs come to where the first ones lay"


def test_the_last_two_sizes_are_kept(captures):
    replayed = Replayed(lambda held: lambda: held["x"] + 0)
    for rows in (1, 2, 1, 3, 1, 2):
        assert torch.equal(replayed({"x": torch.full((rows,), 7.0)}), torch.full((rows,), 7.0))
    assert len(captures) == 4, "1, 2 and 3 once each, and 2 again: it was the one that was not used for longest"
