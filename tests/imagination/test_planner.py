"""What fits on a device, and its floor: arithmetic that must behave as physics does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joyai_ros.errors import ConfigError
from joyai_ros.imagination.memory import BYTES, RESOLUTIONS
from joyai_ros.imagination.planner import DEVICES, Device, device_named, plan, step_floor


def options(name):
    return {(o.precision, o.resolution): o for o in plan(DEVICES[name]).options}


@pytest.mark.parametrize(
    ("device", "precision", "resolution", "placement"),
    [
        ("h100", "bf16", 1024, "together"),
        ("h200", "bf16", 1024, "together"),
        ("rtx4090", "bf16", 256, "no"),  # 32.5 GB of weights
        ("rtx4090", "fp8", 512, "by phase"),
        ("rtx4090", "int4", 512, "together"),
        ("orin-64", "int8", 512, "together"),
        ("orin-64", "bf16", 512, "together"),
        ("orin-16", "int4", 256, "no"),  # 8.6 GB beside 4.6 GB and the system's share
        ("l4", "int4", 1024, "together"),
    ],
)
def test_what_fits(device, precision, resolution, placement):
    assert options(device)[precision, resolution].placement == placement


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_the_floor_is_the_arithmetic_of_the_network(resolution):
    """10, 41, 102 and 205 tera-operations of a forward at these sizes."""
    endless = Device("endless", 1e3, 1e9, 1.0)
    assert step_floor(endless, "bf16", resolution) == pytest.approx(
        {256: 10, 512: 41, 768: 102, 1024: 205}[resolution], rel=0.06
    )
    slow = Device("slow", 1e3, 1.0, 1e9)
    for precision, size in BYTES.items():
        assert step_floor(slow, precision, resolution) == pytest.approx(
            2 * 8.05 * size, rel=1e-3
        )  # both streams' weights, read once


def test_a_step_with_guidance_reads_the_weights_once():
    slow, quick = Device("slow", 1e3, 1.0, 1e9), Device("quick", 1e3, 1e9, 1.0)
    assert step_floor(slow, "bf16", 256, rows=2) == pytest.approx(step_floor(slow, "bf16", 256))
    assert step_floor(quick, "bf16", 256, rows=2) == pytest.approx(2 * step_floor(quick, "bf16", 256))
    option, presets = options("h200")["bf16", 1024], plan(DEVICES["h200"]).presets
    assert option.view(presets["fast"]) == pytest.approx(5 * option.step + 5 * option.plain_step)
    assert option.view(presets["exact"]) / option.view(presets["fast"]) == pytest.approx(80 / 15, rel=0.01)


@given(st.floats(50, 5000), st.floats(10, 2000), st.floats(1.01, 4.0))
def test_a_better_device_is_never_slower(bandwidth, speed, better):
    device = Device("a", 80, bandwidth, speed)
    for precision in ("bf16", "int4"):
        for resolution in RESOLUTIONS:
            here = step_floor(device, precision, resolution)
            assert step_floor(Device("b", 80, bandwidth * better, speed), precision, resolution) <= here
            assert step_floor(Device("b", 80, bandwidth, speed * better), precision, resolution) <= here


@given(st.floats(8, 200), st.floats(1, 100))
def test_more_memory_fits_no_less(memory, more):
    rank = {"no": 0, "by phase": 1, "together": 2}
    few, many = (plan(Device("a", size, 1000, 100)).options for size in (memory, memory + more))
    assert all(rank[a.placement] <= rank[b.placement] for a, b in zip(few, many, strict=True))


@pytest.mark.parametrize("name", DEVICES)
def test_a_recommendation_fits_and_keeps_its_time_where_it_can(name):
    found = plan(DEVICES[name], seconds=30.0)
    fitting = [option for option in found.options if option.placement != "no"]
    if not fitting:
        assert found.recommended is None
        return
    chosen = found.recommended
    assert chosen.option in fitting
    quick = [option for option in fitting if option.view(found.presets["fast"]) <= 30.0]
    assert bool(quick) == (chosen.option.view(found.presets[chosen.preset]) <= 30.0)
    if quick:
        assert chosen.option.resolution == max(option.resolution for option in quick)
    assert json.loads(json.dumps(found.to_json()))["device"]["name"] == name


def test_a_device_of_ones_own(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"memory": 48, "bandwidth": 900, "bf16": 150}))
    assert device_named(str(file)) == Device("mine", 48, 900, 150)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"memory": 48}', '{"memory": -1, "bandwidth": 1, "bf16": 1}', '{"memory": 1, "speed": 2}'],
)
def test_broken_device_files(tmp_path, content):
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(ConfigError):
        device_named(str(file))
    with pytest.raises(ConfigError, match="devices are: orin-16"):
        device_named("toaster")
