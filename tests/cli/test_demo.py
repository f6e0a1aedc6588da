"""The demo, end to end and small: simulator, bag, perception, report."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from benchmarks.small_model import write_small_model
from joyai_ros.cli import main
from joyai_ros.cli.demo_check import check_objects, check_relations, check_view
from joyai_ros.geometry.view import FILLED, SEEN
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.types import Frame, SpatialRelation
from joyai_ros.sim.frames import simulate

OUTPUT_TOPICS = ("scene", "relations", "objects", "markers", "debug_image/compressed")
VIEW_TOPICS = ("view/image", "view/camera_info", "view/validity")
FRAMES = 9


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    alone = ["--model", "none", "--painter", "none"]
    assert main.run(["demo", "--out", str(out), "--frames", str(FRAMES), *alone]) == 0
    return out


@pytest.fixture(scope="module")
def frame():
    return next(simulate(11))


def test_the_bag_holds_what_came_in_and_what_came_out(demo):
    with AnyReader([demo / "bag"]) as reader:
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
    for name in OUTPUT_TOPICS:
        assert counts[f"/joyai/{name}"] == FRAMES
    for name in VIEW_TOPICS:
        assert counts[f"/joyai/{name}"] == 2  # at 2 Hz in 0.6 s
    assert counts["/camera/color/image_raw"] == FRAMES
    assert "/tf" in counts
    assert "/ground_truth/boxes" in counts


def test_the_report_agrees_with_the_truth(demo):
    report = json.loads((demo / "report.json").read_text())
    assert report["frames"] == FRAMES
    assert len(report["objects"]) >= 6
    for item in report["objects"]:
        if item["visible"] > 0.9:
            assert abs(item["height_error_m"]) < 0.012, item
    assert report["relations"]["true"] > 40
    assert report["relations"]["false"] <= 0.02 * report["relations"]["true"]
    for view in report["views"]:
        assert view["psnr_seen_db"] > 20


def test_the_report_needs_nothing_else(demo):
    page = (demo / "report.html").read_text()
    pictures = re.findall(r'src="([^"]{0,30})', page)
    assert len(pictures) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert "http" not in page
    assert "red L-shaped block" in page
    for name in ("overview", "view_1", "view_2", "view_3"):
        picture = cv2.imread(str(demo / "pictures" / f"{name}.png"))
        assert picture.shape[1] == 1600
        assert picture.std() > 20


def test_its_frame_is_food_for_the_other_commands(demo, tmp_path):
    files = [f"--{name}={demo / 'frame' / file}" for name, file in (("rgb", "color.png"), ("depth", "depth.png"))]
    files.append(f"--camera={demo / 'frame' / 'camera.json'}")
    scene = tmp_path / "scene.json"
    assert main.run(["scene", *files, f"--boxes={demo / 'frame' / 'boxes.json'}", f"--json={scene}"]) == 0
    ids = {item["id"] for item in json.loads(scene.read_text())["objects"]}
    assert ids == {item["id"] for item in json.loads((demo / "report.json").read_text())["objects"]}


def test_the_next_run_replaces_it_and_nothing_else(demo, tmp_path, capsys):
    (demo / "stray").touch()
    assert main.run(["demo", "--out", str(demo), "--frames", "3", "--seed", "4"]) == 0
    assert not (demo / "stray").exists()
    assert json.loads((demo / "report.json").read_text())["seed"] == 4
    (tmp_path / "precious").write_text("mine")
    capsys.readouterr()
    assert main.run(["demo", "--out", str(tmp_path), "--frames", "3"]) == 2
    assert "not replaced" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "mine"


def test_wrong_numbers_are_refused(tmp_path, capsys):
    for arguments in (["--seed", "-1"], ["--frames", "2"], ["--frames", "many"]):
        assert main.run(["demo", "--out", str(tmp_path / "out"), *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_turned_statement_is_found_false(frame):
    scene = SceneEngine().process(frame.observation)
    checks = [check for check in check_relations(scene, frame.truth) if check.holds]
    assert len(checks) > 20
    turned = tuple(
        check.relation._replace(subject=check.relation.objects[0], objects=(check.relation.subject,))
        for check in checks
        if check.relation.predicate in ("left_of", "in_front_of", "taller_than", "closer_than")
    )
    wrong = check_relations(replace(scene, relations=turned), frame.truth)
    assert len(wrong) == len(turned) > 10
    assert not any(check.holds for check in wrong)


def test_support_and_containment_are_looked_up(frame):
    truth = frame.truth
    contained = next(item for item in truth.world.objects if item.inside)
    scene = SceneEngine().process(frame.observation)

    def holds(subject, predicate, other):
        stated = (SpatialRelation(subject, predicate, (other,), frame=Frame.WORLD),)
        return check_relations(replace(scene, relations=stated), truth)[0].holds

    assert holds(contained.id, "inside", contained.inside) is True
    assert holds(contained.inside, "contains", contained.id) is True
    assert holds(contained.inside, "inside", contained.id) is False
    assert holds(contained.id, "inside", "nobody") is None


def test_errors_of_a_perfect_scene_are_nought(frame):
    scene = SceneEngine().process(frame.observation)
    boxes = {view.id: view.camera_box for view in frame.truth.views}
    perfect = tuple(replace(item, obb=boxes[item.id]) for item in scene.objects)
    for check in check_objects(replace(scene, objects=perfect), frame.truth):
        assert check.height_error == pytest.approx(0.0)
        assert check.center_error == pytest.approx(0.0)
    shifted = tuple(replace(item, obb=boxes[item.id].transformed(shift(0.02))) for item in scene.objects)
    for check in check_objects(replace(scene, objects=shifted), frame.truth):
        assert check.center_error == pytest.approx(0.02)


def shift(x):
    moved = np.eye(4)
    moved[0, 3] = x
    return moved


def test_views_are_compared_where_they_were_measured():
    true = np.full((4, 4, 3), 100, dtype=np.uint8)
    image, validity = true.copy(), np.full((4, 4), SEEN, dtype=np.uint8)
    image[:2] += 10
    validity[:2] = FILLED
    check = check_view(image, validity, true)
    assert check.psnr_seen > 100
    assert check.psnr_all == pytest.approx(10 * np.log10(255**2 / 50))
    assert check.seen == 0.5


def test_questions_are_answered_by_measurement_and_held_against_the_truth(demo):
    report = json.loads((demo / "report.json").read_text())
    answered = {check["text"]: check for check in report["questions"]}
    assert len(answered) >= 7
    for check in answered.values():
        if (number := re.match(r"([\d.]+) ± [\d.]+ cm", check["measured"])) is not None:
            true = float(check["true"].removesuffix(" cm"))
            assert abs(float(number[1]) - true) < 1.5, check
        elif check["measured"]:
            assert check["measured"] == check["true"], check
    assert answered["How many objects are in the image?"]["true"] == str(len(report["objects"]))
    page = (demo / "report.html").read_text()
    assert all(text in page for text in answered)


def test_a_model_is_asked_the_same_and_what_only_it_can_tell(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    model = write_small_model(tmp_path / "model")
    out = tmp_path / "out"
    assert main.run(["demo", "--out", str(out), "--frames", "3", "--model", str(model)]) == 0
    report = json.loads((out / "report.json").read_text())
    assert all(check["said"] for check in report["questions"])
    colors = [check for check in report["questions"] if "colour" in check["text"]]
    assert colors and all(check["verdict"] == "unchecked" and not check["measured"] for check in colors)
    # What random weights say is most often wrong, and measurement notices.
    assert "contradicted" in {check["verdict"] for check in report["questions"]}
    # The default painter's views are judged as well.
    assert len(report["drawn"]) == len(report["views"])
    assert all("small-edit" in view["check"] and view["psnr_db"] > 15 for view in report["drawn"])
    assert cv2.imread(str(out / "pictures" / "drawn.png")).shape[1] == 1600


def test_a_model_that_is_not_there_is_no_reason_to_go_without_a_word(tmp_path, capsys):
    assert main.run(["demo", "--out", str(tmp_path / "out"), "--frames", "3", "--model", "no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
