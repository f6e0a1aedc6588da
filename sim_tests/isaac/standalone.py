"""Isaac Sim shows the table of ``tabletop.yaml`` to a camera and publishes what it sees. Not run yet.

    ~/isaacsim/python.sh sim_tests/isaac/standalone.py --headless

Written for Isaac Sim 4.5 and 5 (``isaacsim`` names). It needs nothing of this package but the YAML file, because Isaac Sim
has an interpreter of its own; the names of its topics and frames are those of ``config/isaac_sim.yaml``.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

TOPICS = {"rgb": "rgb", "depth": "depth", "camera_info": "camera_info", "clock": "clock"}
FRAME = "camera_optical_frame"
CAMERA_PATH = "/World/Camera"
APERTURE = 20.955  # millimetres, USD's default width of the sensor


def main() -> None:
    """Start Isaac Sim, build the table, and publish until the window closes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--table", type=Path, default=Path(__file__).resolve().parents[1] / "tabletop.yaml")
    arguments = parser.parse_args()
    from isaacsim import SimulationApp  # must come before everything else of Isaac Sim

    app = SimulationApp({"headless": arguments.headless})
    import yaml

    table = yaml.safe_load(arguments.table.read_text())
    _enable_bridge(app)
    _build(table)
    _publish(table["camera"])
    from isaacsim.core.api import SimulationContext

    simulation = SimulationContext(stage_units_in_meters=1.0)
    simulation.initialize_physics()
    simulation.play()
    while app.is_running():
        simulation.step(render=True)
    simulation.stop()
    app.close()


def _enable_bridge(app) -> None:
    from isaacsim.core.utils.extensions import enable_extension

    enable_extension("isaacsim.ros2.bridge")
    app.update()


def _build(table: dict) -> None:
    """Add floor, light, table, objects and camera to the stage."""
    import omni.usd
    from pxr import Gf, UsdGeom, UsdLux

    stage = omni.usd.get_context().get_stage()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdLux.DistantLight.Define(stage, "/World/Sun").CreateIntensityAttr(2500.0)
    floor = {"id": "floor", "shape": "box", "size": [8.0, 8.0, 0.02], "position": [0.0, 0.0, -0.01], "yaw": 0.0}
    things = [{**floor, "color": [0.6, 0.6, 0.6]}, {"id": "table", "shape": "box", "yaw": 0.0, **table["table"]}]
    for thing in [*things, *table["objects"]]:
        _add_thing(stage, thing)
    camera = table["camera"]
    lens = UsdGeom.Camera.Define(stage, CAMERA_PATH)
    lens.CreateHorizontalApertureAttr(APERTURE)
    lens.CreateVerticalApertureAttr(APERTURE * camera["height"] / camera["width"])
    lens.CreateFocalLengthAttr(APERTURE / 2 / math.tan(math.radians(camera["horizontal_fov"]) / 2))
    lens.CreateClippingRangeAttr(Gf.Vec2f(0.05, 20.0))
    eye, target = Gf.Vec3d(*camera["position"]), Gf.Vec3d(*camera["look_at"])
    # SetLookAt gives the view matrix (camera from world); USD's cameras look along -z with y up.
    pose = Gf.Matrix4d().SetLookAt(eye, target, Gf.Vec3d(0, 0, 1)).GetInverse()
    UsdGeom.Xformable(lens.GetPrim()).AddTransformOp().Set(pose)


def _add_thing(stage, thing: dict) -> None:
    from pxr import Gf, UsdGeom, Vt

    path = f"/World/{thing['id']}"
    if thing["shape"] == "cylinder":
        shape = UsdGeom.Cylinder.Define(stage, path)
        shape.CreateRadiusAttr(thing["size"][0] / 2)
        shape.CreateHeightAttr(thing["size"][2])
    else:
        shape = UsdGeom.Cube.Define(stage, path)
        shape.CreateSizeAttr(1.0)
    placed = UsdGeom.Xformable(shape.GetPrim())
    placed.AddTranslateOp().Set(Gf.Vec3d(*thing["position"]))
    placed.AddRotateZOp().Set(float(thing["yaw"]))
    if thing["shape"] != "cylinder":
        placed.AddScaleOp().Set(Gf.Vec3f(*thing["size"]))
    shape.CreateDisplayColorAttr(Vt.Vec3fArray([Gf.Vec3f(*thing["color"])]))


def _publish(camera: dict) -> None:
    """Wire the action graph: clock, colour, depth and camera_info on every frame that is drawn."""
    import omni.graph.core as og
    import usdrt.Sdf

    keys = og.Controller.Keys
    helpers = {"Rgb": "rgb", "Depth": "depth"}
    create = [
        ("Tick", "omni.graph.action.OnPlaybackTick"),
        ("Time", "isaacsim.core.nodes.IsaacReadSimulationTime"),
        ("Clock", "isaacsim.ros2.bridge.ROS2PublishClock"),
        ("Product", "isaacsim.core.nodes.IsaacCreateRenderProduct"),
        ("Info", "isaacsim.ros2.bridge.ROS2CameraInfoHelper"),
        *[(name, "isaacsim.ros2.bridge.ROS2CameraHelper") for name in helpers],
    ]
    values = [
        ("Product.inputs:cameraPrim", [usdrt.Sdf.Path(CAMERA_PATH)]),
        ("Product.inputs:width", camera["width"]),
        ("Product.inputs:height", camera["height"]),
        ("Clock.inputs:topicName", TOPICS["clock"]),
        ("Info.inputs:topicName", TOPICS["camera_info"]),
        ("Info.inputs:frameId", FRAME),
    ]
    connect = [
        ("Tick.outputs:tick", "Clock.inputs:execIn"),
        ("Time.outputs:simulationTime", "Clock.inputs:timeStamp"),
        ("Tick.outputs:tick", "Product.inputs:execIn"),
        ("Product.outputs:execOut", "Info.inputs:execIn"),
        ("Product.outputs:renderProductPath", "Info.inputs:renderProductPath"),
    ]
    for name, kind in helpers.items():
        values += [(f"{name}.inputs:type", kind), (f"{name}.inputs:topicName", TOPICS[kind])]
        values += [(f"{name}.inputs:frameId", FRAME)]
        connect += [("Product.outputs:execOut", f"{name}.inputs:execIn")]
        connect += [("Product.outputs:renderProductPath", f"{name}.inputs:renderProductPath")]
    og.Controller.edit(
        {"graph_path": "/World/RosGraph", "evaluator_name": "execution"},
        {keys.CREATE_NODES: create, keys.SET_VALUES: values, keys.CONNECT: connect},
    )


if __name__ == "__main__":
    main()
