import numpy as np
import pytest

from joyai_ros.cli import demo_pictures
from joyai_ros.cli.demo_pictures import MapItem, contact_sheet, draw_depth, draw_map, draw_validity
from joyai_ros.geometry import rigid
from joyai_ros.geometry.boxes import OrientedBox
from joyai_ros.geometry.cameras import Camera
from joyai_ros.geometry.view import FILLED, SEEN, UNKNOWN

RED, BLUE = (220, 30, 30), (30, 30, 220)


def test_depth_colours_tell_near_from_far_and_nothing_from_both():
    depth = np.linspace(0.5, 2.0, 64, dtype=np.float32).reshape(8, 8)
    depth[3, 3] = 0.0
    picture = draw_depth(depth)
    assert picture[3, 3].tolist() == [0, 0, 0]
    assert picture[0, 0, 0] > picture[0, 0, 2]  # near: red
    assert picture[7, 7, 2] >= picture[7, 7, 0]  # far: blue
    assert not draw_depth(np.zeros((4, 4), np.float32)).any()


def test_only_what_was_not_measured_is_tinted():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    shown = draw_validity(image, np.array([[SEEN, FILLED, UNKNOWN]], dtype=np.uint8))
    assert shown[0, 0].tolist() == [100, 100, 100]
    assert shown[0, 1, 2] < 100 < shown[0, 1, 0]
    assert shown[0, 2, 1] < 100 < shown[0, 2, 0]
    assert image.max() == 100


@pytest.mark.parametrize("widths", [[64], [64, 64], [128, 64, 32]])
def test_a_sheet_has_its_width_and_shows_every_panel(widths):
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    panels = [("", np.full((48, w, 3), c, dtype=np.uint8)) for w, c in zip(widths, colors, strict=False)]
    sheet = contact_sheet([panels, panels], 400)
    assert sheet.shape[1:] == (400, 3)
    for color in colors[: len(widths)]:
        assert (sheet == color).all(axis=2).any()


def test_the_map_has_the_camera_below_and_keeps_left_and_right():
    # The camera looks along the world's -y, so the world's +x is on its left.
    looking = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])
    pose = rigid.make_transform(looking, np.array([0.0, 1.0, 0.4]))
    boxes = [OrientedBox(np.array([x, 0.0, 0.05]), np.eye(3), np.array([0.12, 0.08, 0.1])) for x in (0.2, -0.2)]
    items = [MapItem("left", boxes[0], boxes[0], RED), MapItem("right", boxes[1], boxes[1], BLUE)]
    table = np.array([[-0.5, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]])
    picture = draw_map(items, table, [pose], Camera(640, 480, 500.0, 500.0, 320.0, 240.0), 400, 300)
    assert picture.shape == (300, 400, 3)
    picture = picture[:, demo_pictures._LEGEND :].astype(int)
    middles = [
        np.argwhere(np.abs(picture - c).max(axis=2) < 40).mean(axis=0) for c in (RED, BLUE, demo_pictures.CAMERA)
    ]
    assert middles[0][1] < middles[1][1]
    assert middles[2][0] > max(middles[0][0], middles[1][0])
    assert middles[0][0] == pytest.approx(middles[1][0], abs=4)
