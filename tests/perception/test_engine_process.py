import dataclasses
import os
import signal
import threading

import numpy as np
import pytest

from joyai_ros.errors import JoyaiError
from joyai_ros.geometry.cameras import Camera
from joyai_ros.perception.engine_process import EngineProcess
from joyai_ros.scene.config import SceneConfig
from joyai_ros.scene.engine import SceneEngine
from joyai_ros.scene.observation import Detection, Observation
from tests.bags import synthetic
from tests.messages.same import assert_same


def observation(index=0, **changes):
    fields = {
        "color": synthetic.color_image(index),
        "camera": synthetic.CAMERA,
        "depth": synthetic.depth_image(index),
        "stamp": synthetic.stamp_of(index),
        "world_from_camera": synthetic.world_from_camera(index),
        "detections": (Detection("box_0", "box", synthetic.BOX, mask=np.ones((60, 80), bool)),),
    }
    return Observation(**{**fields, **changes})


@pytest.fixture(scope="module")
def engine():
    with EngineProcess(SceneConfig()) as process:
        yield process


def test_scenes_are_those_of_an_engine_here(engine):
    here = SceneEngine(SceneConfig())
    for index in range(4):
        there, expected = engine.process(observation(index)), here.process(observation(index))
        assert_same(dataclasses.replace(expected, seconds=0.0), dataclasses.replace(there, seconds=0.0))


@pytest.mark.parametrize(
    "changes", [{"depth": None}, {"color": synthetic.color_image(0)[:, ::-1]}, {"detections": None}]
)
def test_any_observation_can_be_sent(engine, changes):
    scene = engine.process(observation(9, **changes))
    assert scene.stamp == synthetic.stamp_of(9)


def test_an_error_of_the_engine_is_raised_here_and_the_next_frame_goes_on(engine):
    broken = observation(10)
    object.__setattr__(broken, "detections", (object(),))
    with pytest.raises(AttributeError):
        engine.process(broken)
    assert engine.process(observation(11)).stamp == synthetic.stamp_of(11)


def test_observations_can_be_sent_ahead(engine):
    ahead = [observation(index) for index in (12, 13)]
    sender = threading.Thread(target=lambda: [engine.send(item) for item in ahead])
    sender.start()
    sender.join(60)  # so small that both wait in the pipe
    with pytest.raises(ValueError, match="in another order"):
        engine.process(ahead[1])
    assert [engine.process(item).stamp for item in ahead] == [synthetic.stamp_of(12), synthetic.stamp_of(13)]


def test_who_waits_to_send_is_let_go():
    large = Camera(1280, 960, 900.0, 900.0, 640.0, 480.0)
    frame = Observation(np.zeros((960, 1280, 3), np.uint8), large, np.ones((960, 1280), np.float32), stamp=1)
    with EngineProcess(SceneConfig()) as engine:
        failed = []

        def send():
            try:
                while True:
                    engine.send(frame)
            except JoyaiError as error:
                failed.append(error)

        sender = threading.Thread(target=send)
        sender.start()
        engine.stop()
        sender.join(60)
        assert not sender.is_alive()
        assert len(failed) == 1


def test_a_process_that_dies_is_an_error():
    with EngineProcess(SceneConfig()) as engine:
        engine.process(observation())
        os.kill(engine._child.pid, signal.SIGKILL)
        engine._child.wait()
        with pytest.raises(JoyaiError, match=r"the process of the scene engine ended by itself \(code -9\)"):
            engine.process(observation(1))


def test_the_process_ends_with_its_user():
    with EngineProcess(SceneConfig()) as engine:
        child = engine._child
        assert child.poll() is None
    assert child.returncode == 0
