import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.models.confidence import ConfidenceLine, line_of, log_odds

LOG_P = st.floats(max_value=0.0)  # down to minus infinity


def test_the_plain_line_gives_the_probability_itself():
    assert ConfidenceLine().confidence(math.log(0.3)) == pytest.approx(0.3)
    assert log_odds(math.log(0.9)) == pytest.approx(math.log(9.0))
    assert ConfidenceLine(0.0, math.log(4.0)).confidence(-1e-3) == pytest.approx(0.8), "the same, however sure it is"


@given(LOG_P, LOG_P, st.floats(0.0, 100.0), st.floats(-100.0, 100.0))
def test_it_is_a_probability_and_never_falls_as_the_model_gets_surer(one, other, slope, offset):
    low, high = (ConfidenceLine(slope, offset).confidence(log_p) for log_p in sorted((one, other)))
    assert 0.0 <= low <= high <= 1.0


def test_a_task_has_its_own_line_or_that_of_the_others():
    lines = {"color": ConfidenceLine(2.0), "others": ConfidenceLine(0.5)}
    assert line_of(lines, "color") == ConfidenceLine(2.0) and line_of(lines, "existence") == ConfidenceLine(0.5)
    assert line_of({"color": ConfidenceLine(2.0)}, "existence") is None and line_of({}, "color") is None
