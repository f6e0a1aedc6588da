"""Equality of core types by value: arrays within rounding, NaN equal to NaN."""

import dataclasses

import numpy as np
import pytest


def assert_same(left, right, path="", tolerance=1e-9):
    """Compare two values field by field and name the first field that differs."""
    if dataclasses.is_dataclass(left):
        assert type(left) is type(right), path
        for field in dataclasses.fields(left):
            assert_same(getattr(left, field.name), getattr(right, field.name), f"{path}.{field.name}", tolerance)
    elif isinstance(left, np.ndarray) and left.dtype.kind in "biu":
        np.testing.assert_array_equal(left, right, err_msg=path)
        assert left.dtype == right.dtype, path
    elif isinstance(left, np.ndarray):
        assert left.shape == right.shape, path
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=tolerance, err_msg=path)
    elif isinstance(left, (tuple, list)):
        assert len(left) == len(right), path
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_same(*pair, f"{path}[{index}]", tolerance)
    elif isinstance(left, float):
        assert right == pytest.approx(left, rel=1e-6, abs=1e-9, nan_ok=True), path
    else:
        assert left == right, path
