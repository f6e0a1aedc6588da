"""Making stores: whole or not at all, the same again, from the simulator and from bags."""

import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.typestore import RosbagsFactory
from joyai_ros.bags.writer import BagWriter
from joyai_ros.errors import BagError, ConfigError, InputError, OutputError
from joyai_ros.settings import load
from joyai_ros.sim.bag import write_bag
from joyai_ros.training.data import build as building
from joyai_ros.training.data.build import SceneSource, build_store, recorded_sources, simulator_sources, split_of
from joyai_ros.training.data.config import DataConfig, SplitConfig
from joyai_ros.training.data.errors import StoreError
from joyai_ros.training.data.store import FILES, SHARDS, Store
from joyai_ros.training.data.validate import check_store
from tests.training.conftest import SMALL

BAG_FRAMES = 10
WHOLE = ("split.test=0", "split.validation=0", "questions.per_scene=2")
TRUTH = "/ground_truth"
SOURCES = simulator_sources(3, 2)  # one of them is of the test split


@pytest.fixture(scope="session")
def bag(tmp_path_factory) -> Path:
    return write_bag(tmp_path_factory.mktemp("bags") / "simulated", 3, BAG_FRAMES).path


@pytest.fixture(scope="session")
def quick() -> DataConfig:
    """Few questions: what is tested is how stores are made."""
    return load(DataConfig, None, [*SMALL, "questions.tasks=[left_right, color]", "simulator.longest_side=160"])


@pytest.fixture(scope="session")
def quick_store(tmp_path_factory, quick) -> Path:
    folder = tmp_path_factory.mktemp("quick") / "made"
    build_store(folder, SOURCES, 1, quick)
    return folder


@pytest.fixture
def copied(quick_store, tmp_path) -> Path:
    shutil.copytree(quick_store, tmp_path / "store")
    return tmp_path / "store"


def without(bag: Path, folder: Path, *topics: str) -> Path:
    """Copy a bag without the topics that begin like this."""
    with BagReader(bag) as reader, BagWriter(folder) as writer:
        for raw in reader.messages():
            if not raw.topic.startswith(topics):
                writer.write_raw(reader.topic_type(raw.topic), raw.data, raw.time)
    return folder


@pytest.fixture(scope="session")
def plain_bag(bag) -> Path:
    """What a robot records: images, boxes and TF."""
    return without(bag, bag.with_name("plain"), TRUTH)


def contents(folder: Path) -> list:
    store = Store(folder)
    return [store.read(entry) for entry in store.shards()]


def test_the_same_seed_gives_the_same_store(quick_store, quick, tmp_path):
    again = build_store(tmp_path / "again", SOURCES, 1, quick, workers=2)
    assert {entry.split for entry in again.shards} == {"train", "test"}
    assert again.data_hash() == Store(quick_store).manifest.data_hash()
    assert again.complete


def test_images_lie_beside_with_the_size_of_their_camera(made_store):
    store = Store(made_store)
    entry = next(store.shards())
    for frame in store.read(entry).frames:
        color, depth = store.color(entry, frame), store.depth(entry, frame)
        assert color.shape == (*frame.camera.shape, 3)
        assert 0.3 < np.median(depth[depth > 0]) < 3.0
        assert abs(np.median(depth[depth > 0]) - frame.middle_depth) < 2e-3


def test_boxes_masks_and_visibility_are_those_of_the_simulator(made_store):
    from joyai_ros.sim.tabletop import TabletopSim

    store = Store(made_store)
    for entry in store.shards():
        frame = store.read(entry).frames[0]
        with TabletopSim(int(frame.scene.rpartition("/")[2])) as sim:
            truth = sim.truth(frame.world_from_camera, frame.camera)
        for item in frame.objects:
            view = truth.view(item.id)
            assert item.measured.box == view.box
            assert item.visibility == pytest.approx(view.visible_fraction)
            np.testing.assert_allclose(item.measured.obb.center, view.camera_box.center)
            if view.box is not None:
                x0, y0, x1, y1 = map(int, view.box)
                np.testing.assert_array_equal(item.mask(), truth.mask(item.id)[y0:y1, x0:x1])


def test_answers_are_balanced(made_store):
    for content in contents(made_store):
        counts = Counter((item.task, item.key) for item in content.items)
        for task in ("left_right", "front_behind", "reidentification", "existence", "relative_size"):
            numbers = {count for (name, _), count in counts.items() if name == task}
            assert len(numbers) <= 1, f"{task}: {counts}"


def test_marks_do_not_tell_one_object_from_another(made_store):
    """In two frames of a scene an object has the same mark by chance only."""
    same = total = 0
    for content in contents(made_store):
        frames = {frame.id: [item.id for item in frame.objects] for frame in content.frames}
        for pair in content.pairs:
            same += sum(a == b for a, b in zip(frames[pair.source], frames[pair.target], strict=True))
            total += len(frames[pair.source])
    assert same < total / 2


def test_questions_that_point_by_mark_alone_do_not_name_what_they_ask_for(made_store):
    items = [item for content in contents(made_store) for item in content.items]
    colors = [item for item in items if item.task == "color"]
    assert colors
    for item in colors:
        question = item.prompt.partition(" Answer with")[0]
        assert json.loads(item.answer)["answer"] not in question
    assert len({item.template for item in items}) == 3


def test_an_interrupted_build_goes_on(tmp_path, quick, monkeypatch, quick_store):
    made = []

    def one_then_stop(job):
        if made:
            raise KeyboardInterrupt
        made.append(job.name)
        return make(job)

    make = building._make
    monkeypatch.setattr(building, "_make", one_then_stop)
    with pytest.raises(KeyboardInterrupt):
        build_store(tmp_path / "s", SOURCES, 1, quick)
    assert not Store(tmp_path / "s").manifest.complete
    again = []
    monkeypatch.setattr(building, "_make", lambda job: again.append(job.name) or make(job))
    manifest = build_store(tmp_path / "s", SOURCES, 1, quick)
    assert again
    assert set(again).isdisjoint(made)
    assert manifest.data_hash() == Store(quick_store).manifest.data_hash()


def test_a_store_of_other_settings_is_not_mixed_into(copied, quick):
    with pytest.raises(InputError, match="other settings"):
        build_store(copied, SOURCES, 1, replace(quick, jpeg_quality=50))
    with pytest.raises(InputError, match="other scenes"):
        build_store(copied, simulator_sources(4, 2), 1, quick)


def test_a_folder_of_something_else_is_left_alone(tmp_path, quick):
    (tmp_path / "letter.txt").write_text("dear all")
    with pytest.raises(InputError, match="something else"):
        build_store(tmp_path, simulator_sources(1, 1), 1, quick)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", FILES)
def test_a_shard_cut_short_is_refused_and_built_again(copied, name, quick, quick_store):
    path = copied / SHARDS / "train-00000" / name
    path.write_bytes(path.read_bytes()[:-100])
    entry = next(entry for entry in Store(copied).shards() if entry.name == "train-00000")
    with pytest.raises(StoreError, match=f"{name} is cut short"):
        Store(copied).read(entry)
    assert any("cut short" in fault.text for fault in check_store(Store(copied)))
    if name == FILES[0]:
        manifest = build_store(copied, SOURCES, 1, quick)
        assert manifest.data_hash() == Store(quick_store).manifest.data_hash()
        assert check_store(Store(copied)) == []


def test_an_image_cut_short_is_found(copied):
    image = next((copied / SHARDS / "train-00000" / "images").glob("*.jpg"))
    image.write_bytes(image.read_bytes()[:-50])
    (fault,) = check_store(Store(copied))
    assert fault.kind == "file"
    assert image.name in fault.text


def test_a_full_disk_leaves_finished_shards(tmp_path, quick, quick_store, monkeypatch):
    """The disk is full when the images of the last shard are written."""
    write_bytes = Path.write_bytes

    def limited(path, data):
        if path.suffix == ".jpg" and "test-00000" in str(path):
            raise OSError(28, os.strerror(28))
        return write_bytes(path, data)

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", limited)
        with pytest.raises(OutputError, match=r"test-00000 .*No space left on device.*finished shards are whole"):
            build_store(tmp_path / "s", SOURCES, 1, quick)
    store = Store(tmp_path / "s")
    assert not store.manifest.complete
    assert not list((tmp_path / "s" / SHARDS).glob("*.partial"))
    assert [store.read(entry).frames[0].scene for entry in store.shards()]
    assert build_store(tmp_path / "s", SOURCES, 1, quick).data_hash() == Store(quick_store).manifest.data_hash()


def test_a_table_that_does_not_fit_on_the_disk(tmp_path, quick, monkeypatch):
    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(OutputError, match="No space left on device"):
        build_store(tmp_path / "s", SOURCES[:1], 1, quick)
    assert not list((tmp_path / "s" / SHARDS).iterdir())


def test_unknown_settings_are_errors():
    with pytest.raises(ConfigError, match="unknown key 'questions"):
        load(DataConfig, None, ["questions.margin=1"])
    with pytest.raises(ConfigError, match="no questions are made of 'caption'"):
        build_store(Path("x"), simulator_sources(1, 1), 1, load(DataConfig, None, ["questions.tasks=[caption]"]))
    assert not Path("x").exists()


def test_splits_go_by_the_scene_alone():
    shares = SplitConfig(validation=0.2, test=0.2)
    splits = Counter(split_of(f"tabletop-v1/{seed:06d}", 0, shares) for seed in range(1000))
    assert 140 < splits["test"] < 260
    assert 140 < splits["validation"] < 260
    wider = SplitConfig(validation=0.3, test=0.2)  # a larger validation set keeps the test set
    for seed in range(50):
        name = f"tabletop-v1/{seed:06d}"
        assert (split_of(name, 0, shares) == "test") == (split_of(name, 0, wider) == "test")


def test_a_bag_with_ground_truth(bag, tmp_path):
    config = load(DataConfig, None, [*WHOLE, "recording.frames=4"])
    sources = recorded_sources([bag], 0)
    assert sources == [SceneSource("tabletop-v1/000003", 0, bag)]  # the same scene as that of the simulator, for splits
    build_store(tmp_path / "s", sources, 0, config)
    assert check_store(Store(tmp_path / "s")) == []
    (content,) = contents(tmp_path / "s")
    assert len(content.frames) == 4
    assert all(item.exact for frame in content.frames for item in frame.objects)
    assert {item.task for item in content.items} >= {"left_right", "color", "object_height", "correspondence"}
    assert content.pairs


def test_visibility_is_estimated_where_the_bag_does_not_tell(bag, tmp_path):
    """The estimate takes boxes for objects; it is near enough to tell hidden from seen."""
    from joyai_ros.sim.tabletop import TabletopSim

    build_store(tmp_path / "s", recorded_sources([bag], 0), 0, load(DataConfig, None, [*WHOLE, "recording.frames=2"]))
    (content,) = contents(tmp_path / "s")
    errors = []
    with TabletopSim(3) as sim:
        for frame in content.frames:
            truth = sim.truth(frame.world_from_camera, frame.camera)
            errors += [item.visibility - truth.view(item.id).visible_fraction for item in frame.objects]
    assert np.median(np.abs(errors)) < 0.15


def test_a_bag_without_ground_truth(plain_bag, tmp_path):
    config = load(DataConfig, None, [*WHOLE, "recording.frames=4"])
    build_store(tmp_path / "s", recorded_sources([plain_bag], 0), 0, config)
    assert check_store(Store(tmp_path / "s")) == []
    (content,) = contents(tmp_path / "s")
    objects = [item for frame in content.frames for item in frame.objects]
    assert objects
    assert not any(item.exact for item in objects)
    assert all((item.measured.center_sigma > 0).all() for item in objects)
    assert content.items
    assert content.pairs


def test_a_bag_without_poses(plain_bag, tmp_path):
    bare = without(plain_bag, tmp_path / "bare", "/tf")
    with pytest.raises(BagError, match="without a camera pose"):
        build_store(tmp_path / "s", recorded_sources([bare], 0), 0, load(DataConfig, None, WHOLE))
    assert not list((tmp_path / "s" / SHARDS).glob("*"))


def test_a_bag_without_objects(plain_bag, tmp_path):
    config = load(DataConfig, None, [*WHOLE, "recording.least_views=1000"])
    with pytest.raises(BagError, match="no object was found"):
        build_store(tmp_path / "s", recorded_sources([plain_bag], 0), 0, config)


def test_a_bag_that_is_given_twice(bag, tmp_path):
    shutil.copytree(bag, tmp_path / "copy")
    with pytest.raises(ConfigError, match="are one scene"):
        recorded_sources([bag, tmp_path / "copy"], 0)


def test_ground_truth_of_somebody_else(plain_bag, tmp_path):
    """A topic of the simulator's name that holds something else."""
    factory = RosbagsFactory()
    with BagReader(plain_bag) as reader, BagWriter(tmp_path / "other") as writer:
        text = factory("std_msgs/msg/String")(data="{}")
        writer.write(f"{TRUTH}/scene", "std_msgs/msg/String", text, reader.start)
        for raw in reader.messages():
            writer.write_raw(reader.topic_type(raw.topic), raw.data, raw.time)
    with pytest.raises(BagError, match="not what the simulator writes"):
        recorded_sources([tmp_path / "other"], 0)


def test_a_bag_that_is_none(tmp_path):
    with pytest.raises(BagError):
        recorded_sources([tmp_path / "nothing"], 0)


def test_a_mask_of_another_object_does_not_come_back():
    """Two objects swap their masks in one of three frames: the cycle through the others finds it."""
    from joyai_ros.training.data.crossview import without_strays
    from joyai_ros.training.data.from_simulator import simulated_frames

    frames = simulated_frames(3, replace(load(DataConfig, None, SMALL).simulator, frames=3, straight_share=0.0))
    kept, dropped = without_strays(frames)
    assert dropped == 0
    one, *others = frames
    a, b, *rest = sorted(one.objects, key=lambda item: -item.visibility * item.measured.points)
    swapped = (replace(a, measured=replace(a.measured, id=b.id)), replace(b, measured=replace(b.measured, id=a.id)))
    kept, dropped = without_strays([replace(one, objects=(*swapped, *rest)), *others])
    assert dropped >= 2
    assert {a.id, b.id}.isdisjoint(item.id for item in kept[0].objects)


def test_depth_is_stored_in_millimetres(made_store):
    path = next((made_store / SHARDS).glob("*/images/*.png"))
    assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).dtype == np.uint16
