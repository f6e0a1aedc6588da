"""Objects of which depth or another object leaves a part: where they end, and how sure that is."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.raycast import Ball, Tube
from joyai_ros.scene.assign import assign_pixels
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.frame import frame_geometry
from joyai_ros.scene.observation import Detection
from joyai_ros.scene.overlying import without_overlying
from joyai_ros.scene.patch import Patch
from joyai_ros.scene.segment import Clusters
from tests.scene.stage import NOISE, block, shoot

TOWER = {"tower": block(0.0, 0.0, (0.12, 0.09, 0.18))}


def measured(observation):
    return {item.id: item for item in SceneEngine().process(observation).objects}


def test_what_shows_below_an_object_within_its_box_is_its_own():
    """From far above only the top and a band of the sides are told from the rest; no pixel says what the foot stands on."""
    shot = shoot(TOWER, eye=(0.0, -0.25, 0.9), noise=NOISE)
    mask = shot.seen.mask("tower")
    rows = np.flatnonzero(mask.any(axis=1))
    mask[rows[0] + int(0.8 * len(rows)) :] = False
    detection = Detection("tower", "tower", shot.seen.box("tower"), mask=mask)
    tower = measured(replace(shot.observation, detections=(detection,)))["tower"]
    assert tower.height == pytest.approx(0.18, abs=0.006)


def pieces(shape, *parts):
    """Pieces of an image from their rectangles (left, top, right, bottom); a tenth of each was given back at its edges."""
    labels = np.zeros(shape, dtype=np.int32)
    for number, rectangles in enumerate(parts, 1):
        for left, top, right, bottom in rectangles:
            labels[top:bottom, left:right] = number
    stats = np.zeros((len(parts) + 1, 5), dtype=np.int32)
    for number in range(1, len(parts) + 1):
        rows, columns = np.nonzero(labels == number)
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        stats[number] = left, top, right - left, bottom - top, int(0.9 * len(rows))
    return Clusters(labels, labels > 0, stats)


def test_a_piece_that_reaches_out_of_the_box_it_fills_is_divided_with_what_it_reaches_into():
    """A cup on a can: inside the cup is a piece of its own, its outside goes on in the can's."""
    can, cup = (50.0, 50.0, 150.0, 150.0), (100.0, 18.0, 176.0, 112.0)
    clusters = pieces((200, 200), [(50, 50, 150, 150), (150, 50, 175, 110)], [(110, 20, 165, 45)])
    color = np.full((200, 200, 3), 230, dtype=np.uint8)
    color[18:112, 100:176] = 200, 40, 40
    of_can, of_cup = assign_pixels(clusters, color, np.ones((200, 200), dtype=np.float32), [can, cup])
    red = (color[..., 1] == 40).reshape(-1)
    assert red[of_cup].all() and np.count_nonzero(red[of_can]) < 0.02 * len(of_can)
    assert len(of_cup) > 0.7 * 75 * 60


def test_a_piece_that_fills_its_own_box_is_not_divided_with_what_it_hides():
    hiding, hidden = (60.0, 40.0, 120.0, 160.0), (20.0, 90.0, 180.0, 130.0)
    clusters = pieces((200, 200), [(60, 40, 120, 160)])
    color = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    first, second = assign_pixels(clusters, color, np.ones((200, 200), dtype=np.float32), [hiding, hidden])
    assert len(first) == 60 * 120
    assert len(second) == 0


@pytest.mark.parametrize("loose, least", [(0.02, 0.99), (0.15, 1.3), (0.3, 2.0)])
def test_pixels_that_do_not_fill_their_box_make_less_sure_along_the_view(loose, least):
    """Something of the object was missed, or something else drawn into its box; a little is what boxes are off by."""
    shot = shoot({"ball": [Ball((0.0, 0.0, 0.05), 0.05)]}, noise=NOISE)
    mask, (x0, y0, x1, y1) = shot.seen.mask("ball"), shot.seen.box("ball")
    wide = loose * (x1 - x0)
    boxes = (x0, y0, x1, y1), (x0, y0, x1 + wide, y1 + wide)
    first, second = (
        measured(replace(shot.observation, detections=(Detection("ball", "ball", box, mask=mask),)))["ball"]
        for box in boxes
    )
    assert np.allclose(first.obb.center, second.obb.center, atol=0.002)
    assert second.center_sigma[2] >= least * first.center_sigma[2]
    assert loose > 0.1 or second.center_sigma[2] == pytest.approx(first.center_sigma[2], rel=0.05)


@pytest.mark.parametrize("beside", [False, True])
def test_what_stands_on_a_level_top_is_no_part_of_it(beside):
    """The lower half of a can went to the book under it: it goes where it lies in the can's box, over the book's top."""
    shot = shoot(
        {"book": block(0.0, 0.0, (0.24, 0.18, 0.03)), "can": [Tube((0.0, 0.0, 0.07), 0.03, 0.08)]}, noise=NOISE
    )
    can, book, box = shot.seen.mask("can"), shot.seen.mask("book"), shot.seen.box("can")
    taken = can.copy()
    taken[: int(np.nonzero(can)[0].mean())] = False
    measured_too = shot.observation.depth > 0
    frame = frame_geometry(shot.observation, SceneConfig(), [shot.seen.box("book")])
    both = Patch.of(np.flatnonzero((book | taken) & measured_too), shot.observation.camera.width)
    if beside:
        box = box[0] + 300.0, box[1], box[2] + 300.0, box[3]
    left = without_overlying(frame, both, [box])
    assert book.reshape(-1)[left.pixels].sum() > 0.99 * np.count_nonzero(book & measured_too)
    of_can = np.count_nonzero(taken.reshape(-1)[left.pixels]) / np.count_nonzero(taken & measured_too)
    assert of_can == 1.0 if beside else of_can < 0.3
