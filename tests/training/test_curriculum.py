"""Exercises: the same for the same numbers, in the words of the task table, and right."""

import json
import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from joyai_ros.training.data.build import build_store, simulator_sources
from joyai_ros.training.data.store import Store
from joyai_ros.training.mllm import comparisons
from joyai_ros.training.mllm.comparisons import ask_motion, things_of
from joyai_ros.training.mllm.curriculum import VARIANTS, _numbered, entries_of, exercises_of, mistaken, unsure
from joyai_ros.training.mllm.windows import Windows
from joyai_ros.understanding.formats import GRID
from joyai_ros.understanding.listing import MIDDLE, Entry, box_words, listing_text, within

BOX = r" x\d\d y\d\d w\d\d h\d\d"
SEEN = rf"{BOX} [a-z]+ [a-z]+"
ENTRY = rf"( \(mark \d+\))?{SEEN} r\d\d a\d\d d\d\d l\d\d t\d\d"


@pytest.fixture(scope="module")
def opened(made_store):
    return Store(made_store)


@pytest.fixture(scope="module")
def exercises(opened):
    return exercises_of(opened, "train", 3)


def test_an_exercise_follows_from_its_number(opened, exercises):
    again = exercises_of(opened, "train", 3)
    for kind, found in exercises.items():
        frames = sum(entry.counts["frames"] for entry in opened.shards("train"))
        assert len(found) == VARIANTS * frames
        numbers = [0, 1, VARIANTS, len(found) - 1]
        assert [found[n] for n in numbers] == [again[kind][n] for n in numbers]
        assert found[0] != exercises_of(opened, "train", 4)[kind][0]
        with pytest.raises(IndexError):
            found[len(found)]


def test_windows_are_asked_of_parts_of_images_and_comparisons_of_none(exercises):
    for sample in exercises["glances"][: 2 * VARIANTS]:
        assert len(sample.images) == 12 and not sample.prompt + sample.answer and not sample.asks
        assert len({(image.frame, image.mirrored, image.gain) for image in sample.images}) == 1
    for sample in exercises["windows"][: 4 * VARIANTS]:
        (image,) = sample.images
        assert (
            sample.prompt == "".join(box_words(image.window)) and re.fullmatch(BOX, sample.prompt) and not sample.asks
        )
        assert re.fullmatch(rf"{SEEN}|\.", sample.answer)
        assert sorted(word for *_, word in image.shows) == sorted(re.findall(r" \S+|\.", sample.answer))
    assert {s.images[0].mirrored for s in exercises["windows"][:VARIANTS]} == {False, True}
    for sample in exercises["lengths"][: 2 * VARIANTS]:
        assert not sample.images and not sample.asks
        assert re.fullmatch(rf"({SEEN};)*{SEEN}\.", sample.prompt)
        assert re.fullmatch(rf"({ENTRY};)*{ENTRY}\.", sample.answer)
        assert ";".join(re.findall(SEEN, sample.answer)) + "." == sample.prompt
    for sample in exercises["choices"][:VARIANTS]:
        if sample.task == "questions":
            for prompt, answer in [(sample.prompt, sample.answer), *sample.more]:
                assert set(json.loads(answer.partition("\n")[2])) == {"answer"}
                assert set(re.findall(r"\(mark \d+\)", prompt)) == set(re.findall(r"\(mark \d+\)", sample.lead))
    for kind in ("choices", "comparisons"):
        asked = [s for s in exercises[kind][:VARIANTS] if s.task == "questions"]
        assert len(asked) > VARIANTS / 2
        for sample in asked:
            assert all(re.fullmatch(rf"({ENTRY};)*{ENTRY}\.", line) for line in sample.lead.splitlines())
            assert not sample.images
            for _, answer in [(sample.prompt, sample.answer), *sample.more]:
                evidence, _, said = answer.partition("\n")
                assert set(json.loads(said)) in ({"answer"}, {"count"}, {"value", "unit"})
                numbers = re.findall(r" [a-z]\d\d", evidence)
                worked_out = numbers[6:] if "value" in said else []
                quoted = numbers[: len(numbers) - len(worked_out)]
                if worked_out:
                    (r1, a1, l1, r2, a2, l2), found = (
                        [int(word[2:]) for word in some] for some in (quoted, worked_out)
                    )
                    right, ahead = abs(r1 - r2), abs(a1 - a2)
                    way = math.hypot(right * 0.01, ahead * 0.02)
                    left = max(way - 0.4 * (l1 + l2) * 0.005, 0.0) / 0.005
                    assert found == pytest.approx([right, ahead, 100 * way, min(left, 99)], abs=0.51)
                assert set(quoted) <= set(re.findall(r" [a-z]\d\d", sample.lead)), "it quotes what stands there"


def test_what_is_in_the_middle_of_a_window_is_the_nearest_thing_there(opened):
    random = np.random.default_rng(0)
    found: Counter[bool] = Counter()
    for frame in opened.read(next(iter(opened.shards("train")))).frames:
        seen = _numbered(frame, False, False)
        windows = Windows({}, seen, frame.camera.shape)  # none of a box that is known
        for _ in range(200):
            window, entry = windows.draw(random)
            wide, high = (np.array(window[2:]) - window[:2]) * frame.camera.size
            assert wide == pytest.approx(high) and 0.0 < wide <= 0.6 * frame.camera.size[0] + 1e-6
            inner = {
                number: np.array(within(each.box, window)).reshape(2, 2).mean(0) - 0.5 for number, each in seen.items()
            }
            near = {number: np.hypot(*off) for number, off in inner.items() if np.abs(off).max() <= MIDDLE}
            assert entry == (seen[min(near, key=near.__getitem__)] if near else None)
            found[entry is None] += 1
    assert min(found.values()) > 100
    known = Windows(seen, {}, frame.camera.shape)
    drawn = [known.draw(random) for _ in range(100)]
    kept = [(window, entry) for window, entry in drawn if entry is not None]
    assert 10 < len(kept) < 50
    for window, entry in kept:
        assert np.abs(np.array(within(entry.box, window)).reshape(2, 2).mean(0) - 0.5).max() < 0.25


def test_a_listing_says_where_things_are(opened):
    for entry in opened.shards("train"):
        for frame in opened.read(entry).frames:
            plain, mirrored = entries_of(frame, True), entries_of(frame, True, True)
            assert [e.mark for e in plain] == [n for n, o in enumerate(frame.objects, 1) if o.measured.box is not None]
            for one, other in zip(plain, mirrored, strict=True):
                assert one.right == -other.right and one.box[1] == other.box[1]
                assert one.box[0] + other.box[2] == pytest.approx(1.0)
                assert one.distance**2 >= one.right**2 + one.ahead**2
            words = listing_text(plain).removesuffix(".").split(";")
            middles = [int(word.split()[2][1:]) for word in words]
            assert middles == sorted(middles) and max(middles) < GRID


def test_given_lengths_are_as_uncertain_as_written_ones(opened):
    frame = opened.read(next(iter(opened.shards("train")))).frames[0]
    exact = dict(enumerate(entries_of(frame, True), start=1))
    ratios = []
    for seed in range(200):
        found = unsure(exact, np.random.default_rng(seed))
        assert [e.box for e in found.values()] == [e.box for e in exact.values()]
        ratios.append(found[1].distance / exact[1].distance)
    assert 0.3 < np.mean(np.array(ratios) == 1.0) < 0.5
    assert 0.04 < np.std(ratios) < 0.09


def test_now_and_then_a_thing_is_called_like_another():
    entries = [Entry((0.1 * k, 0.2, 0.1 * k + 0.1, 0.4), f"kind{k}", "red", 0, 1, 1, 0.1, 0.1) for k in range(8)]
    wrong = 0
    for seed in range(200):
        called = mistaken(entries, np.random.default_rng(seed))
        assert [replace(each, kind="") for each in called] == [replace(each, kind="") for each in entries]
        assert {each.kind for each in called} <= {each.kind for each in entries}
        wrong += sum(one.kind != other.kind for one, other in zip(called, entries, strict=True))
    assert wrong / 1600 == pytest.approx(0.2 * 7 / 8, abs=0.03)


@pytest.fixture(scope="module")
def many(tmp_path_factory, small_config):
    """More questions of these scenes, derived with every check."""
    import dataclasses

    questions = dataclasses.replace(small_config.questions, per_scene=12.0)
    folder = tmp_path_factory.mktemp("many") / "store"
    build_store(folder, simulator_sources(4, 1), 1, dataclasses.replace(small_config, questions=questions))
    return Store(folder)


def test_quick_answers_are_those_of_the_checks(many):
    agreed: Counter[str] = Counter()
    for entry in many.shards():
        content = many.read(entry)
        frames = {frame.id: frame for frame in content.frames}
        for item in content.items:
            things = {thing.seen.id: thing for thing in things_of(frames[item.frames[0]])}
            if item.task == "camera_motion":
                asked = ask_motion(*(frames[name] for name in item.frames), np.random.default_rng(0))
                answer = None if asked is None else asked.answer
            elif item.task not in comparisons._MARKED or not set(item.objects) <= set(things):
                continue
            else:
                answer = comparisons._MARKED[item.task][1]([things[name] for name in item.objects])
            if answer is not None:
                assert json.loads(answer) == json.loads(item.answer), (item.task, item.prompt)
                agreed[item.task] += 1
    assert set(agreed) >= {"left_right", "front_behind", "depth_order", "relative_size", "camera_distance", "color"}
    assert agreed["left_right"] >= 10 and agreed["camera_motion"] >= 3
