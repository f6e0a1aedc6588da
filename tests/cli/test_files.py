"""Frames from files: what is read, and the one clear line that bad input gets."""

import json

import cv2
import numpy as np
import pytest

from joyai_ros.cli.files import observation_from_files, read_boxes, read_color, read_depth, read_pose, read_rig
from joyai_ros.errors import BoxError, CameraError, DepthError, ImageError, InputError, PoseError
from joyai_ros.geometry import rigid
from joyai_ros.geometry.cameras import Camera, Distortion
from tests.geometry.analytic import Room

ONE = {"width": 64, "height": 48, "fx": 60.0, "fy": 61.0, "cx": 31.5, "cy": 23.5}
FINE = Camera(64, 48, 60.0, 61.0, 31.5, 23.5)


def two(**depth):
    return {
        "color": ONE,
        "depth": ONE | {"fx": 66.0, "depth_units_per_metre": 5000, "depth_invalid": [0, 65535]} | depth,
        "color_from_depth": rigid.make_transform(np.eye(3), np.array([-0.03, 0.0, 0.0])).tolist(),
    }


@pytest.fixture
def write(tmp_path):
    """Write a file by its ending: dict or list as JSON, array as image, str and bytes as they are."""

    def write_file(name, content):
        path = tmp_path / name
        if isinstance(content, np.ndarray):
            assert cv2.imwrite(str(path), content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_file


@pytest.fixture
def frame(write):
    """A colour, a depth and a camera file of the analytic room."""
    picture = Room().seen_from(FINE)
    return {
        "rgb": write("rgb.png", cv2.cvtColor(picture.color, cv2.COLOR_RGB2BGR)),
        "depth": write("depth.png", np.rint(picture.depth * 1000).astype(np.uint16)),
        "camera": write("camera.json", ONE),
    }


def test_a_registered_frame(frame):
    observation = observation_from_files(**frame)
    truth = Room().seen_from(FINE)
    np.testing.assert_array_equal(observation.color, truth.color)
    np.testing.assert_allclose(observation.depth, truth.depth, atol=6e-4)
    assert observation.camera == FINE
    assert observation.up is None
    assert observation.detections is None


def test_a_frame_of_two_cameras_comes_out_in_the_colour_camera(frame, write):
    rig = two()
    depth_camera = Camera(64, 48, 66.0, 61.0, 31.5, 23.5)
    seen = Room().seen_from(depth_camera, rigid.make_transform(np.eye(3), np.array([0.03, 0.0, 0.0])) @ np.eye(4))
    frame["depth"] = write("depth.png", np.rint(seen.depth * 5000).astype(np.uint16))
    frame["camera"] = write("camera.json", rig)
    # The colour camera stands 3 cm left of the depth camera: the frame's own world is the colour camera's.
    observation = observation_from_files(**frame)
    truth = Room().seen_from(FINE).depth
    valid = observation.depth > 0
    assert valid.mean() > 0.7
    assert np.percentile(np.abs(observation.depth[valid] / truth[valid] - 1), 80) < 0.01


def test_the_camera_of_a_scenes_file(write):
    rig = read_rig(write("scenes.json", {"camera": ONE | {"depth_units_per_metre": 10000}, "scenes": {}}))
    assert rig.color == FINE
    assert rig.depth_units_per_metre == 10000
    assert rig.depth is None


def test_a_lens_is_undone(frame, write):
    lens = ONE | {"distortion_model": "plumb_bob", "distortion_coefficients": [0.1, 0.0, 0.0, 0.0, 0.0]}
    frame["camera"] = write("camera.json", lens)
    assert read_rig(frame["camera"]).color.distortion is Distortion.PLUMB_BOB
    observation = observation_from_files(
        **frame, boxes=write("boxes.json", {"objects": [{"id": 7, "box": [5, 5, 20, 20]}]})
    )
    assert observation.camera.is_pinhole
    x0, y0, _, _ = observation.detections[0].box
    assert x0 > 5  # this lens spreads the picture; undone, the corner comes in
    assert y0 > 5


def test_float_depth_is_in_metres(frame, write):
    frame["depth"] = write("depth.tiff", np.full((48, 64), 1.25, dtype=np.float32))
    np.testing.assert_allclose(observation_from_files(**frame).depth, 1.25)


def test_nan_and_infinite_depth_count_as_none(frame, write):
    depth = np.full((48, 64), 1.25, dtype=np.float32)
    depth[:10], depth[10:20], depth[20:30] = np.nan, np.inf, -1.0
    frame["depth"] = write("depth.tiff", depth)
    read = observation_from_files(**frame).depth
    assert (read[:30] == 0).all()
    assert (read[30:] == 1.25).all()


def test_up_and_boxes_come_along(frame, write):
    objects = [{"id": "a", "label": "cup", "box": [1, 2, 30, 40]}, {"id": 2, "box": [0, 0, 99, 9]}]
    boxes = write("boxes.json", {"objects": objects})
    observation = observation_from_files(**frame, boxes=boxes, up=np.array([0, -2.0, 0]))
    np.testing.assert_allclose(observation.up, (0, -1, 0))
    assert [(d.id, d.label, d.box) for d in observation.detections] == [
        ("a", "cup", (1.0, 2.0, 30.0, 40.0)),
        ("2", "", (0.0, 0.0, 64.0, 9.0)),
    ]


def test_a_pose(write):
    pose = rigid.make_transform(rigid.axis_angle(np.array([0, 1.0, 0]), 0.5), np.array([1.0, 2.0, 3.0]))
    text = "\n".join("\t".join(f"{value:.6e}" for value in row) for row in pose)
    np.testing.assert_allclose(read_pose(write("pose.txt", text)), pose, atol=1e-6)


BAD_CAMERAS = {
    "not JSON": ("{", "is not JSON"),
    "a list": ([1], "must be a JSON object"),
    "no focal length": ({k: v for k, v in ONE.items() if k != "fx"}, "fx is missing"),
    "zero focal length": (ONE | {"fx": 0}, "focal lengths must be positive"),
    "NaN": (ONE | {"cx": float("nan")}, "all values finite"),
    "text": (ONE | {"fx": "wide"}, "'wide', not a number"),
    "half a pixel": (ONE | {"width": 64.5}, "whole numbers"),
    "no size": (ONE | {"width": 0}, "not an image"),
    "unknown lens": (ONE | {"distortion_model": "magic"}, "is not a lens"),
    "too few coefficients": (ONE | {"distortion_coefficients": [0.1]}, "takes"),
    "units": (ONE | {"depth_units_per_metre": 0}, "depth_units_per_metre"),
    "invalid value": (ONE | {"depth_invalid": "none"}, "depth_invalid"),
    "unregistered alone": (ONE | {"depth_registered_to_color": False}, "give color, depth and color_from_depth"),
    "half a rig": ({"color": ONE, "depth": ONE}, "color_from_depth missing"),
    "a skewed offset": (two() | {"color_from_depth": (2 * np.eye(4)).tolist()}, "color_from_depth"),
    "an offset of words": (two() | {"color_from_depth": "near"}, "color_from_depth"),
}


@pytest.mark.parametrize(("content", "words"), BAD_CAMERAS.values(), ids=BAD_CAMERAS.keys())
def test_bad_cameras(write, content, words):
    path = write("camera.json", content)
    with pytest.raises((CameraError, PoseError), match=words) as error:
        read_rig(path)
    assert str(path) in str(error.value)


BAD_DEPTHS = {
    "colour": (np.zeros((48, 64, 3), np.uint8), "one channel"),
    "8 bit": (np.ones((48, 64), np.uint8), "uint8 is not supported"),
    "another size": (np.ones((24, 32), np.uint16), "32x24, its camera 64x48"),
    "all invalid": (np.zeros((48, 64), np.uint16), "no valid depth"),
    "no image": (b"these are words", "not a readable image"),
    "empty": (b"", "empty"),
}


@pytest.mark.parametrize(("content", "words"), BAD_DEPTHS.values(), ids=BAD_DEPTHS.keys())
def test_bad_depths(write, content, words):
    rig = read_rig(write("camera.json", ONE))
    path = write("depth.png", content)
    with pytest.raises(DepthError, match=words) as error:
        read_depth(path, rig)
    assert str(path) in str(error.value)


def test_depth_in_the_wrong_unit_is_noticed(write):
    rig = read_rig(write("camera.json", ONE | {"depth_units_per_metre": 1}))
    with pytest.raises(DepthError, match="depth_units_per_metre"):
        read_depth(write("depth.png", np.full((48, 64), 1500, np.uint16)), rig)


@pytest.mark.parametrize("content", [b"these are words", b""])
def test_bad_pictures(write, content):
    path = write("rgb.png", content)
    with pytest.raises(ImageError, match=r"rgb\.png"):
        read_color(path)


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_cut_off_pictures_are_noticed_before_the_decoder_speaks_up(write, capfd, ending):
    whole = cv2.imencode(ending, np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))[1].tobytes()
    with pytest.raises(ImageError, match="cut off"):
        read_color(write(f"rgb{ending}", whole[: len(whole) // 2]))
    assert capfd.readouterr().err == ""


def test_missing_files_are_named(tmp_path, frame):
    for name, reader in (("rgb", ImageError), ("depth", DepthError), ("camera", CameraError)):
        with pytest.raises(reader, match="no such"):
            observation_from_files(**(frame | {name: tmp_path / "nowhere"}))
    with pytest.raises(ImageError, match="cannot be read"):
        read_color(tmp_path)


def test_a_picture_of_another_size_is_refused(frame, write):
    frame["rgb"] = write("rgb.png", np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(ImageError, match="30x20, its camera 64x48"):
        observation_from_files(**frame)


def test_an_offset_that_leaves_no_depth_is_noticed(frame, write):
    far_away = rigid.make_transform(np.eye(3), np.array([90.0, 0.0, 0.0]))
    frame["camera"] = write("camera.json", two() | {"color_from_depth": far_away.tolist()})
    with pytest.raises(DepthError, match="check color_from_depth"):
        observation_from_files(**frame)


BAD_BOXES = {
    "no list": ({"boxes": []}, "no list of objects"),
    "no box": ({"objects": [{"id": "a"}]}, "needs an id and a box"),
    "no id": ({"objects": [{"box": [0, 0, 5, 5]}]}, "needs an id and a box"),
    "twice": ({"objects": [{"id": "a", "box": [0, 0, 5, 5]}] * 2}, "given twice"),
    "inverted": ({"objects": [{"id": "a", "box": [9, 0, 5, 5]}]}, "inverted or empty"),
    "outside": ({"objects": [{"id": "a", "box": [90, 0, 95, 5]}]}, "outside the 64x48"),
    "three": ({"objects": [{"id": "a", "box": [0, 0, 5]}]}, "four numbers"),
    "NaN": ({"objects": [{"id": "a", "box": [0, 0, float("nan"), 5]}]}, "NaN"),
    "a number": ({"objects": [3]}, "must be a JSON object"),
}


@pytest.mark.parametrize(("content", "words"), BAD_BOXES.values(), ids=BAD_BOXES.keys())
def test_bad_boxes(write, content, words):
    with pytest.raises(BoxError, match=words):
        read_boxes(write("boxes.json", content), 64, 48)


@pytest.mark.parametrize("text", ["1 0 0 0", "1 2 3 4\n" * 4, "nan 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "a b c d\n" * 4])
def test_bad_poses(write, text):
    with pytest.raises(PoseError, match=r"pose\.txt"):
        read_pose(write("pose.txt", text))


def test_every_reader_raises_an_input_error():
    assert all(issubclass(error, InputError) for error in (ImageError, DepthError, CameraError, BoxError, PoseError))
