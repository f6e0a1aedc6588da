"""The demo's last frame beside the simulator's truth: figures and pictures."""

from __future__ import annotations

from typing import NamedTuple

from joyai_ros.cli.demo_check import ViewCheck, check_objects, check_relations, check_view
from joyai_ros.cli.demo_frame import LastFrame
from joyai_ros.cli.demo_pictures import MapItem, contact_sheet, draw_depth, draw_map, draw_validity
from joyai_ros.cli.demo_questions import check_questions
from joyai_ros.cli.demo_report import Picture, Report
from joyai_ros.cli.view_report import view_in_words
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.motion import CameraMotion
from joyai_ros.geometry.view import View
from joyai_ros.imagination.depth_view import DepthImaginer
from joyai_ros.imagination.model_view import Drawing
from joyai_ros.imagination.opening import OpenPainter
from joyai_ros.scene.drawing import object_colors
from joyai_ros.sim.tabletop import TabletopSim
from joyai_ros.sim.truth import TABLE, FrameTruth
from joyai_ros.understanding.opening import OpenModel

# What is imagined at the last frame.
MOTIONS = (
    ("20 degrees to the right, 10 up", CameraMotion(20.0, 10.0, 1.0)),
    ("35 degrees to the left", CameraMotion(-35.0, 0.0, 1.0)),
    ("15 degrees up and nearer", CameraMotion(0.0, 15.0, 1.4)),
)
WIDTH = 1600  # pixels of the pictures


class _Imagined(NamedTuple):
    """A view, and what the simulator draws from the same place."""

    name: str
    view: View
    true: ColorImage


def compare(last: LastFrame, seed: int, model: OpenModel, asked: str, painter: OpenPainter | None) -> Report:
    """Return what the last frame of a demo's bag got right, with pictures.

    Args:
        last: the frame, as read from the bag.
        seed: of the simulated scene that it shows.
        model: that is asked questions beside geometry, if it has a backend.
        asked: what the report says of it.
        painter: that draws the views too, if there is one.

    Raises:
        MissingDependencyError: MuJoCo or an OpenGL library is missing.
        ModelError: the model cannot answer.
    """
    scene, imaginer = last.scene, DepthImaginer()
    for observation in last.earlier:
        imaginer.remember(observation)
    with TabletopSim(seed) as simulator:
        truth = simulator.truth(last.observation.world_from_camera)
        imagined = []
        for name, motion in MOTIONS:
            view = imaginer.imagine(last.observation, motion, up=scene.up)
            imagined.append(_Imagined(name, view, simulator.render(view.world_from_view, view.camera)))
        drawn = [] if painter is None else [_drawn(last, painter, simulator, *motion) for motion in MOTIONS]
    return Report(
        seed=seed,
        frames=last.scenes,
        seconds=last.seconds,
        objects=check_objects(scene, truth),
        relations=check_relations(scene, truth),
        questions=check_questions(last.observation, scene, truth, model),
        asked=asked,
        views=[(item.name, _check(item)) for item in imagined],
        drawn=[(item.name, _check(item), view_in_words(item.view)) for item in drawn],
        pictures=[_overview(last, truth, imagined[0]), *(_view_picture(n, i) for n, i in enumerate(imagined, start=1))]
        + ([_drawn_picture(drawn)] if drawn else []),
        topics=last.topics,
    )


def _drawn(last: LastFrame, painter: OpenPainter, simulator: TabletopSim, name: str, motion: CameraMotion) -> _Imagined:
    config = painter.config
    how = Drawing(painter.preset(), config.size, strength=config.strength)
    view = painter.imaginer.imagine(last.observation, motion, how).view
    assert last.observation.world_from_camera is not None  # the simulator knows where its camera is
    return _Imagined(
        name, view, simulator.render(last.observation.world_from_camera @ view.source_from_view, view.camera)
    )


def _drawn_picture(items: list[_Imagined]) -> Picture:
    panels = [panel for item in items for panel in ((f"drawn: {item.name}", item.view.image), ("truth", item.true))]
    return Picture("drawn", f"Drawn by {items[0].view.model}", contact_sheet([panels], WIDTH))


def _check(item: _Imagined) -> ViewCheck:
    return check_view(item.view.image, item.view.validity, item.true)


def _overview(last: LastFrame, truth: FrameTruth, item: _Imagined) -> Picture:
    seen = last.observation
    depth = ("its depth, near warm, far cold", draw_depth(seen.depth)) if seen.depth is not None else None
    above = ("measured and true, from above", _map(last, truth))
    first = [panel for panel in (("what the camera sees", seen.color), depth, above) if panel]
    second = [
        ("what is understood of it", last.picture),
        (f"imagined: {item.name}", item.view.image),
        ("what is really seen from there", item.true),
    ]
    return Picture("overview", "The last frame of the recording", contact_sheet([first, second], WIDTH))


def _view_picture(number: int, item: _Imagined) -> Picture:
    panels = [
        ("imagined", item.view.image),
        ("what is really seen from there", item.true),
        ("yellow: filled, magenta: invented", draw_validity(item.view.image, item.view.validity)),
    ]
    return Picture(f"view_{number}", f"Imagined: {item.name}", contact_sheet([panels], WIDTH))


def _map(last: LastFrame, truth: FrameTruth) -> ColorImage:
    pose = truth.world_from_camera
    measured = {item.id: item.obb.transformed(pose) for item in last.scene.objects}
    colors = object_colors(last.scene)
    items = [
        MapItem(true.label, measured.get(true.id), true.box, colors.get(true.id, (150, 150, 150)))
        for true in sorted(truth.world.objects, key=lambda true: true.id not in measured)
    ]
    table = next(support.outline for support in truth.world.supports if support.owner == TABLE)
    return draw_map(items, table, last.path, truth.camera, 640, 480)
