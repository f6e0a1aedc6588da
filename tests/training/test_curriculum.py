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
from joyai_ros.training.mllm.curriculum import (
    VARIANTS,
    _numbered,
    entries_of,
    exercises_of,
    mistaken,
    steepened,
    unsure,
)
from joyai_ros.training.mllm.windows import Windows
from joyai_ros.understanding.formats import GRID
from joyai_ros.understanding.listing import MIDDLE, Entry, box_words, listing_text, within
from joyai_ros.understanding.tasks import MOVES

BOX = r" x\d\d y\d\d w\d\d h\d\d"
SEEN = rf"{BOX} [a-z]+ [a-z]+ y\d\d"
NUMBER = r" [a-z]\d\d"
# Of the line that works out how far apart two things are: the way between the middles, how wide a thing is, and all of it.
ACROSS, WIDE = "ralralrar", "wdll"
APART = ACROSS + 2 * WIDE + "l"
SHIFTED = "xyray"
MOVED = {
    "r": ("left", "right"),
    "y": ("up", "down"),
    "a": ("backward", "forward"),
    "x": ("turned left", "turned right"),
}
ENTRY = rf"( \(mark \d+\))?{SEEN} r\d\d a\d\d d\d\d y\d\d l\d\d t\d\d"


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
        assert re.fullmatch(rf"{SEEN} t\d\d|\.", sample.answer)
        words = re.findall(r" \S+|\.", sample.answer)
        told = (
            [words[4], words[-1]] if len(words) > 1 else words
        )  # what is there and how high it stands, or that nothing is
        assert sorted(word for *_, word in image.shows) == sorted([*words, *told, *told]), "which counts three times"
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
                numbers = re.findall(NUMBER, evidence)
                quoted = _quoted(numbers, "value" in said)
                assert set(quoted) <= set(re.findall(NUMBER, sample.lead)), "it quotes what stands there"


def _quoted(numbers, is_length):
    """Return the numbers before an answer that are not worked out from others."""
    if "".join(word[1] for word in numbers) == 2 * APART + "l":  # two ways between things, and the shorter again
        *ways, shorter = numbers
        one, other = ways[: len(APART)], ways[len(APART) :]
        assert shorter == min(one[-1], other[-1])
        return [word for way in (one, other) for word in _quoted(way, is_length=True)]
    worked_out = _worked_out(numbers, is_length)
    return [word for place, word in enumerate(numbers) if place not in worked_out]


def _worked_out(numbers, is_length):
    """Return the places of the numbers before an answer that are worked out from the others, and work them out again."""
    found = [int(word[2:]) for word in numbers]
    fields = "".join(word[1] for word in numbers)
    if fields == 3 * SHIFTED:
        shifts = [min(max(50 + second - first, 0), 99) for first, second in zip(found[:5], found[5:10], strict=True)]
        assert found[10:] == shifts
        return range(10, 15)
    if fields == "yhyhyy":
        (y1, h1, y2, h2), lower_edges = found[:4], found[4:]
        assert lower_edges == pytest.approx([y1 + h1 / 2, y2 + h2 / 2], abs=0.51)
        return range(4, 6)
    if fields == WIDE:
        _is_width(*found)
        return range(3, 4)
    if fields == "r" + 2 * WIDE + "l":
        _is_left(*found)
        return (4, 8, 9)
    if fields == ACROSS:
        _is_across(*found)
        return range(6, 9)
    if not is_length or fields != APART:
        return ()
    _is_across(*found[:9])
    _is_left(*found[8:])
    return (6, 7, 8, 12, 16, 17)


def _is_across(r1, a1, _, r2, a2, __, right, ahead, way):
    assert (right, ahead) == (abs(r1 - r2), abs(a1 - a2))
    assert way == pytest.approx(min(100 * math.hypot(right * 0.01, ahead * 0.02), 99), abs=0.51)


def _is_width(width, distance, longest, wide):
    assert wide == pytest.approx(min(width / 100 / 0.89 * distance * 0.02 / 0.005, longest), abs=0.51)


def _is_left(way, *rest):
    *things, left = rest
    for thing in (things[:4], things[4:]):
        _is_width(*thing)
    shorter = way * 0.01 - (things[3] + things[7]) * 0.005 / 2
    assert left == pytest.approx(min(max(shorter, 0.0) / 0.005, 99), abs=0.51)


def test_a_motion_is_asked_with_both_listings_or_with_what_is_quoted_of_them(exercises):
    answers: Counter[str] = Counter()
    is_given: Counter[bool] = Counter()
    for sample in exercises["motions"]:
        if sample.task != "questions":
            continue
        turned = r"(?:(?:r\d\d a\d\d ){3}x\d\d ){2}x\d\d x\d\d (?:r\d\d a\d\d ){4}y\d\d y\d\d"
        spread = r"(?:x\d\d y\d\d ){3}w\d\d w\d\d w\d\d (?:y\d\d x\d\d ){2}y\d\d x\d\d"
        quotes, *ways = re.fullmatch(
            rf"(.*?)(?: {turned} {spread}| y\d\d y\d\d)?({NUMBER})({NUMBER})({NUMBER})({NUMBER})({NUMBER})",
            _line(sample),
        ).groups()
        assert bool(sample.lead) != bool(sample.given) or not quotes
        if sample.lead:
            first, second = (set(re.findall(NUMBER, line)) for line in sample.lead.splitlines())
            for thing in re.findall(rf" x\d\d [a-z]+ [a-z]+((?:{NUMBER})*?)(?= x\d\d [a-z]+ [a-z]|$)", quotes):
                numbers = re.findall(NUMBER, thing)
                assert len(numbers) in (0, 15) and set(_quoted(numbers, is_length=False)) <= first | second
        furthest = max(ways[:4], key=lambda word: abs(int(word[2:]) - 50))
        assert ways[4][2:] == furthest[2:] or abs(int(ways[4][2:]) - 50) == abs(int(furthest[2:]) - 50)
        said = json.loads(sample.answer.partition("\n")[2])["answer"]
        side = int(ways[4][2:]) - 50
        assert said == ("not at all" if abs(side) < 1 else MOVED[ways[4][1]][side > 0])
        answers[said] += 1
        is_given[bool(sample.given)] += 1
    assert min(is_given.values()) > 0.3 * is_given.total()
    assert len(answers) >= 5 and max(answers.values()) < 0.5 * answers.total()


def test_from_one_place_a_thing_is_seen_as_before_and_from_another_it_errs_anew(exercises):
    apart: dict[bool, list[int]] = {False: [], True: []}
    for sample in exercises["motions"]:
        if sample.task == "questions" and sample.given:
            still = json.loads(sample.answer.partition("\n")[2])["answer"] == "not at all"
            shifts = re.findall(rf" x\d\d [a-z]+ [a-z]+(?:{NUMBER}){{12}} r(\d\d) a(\d\d)", sample.given)
            apart[still] += [abs(int(number) - 50) for pair in shifts for number in pair]
    far = {still: float(np.mean(np.array(steps) > 4)) for still, steps in apart.items()}
    assert far[True] < 0.05 and far[False] > 0.3


def test_where_things_lie_goes_together(opened):
    for frame in opened.read(next(iter(opened.shards("train")))).frames:
        for plain, mirrored in zip(entries_of(frame, True), entries_of(frame, True, mirrored=True), strict=True):
            for entry in (plain, mirrored):
                level = math.hypot(entry.right, entry.ahead)
                assert math.hypot(level, entry.below) == pytest.approx(entry.distance)
                assert level * math.tan(entry.steep) == pytest.approx(entry.below)
            assert (mirrored.right, mirrored.below, mirrored.steep) == (-plain.right, plain.below, plain.steep)


def test_a_model_leans_to_what_is_usual_in_saying_how_steep_things_are(opened):
    random = np.random.default_rng(0)
    entry = entries_of(opened.read(next(iter(opened.shards("train")))).frames[0], True)[0]
    usual = math.radians(33.0)
    for steep in (0.2, usual, 0.9):
        images = [steepened([replace(entry, steep=steep)] * 4, random) for _ in range(1000)]
        said = np.array([[each.steep for each in image] for image in images])
        assert abs(said.mean() - usual) == pytest.approx(0.8 * abs(steep - usual), abs=0.01)
        assert said.std() == pytest.approx(math.radians(math.hypot(3.0, 5.0)), rel=0.1)
        assert said.mean(1).std() == pytest.approx(math.radians(math.hypot(3.0, 5.0 / 2)), rel=0.1), "all of an image"


def test_sums_are_what_answers_work_out(exercises):
    practised: Counter[str] = Counter()
    for sample in exercises["sums"][: 4 * VARIANTS]:
        assert not sample.images and not sample.asks and not sample.prompt + sample.lead
        numbers, given = re.findall(NUMBER, _line(sample)), re.findall(NUMBER, sample.given)
        worked_out = _worked_out(numbers, is_length=True)
        assert "".join(given) == sample.given and given == numbers[: len(given)]
        assert set(range(len(given), len(numbers))) <= set(worked_out), "all that follows is worked out"
        fields = "".join(word[1] for word in numbers)
        practised[fields] += 1
        if fields == "yhyhyy":
            assert ("less" in sample.answer) == (numbers[-1] < numbers[-2])
    parts = {ACROSS, WIDE, "r" + 2 * WIDE + "l"}
    assert set(practised) == {*parts, "yhyhyy", 3 * SHIFTED} and min(practised.values()) > VARIANTS / 3


def _line(sample):
    return (sample.given + sample.answer).partition("\n")[0]


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


def test_what_stands_on_another_thing_is_raised_by_it_and_looked_at_more_often(opened):
    from_top = []
    looks: Counter[bool] = Counter()
    random = np.random.default_rng(0)
    for frame in (frame for entry in opened.shards("train") for frame in opened.read(entry).frames):
        listed = entries_of(frame, True)
        feet = {each.mark: each.below + each.height / 2 for each in listed}
        tops = {each.mark: each.below - each.height / 2 for each in listed}
        on_others = {each.mark for each in listed if each.raised > 0.01}
        from_top += [min(abs(feet[mark] - top) for other, top in tops.items() if other != mark) for mark in on_others]
        ground = max(feet.values())
        assert all(feet[mark] == pytest.approx(ground, abs=0.01) for mark in feet.keys() - on_others)
        if 0 < len(on_others) < len(listed):
            windows = Windows({each.mark: each for each in listed}, {}, frame.camera.shape)
            drawn = [shown.mark in on_others for _, shown in (windows.draw(random) for _ in range(200)) if shown]
            for kind, count in ((True, len(on_others)), (False, len(listed) - len(on_others))):
                looks[kind] += drawn.count(kind) / count
    assert len(from_top) > 3 and np.median(from_top) < 0.003, "their feet are on the top of another thing"
    assert looks[True] / looks[False] == pytest.approx(3, rel=0.25)


def test_of_two_things_the_ground_is_that_of_the_lower_one(opened):
    compared = 0
    for frame in (frame for entry in opened.shards("train") for frame in opened.read(entry).frames):
        raised = {each.mark: each.raised for each in entries_of(frame, True)}
        ground, *_ = sorted(raised, key=raised.__getitem__)
        for mark in raised.keys() - {ground}:
            if raised[ground] == 0.0 and raised[mark] > 0.01:
                both = [thing for number, thing in enumerate(frame.objects, start=1) if number in (ground, mark)]
                highest = max(each.raised for each in entries_of(replace(frame, objects=tuple(both)), True))
                assert highest == pytest.approx(raised[mark], abs=0.01)
                compared += 1
    assert compared > 3


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
    entries = [
        Entry((0.1 * k, 0.2, 0.1 * k + 0.1, 0.4), f"kind{k}", "red", 0, 1, 1, 0.5, 0.1, 0.1, 0.5) for k in range(8)
    ]
    wrong = 0
    for seed in range(200):
        called = mistaken(entries, np.random.default_rng(seed))
        assert [replace(each, kind="") for each in called] == [replace(each, kind="") for each in entries]
        assert {each.kind for each in called} <= {each.kind for each in entries}
        wrong += sum(one.kind != other.kind for one, other in zip(called, entries, strict=True))
    assert wrong / 1600 == pytest.approx(0.1 * 7 / 8, abs=0.03)


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
                random, views = np.random.default_rng(0), [frames[name] for name in item.frames]
                drawn = [asked for move in MOVES if (asked := ask_motion(*views, move, random)) is not None]
                assert len(drawn) <= 1
                answer = drawn[0].answer if drawn else None
            elif item.task not in comparisons._MARKED or not set(item.objects) <= set(things):
                continue
            else:
                answer = comparisons._MARKED[item.task][1]([things[name] for name in item.objects])
            if answer is not None:
                assert json.loads(answer) == json.loads(item.answer), (item.task, item.prompt)
                agreed[item.task] += 1
    assert set(agreed) >= {"left_right", "front_behind", "depth_order", "relative_size", "camera_distance", "color"}
    assert agreed["left_right"] >= 10 and agreed["camera_motion"] >= 3
