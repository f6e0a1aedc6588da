"""What the suite of ``sim_tests`` itself is made of: the truth node, the adapters, the scores."""

from dataclasses import replace

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from launch import LaunchContext
from sensor_msgs.msg import CameraInfo
from vision_msgs.msg import Detection3DArray

from joyai_ros.geometry.rigid import make_transform
from joyai_ros.messages.detections import detections_3d_message
from joyai_ros.messages.factory import RosFactory
from joyai_ros.messages.headers import header, stamp_ns
from joyai_ros.messages.poses import pose_from_message, pose_message
from joyai_ros.messages.scene import scene_message
from joyai_ros.scene.config import RelationConfig
from joyai_ros.scene.observation import Detection
from joyai_ros.scene.relate import relate
from joyai_ros.scene.types import Scene
from sim_tests import tabletop
from sim_tests.scoring import Score, true_objects
from sim_tests.simulators import SIMULATORS
from tests.ros.harness import Process, wait_for

FACTORY = RosFactory()


def truth_of(table, stamp=5):
    head = header(FACTORY, stamp, "map")
    boxes = detections_3d_message(FACTORY, head, [Detection(o.id, o.label, box3d=o.box) for o in table.objects])
    return boxes, PoseStamped(header=head, pose=pose_message(FACTORY, table.world_from_optical))


def perfect_scene(boxes, pose, change=lambda relation: relation):
    objects = tuple(true_objects(boxes, pose_from_message(pose.pose)))
    up = pose_from_message(pose.pose)[2, :3]
    relations = tuple(change(r) for r in relate(objects, up, RelationConfig()).stated)
    return scene_message(FACTORY, Scene(5, "camera_optical_frame", objects, relations, up=up))


def test_the_truth_is_said_for_the_stamp_of_every_camera_info(ros):
    boxes = ros.listen(Detection3DArray, "ground_truth/boxes")
    poses = ros.listen(PoseStamped, "ground_truth/camera_pose")
    publisher = ros.node.create_publisher(CameraInfo, "rgbd_camera/camera_info", 10)

    def ask():
        publisher.publish(CameraInfo(header=header(FACTORY, 7_000_000_000, "camera_optical_frame")))
        return boxes and poses

    with Process(ros.domain, tabletop.HERE / "truth_node.py"):
        wait_for(ask, "the truth")
    assert stamp_ns(boxes[0]) == stamp_ns(poses[0]) == 7_000_000_000
    table = tabletop.load()
    assert [d.id for d in boxes[0].detections] == [o.id for o in table.objects]
    assert np.allclose(pose_from_message(poses[0].pose), table.world_from_optical)


def test_a_perfect_scene_scores_perfectly_and_a_mirrored_one_does_not():
    boxes, pose = truth_of(tabletop.load())
    score = Score()
    score.add(perfect_scene(boxes, pose), boxes, pose)
    assert (score.precision, score.recall, score.contradicted.total()) == (1.0, 1.0, 0)
    assert score.objects == [4]
    assert score.right.total() > 20
    swapped = {"left_of": "right_of", "right_of": "left_of"}
    wrong = Score()
    wrong.add(
        perfect_scene(boxes, pose, lambda r: r._replace(predicate=swapped.get(r.predicate, r.predicate))), boxes, pose
    )
    assert wrong.contradicted["left_of"] == wrong.contradicted["right_of"] > 0
    assert wrong.precision < 0.9
    assert wrong.recall < 0.9


def test_clusters_without_names_are_matched_by_place():
    boxes, pose = truth_of(tabletop.load())
    objects = true_objects(boxes, pose_from_message(pose.pose))
    up = pose_from_message(pose.pose)[2, :3]
    renamed = tuple(
        replace(o, id=f"cluster_{k}", obb=replace_center(o.obb, 0.01 * k)) for k, o in enumerate(reversed(objects))
    )
    found = relate(renamed, up, RelationConfig()).stated
    score = Score()
    score.add(scene_message(FACTORY, Scene(5, "c", renamed, found, up=up)), boxes, pose)
    assert score.objects == [4]
    assert score.contradicted.total() == 0


def replace_center(box, shift):
    return box.transformed(make_transform(np.eye(3), np.array([shift, 0.0, 0.0])))


@pytest.mark.parametrize("name", sorted(SIMULATORS))
def test_every_adapter_can_be_launched_as_far_as_files_go(name):
    simulator = SIMULATORS[name]()
    [include] = simulator.launch()
    assert include.launch_description_source.get_launch_description(LaunchContext(argv=[])).entities
    assert simulator.was_run is (name == "mujoco")
