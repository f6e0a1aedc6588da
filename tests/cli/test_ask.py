"""``joyai-ros ask`` as a user types it: geometry alone, a model behind a server, and the one line that bad input gets."""

import base64
import json
import re

import cv2
import numpy as np
import pytest

from benchmarks.raycast import Ball, Tube
from joyai_ros.cli.main import run
from tests.scene.stage import SMALL, block, shoot
from tests.understanding.scripted_server import fails, says, serving

UNITS = 5000
KEYS = {
    "question", "task", "text", "choice", "value", "unit", "sigma", "boxes", "points", "pose", "evidence", "confidence",
    "status", "model_value", "geometry_value", "model",
}  # fmt: skip
FRAME = ("--depth", "@depth.png", "--camera", "@camera.json", "--boxes", "@boxes.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two views of a block, a can and a ball on a table, as files."""
    folder = tmp_path_factory.mktemp("frames")
    things = {
        "block": block(-0.2, 0.0, (0.12, 0.08, 0.12)),
        "can": [Tube((0.05, 0.05, 0.05), 0.035, 0.10)],
        "ball": [Ball((0.25, -0.1, 0.05), 0.05)],
    }
    for name, eye in (("", {}), ("second_", {"eye": (0.3, -0.85, 0.6)})):
        shot = shoot(things, camera=SMALL, **eye)
        seen = shot.asked("boxes")
        found = [{"id": d.id, "label": d.label, "box": list(d.box)} for d in seen.detections]
        (folder / f"{name}boxes.json").write_text(json.dumps({"objects": found}))
        np.savetxt(folder / f"{name}pose.txt", shot.pose)
        cv2.imwrite(str(folder / f"{name}color.png"), seen.color[:, :, ::-1])
        cv2.imwrite(str(folder / f"{name}depth.png"), np.rint(seen.depth * UNITS).astype(np.uint16))
    camera = {name: getattr(SMALL, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    (folder / "camera.json").write_text(json.dumps(camera | {"depth_units_per_metre": UNITS}))
    (folder / "words.png").write_text("no picture")
    (folder / "words.mp4").write_text("no clip")
    for name, count in (("clip.mp4", 30), ("one.mp4", 1)):
        clip = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
        for number in range(count):
            clip.write(np.full((48, 64, 3), (0, 0, 8 * number), np.uint8))  # redder and redder
        clip.release()
    return folder


@pytest.fixture
def typed(folder, capsys):
    """Run the command; ``@name`` is a file of the folder. Returns exit code, stdout, stderr."""

    def run_command(*words):
        code = run(["ask", *(str(folder / word[1:]) if word.startswith("@") else word for word in words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def answer_of(typed, *words):
    code, out, err = typed(*words, "--json", "-")
    assert (code, err) == (0, "")
    answer = json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert set(answer) == KEYS
    return answer


def test_geometry_alone_measures(typed):
    answer = answer_of(typed, "@color.png", "How far is the block from the ball?", *FRAME)
    assert answer["task"] == "object_distance"
    assert answer["value"] == answer["geometry_value"] == pytest.approx(0.35, abs=0.015)
    assert (answer["unit"], answer["status"], answer["model"]) == ("m", "unchecked", "")
    assert answer["model_value"] is None
    assert 0 < answer["sigma"] < 0.02
    assert answer["evidence"]["objects"] == ["block", "ball"]
    assert answer["evidence"]["views"] == 1
    (relation,) = answer["evidence"]["relations"]
    assert (relation["subject"], relation["predicate"], relation["objects"]) == ("block", "distance", ["ball"])


def test_geometry_alone_chooses(typed):
    answer = answer_of(typed, "@color.png", "Is the ball left or right of the can?", *FRAME, "--model", "none")
    assert (answer["task"], answer["choice"]) == ("left_right", "right")
    assert answer["confidence"] > 0.98


def test_a_task_and_its_objects_by_name(typed):
    words = ("how far?", "--task", "object_distance", "--objects", "can, block")
    answer = answer_of(typed, "@color.png", *words, *FRAME)
    assert answer["evidence"]["objects"] == ["can", "block"]


def test_without_depth_there_is_no_metric_claim(typed):
    answer = answer_of(typed, "@color.png", "How far is the block from the ball?", "--boxes", "@boxes.json")
    assert answer["value"] is answer["geometry_value"] is None
    assert "cannot tell" in answer["text"]


def test_the_pose_between_two_images_is_measured(typed, folder):
    frames = ("--depth", "@depth.png", "--depth", "@second_depth.png", "--camera", "@camera.json")
    poses = ("--pose", "@pose.txt", "--pose", "@second_pose.txt")
    answer = answer_of(
        typed, "@color.png", "@second_color.png", "How did it move?", "--task", "camera_pose", *frames, *poses
    )
    first, second = (np.loadtxt(folder / name) for name in ("pose.txt", "second_pose.txt"))
    np.testing.assert_allclose(answer["pose"], np.linalg.inv(first) @ second, atol=1e-5)
    assert answer["evidence"]["views"] == 2


def test_a_person_reads_the_answer_and_what_backs_it(typed, folder):
    code, out, err = typed("@color.png", "How tall is the can?", *FRAME, "--json", "@out/answer.json")
    assert (code, err) == (0, "")
    assert re.match(r"The can is (9\.9|10\.0|10\.1) ± 0\.\d cm tall\.\n", out)
    assert "about can" in out
    assert json.loads((folder / "out" / "answer.json").read_text())["value"] == pytest.approx(0.1, abs=0.006)


@pytest.mark.parametrize(
    ("said", "status", "policy", "value"),
    [
        (0.36, "agree", "geometry", 0.35),  # of two that agree the measured one is given
        (0.80, "contradict", "geometry", 0.35),
        (0.80, "contradict", "model", 0.80),
        (0.80, "contradict", "abstain", None),
    ],
)
def test_a_model_behind_a_server_is_checked(typed, said, status, policy, value):
    with serving(says(json.dumps({"value": said, "unit": "m"})), models=("spatial",)) as server:
        words = ("@color.png", "How far?", "--task", "object_distance", "--objects", "block,ball", *FRAME)
        answer = answer_of(typed, *words, "--server", server.url, "--set", f"ask.policy={policy}")
    assert answer["status"] == status
    assert answer["model"] == "spatial"
    assert answer["model_value"] == pytest.approx(said)
    assert answer["geometry_value"] == pytest.approx(0.35, abs=0.015)
    assert answer["value"] == (None if value is None else pytest.approx(value, abs=0.015))


def test_choices_views_and_the_model_s_name_reach_the_server(typed):
    with serving(says('{"answer": "two"}')) as server:
        words = ("@color.png", "How many rooms?", "--choices", "one, two", "--server", server.url, "--model", "large")
        answer = answer_of(typed, *words, *FRAME, "--views", "2")
    assert (answer["task"], answer["choice"], answer["status"]) == ("choice", "two", "unchecked")
    assert answer["evidence"]["views"] == 3
    [body] = server.bodies
    assert body["model"] == "large"
    assert [part["type"] for part in body["messages"][-1]["content"]].count("image_url") == 3


def test_a_caption_needs_no_depth(typed):
    with serving(says('{"text": "Three things on a table."}')) as server:
        code, out, _ = typed("@color.png", "What is this?", "--task", "caption", "--server", server.url)
    assert code == 0
    assert out.startswith("Three things on a table.")


def test_a_clip_is_shown_in_the_order_of_time(typed):
    with serving(says('{"text": "It turns red."}')) as server:
        answer = answer_of(typed, "@clip.mp4", "What happens?", "--server", server.url)
    assert (answer["task"], answer["text"], answer["status"]) == ("clip", "It turns red.", "unchecked")
    [body] = server.bodies
    parts = body["messages"][-1]["content"]
    assert 'frames of one clip, in the order of time. "What happens?"' in parts[-1]["text"]
    pictures = [base64.b64decode(part["image_url"]["url"].partition(",")[2]) for part in parts[:-1]]
    seen = [cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) for picture in pictures]
    reds = [float(image[:, :, 2].mean()) for image in seen]
    assert reds == pytest.approx(np.linspace(0, 8 * 29, 8), abs=12)
    assert all(image.shape == (48, 64, 3) and image[:, :, :2].max() < 30 for image in seen)


def test_geometry_alone_says_nothing_of_a_clip(typed):
    answer = answer_of(typed, "@clip.mp4", "What happens?")
    assert "cannot answer this" in answer["text"]


def test_boxes_are_pixels_of_the_image(typed):
    found = {"objects": [{"bbox_2d": [0, 0, 500, 1000], "label": "cup"}]}
    with serving(says(json.dumps(found))) as server:
        answer = answer_of(typed, "@color.png", "cups", "--task", "ground_boxes", "--server", server.url)
    assert answer["boxes"] == [[0.0, 0.0, SMALL.width / 2, SMALL.height]]


def test_a_server_that_fails_is_one_line_and_exit_code_1(typed):
    with serving(fails(401, "no")) as server:
        code, out, err = typed("@color.png", "What is this?", "--server", server.url)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "JOYAI_SERVER_KEY" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("@color.png",), "at least one image and then the question"),
        (("@absent.png", "What?"), "no such colour image"),
        (("@words.png", "What?"), "not a readable image"),
        (("@words.mp4", "What?"), "no clip with frames"),
        (("@one.mp4", "What?"), "no clip with frames"),
        (("@absent.mp4", "What?"), "no such clip"),
        (("@clip.mp4", "@color.png", "What?"), "a clip stands alone"),
        (("@clip.mp4", "What?", "--camera", "@camera.json"), "a clip stands alone"),
        (("@color.png", " "), "the question is empty"),
        (("@color.png", "x" * 100_000), "100000 characters"),
        (("@color.png", "What?", "--task", "guess"), "no task 'guess'"),
        (("@color.png", "What?", "--model", "no-such-card"), "no-such-card"),
        (("@color.png", "What?", "--server", "localhost:80"), "URL"),
        (("@color.png", "What?", "--depth", "@depth.png"), "needs the camera's calibration"),
        (("@color.png", "What?", "--depth", "@depth.png", "--depth", "@depth.png"), "--depth is given 2 times"),
        (("@color.png", "How far?", "--task", "object_distance", "--objects", "cat,dog", *FRAME), "'cat'"),
        (("@color.png", "How far?", "--task", "object_distance", *FRAME), "2 objects"),
        (("@color.png", "How?", "--task", "camera_pose"), "2 images"),
        (("@color.png", "Which?", "--choices", "one"), "two different choices"),
        (("@color.png", "What?", "--set", "ask.policy=guess"), "geometry, model, abstain"),
        (("@color.png", "What?", "--up", "1,2"), "--up"),
        (("@color.png", "What?", "--views", "99"), "--views"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(typed, words, said):
    code, out, err = typed(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err
