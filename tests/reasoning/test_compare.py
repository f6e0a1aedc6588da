"""When a model's answer agrees with a measurement, contradicts it, or cannot be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.reasoning.compare import CompareConfig, Said, compare
from joyai_ros.reasoning.measured import Measured
from joyai_ros.scene.types import Status

CONFIG = CompareConfig()
ORDER = {Status.AGREE: 0, Status.UNCHECKED: 1, Status.CONTRADICT: 2}


def status(value, measured, sigma=0.0, unit="m"):
    return compare(Said(value=value), Measured(value=measured, unit=unit, sigma=sigma), CONFIG)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.50, Status.AGREE),
        (0.549, Status.AGREE),
        (0.57, Status.UNCHECKED),
        (0.61, Status.CONTRADICT),
        (0.39, Status.CONTRADICT),
    ],
)
def test_numbers(value, expected):
    assert status(value, 0.5) is expected


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10), st.floats(0, 0.2))
def test_the_farther_off_the_less_it_agrees(measured, first, second, sigma):
    near, far = sorted((first, second), key=lambda v: abs(v - measured))
    assert ORDER[status(near, measured, sigma)] <= ORDER[status(far, measured, sigma)]


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 0.1), st.floats(0, 0.1))
def test_an_uncertain_measurement_contradicts_less(measured, value, first, second):
    sure, unsure = sorted((first, second))
    assert ORDER[status(value, measured, unsure)] <= ORDER[status(value, measured, sure)]


def test_counts_must_be_equal():
    assert status(3.0, 3.0, unit="1") is Status.AGREE
    assert status(3.0, 4.0, unit="1") is Status.CONTRADICT


@pytest.mark.parametrize(
    ("choice", "confidence", "expected"),
    [
        ("left", 0.85, Status.AGREE),
        ("right", 0.85, Status.UNCHECKED),
        ("right", 0.99, Status.CONTRADICT),
    ],
)
def test_choices_are_contradicted_only_with_confidence(choice, confidence, expected):
    assert compare(Said(choice=choice), Measured("left", confidence=confidence), CONFIG) is expected


def test_nothing_measured_nothing_checked():
    assert compare(Said(value=1.0), None, CONFIG) is Status.UNCHECKED
    assert compare(Said(choice="left"), Measured(value=1.0), CONFIG) is Status.UNCHECKED


BOX = (100.0, 100.0, 200.0, 200.0)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([BOX], Status.AGREE),
        ([BOX, (105.0, 95.0, 200.0, 205.0)], Status.AGREE),
        ([BOX, (400.0, 100.0, 500.0, 200.0)], Status.CONTRADICT),
        ([(150.0, 100.0, 250.0, 200.0)], Status.UNCHECKED),
    ],
)
def test_boxes(boxes, expected):
    assert compare(Said(boxes=tuple(boxes)), Measured(boxes=(BOX,)), CONFIG) is expected


def test_points():
    measured = Measured(boxes=(BOX,))
    assert compare(Said(points=((150.0, 150.0),)), measured, CONFIG) is Status.AGREE
    assert compare(Said(points=((150.0, 150.0), (10.0, 10.0))), measured, CONFIG) is Status.CONTRADICT
