"""What is due at a rate: by stamps, whatever their jitter."""

import pytest

from joyai_ros.perception.due import Due


@pytest.mark.parametrize(("rate", "period", "expected"), [(10.0, 1 / 30, 34), (2.0, 0.1, 20), (30.0, 1 / 30, 100)])
def test_it_is_due_at_the_first_stamp_of_each_period(rate, period, expected):
    due = Due(rate)
    told = [due.is_due(int(k * period * 1e9) + 7) for k in range(100)]
    assert told[0]
    assert abs(sum(told) - expected) <= 1


def test_jitter_does_not_halve_the_rate_and_a_jump_back_starts_anew():
    due = Due(10.0)
    jitter = [0, 3, -3, 2, -2] * 20
    stamps = [int((100 * k + jitter[k]) * 1e6) for k in range(100)]
    assert sum(due.is_due(s) for s in stamps) >= 95
    assert due.is_due(0)
    assert not due.is_due(10_000_000)


def test_a_late_stamp_does_not_delay_those_after_it():
    due = Due(2.0)
    told = [due.is_due(int(seconds * 1e9)) for seconds in (5.0, 5.9, 6.0, 6.4, 6.5)]
    assert told == [True, True, True, False, True]


def test_at_rate_0_nothing_is_due():
    assert not Due(0.0).is_due(1)
