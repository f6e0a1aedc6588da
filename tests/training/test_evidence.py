"""The line before an answer: what of a listing the answer follows from."""

from joyai_ros.training.mllm.evidence import evidence_of, motion_evidence
from joyai_ros.understanding.listing import Entry

MUG = Entry((0.3, 0.4, 0.5, 0.6), "mug", "red", 0.04, 0.82, 0.9, 0.12, 0.1, mark=2)
BOX = Entry((0.1, 0.2, 0.2, 0.4), "box", "blue", -0.1, 0.6, 0.7, 0.2, 0.15, mark=5)
BALL = Entry((0.7, 0.2, 0.8, 0.3), "ball", "green", 0.3, 0.9, 1.0, 0.06, 0.06, mark=7)
ENTRIES = {2: MUG, 5: BOX, 7: BALL}


def test_it_quotes_the_fields_in_the_order_of_the_question():
    assert evidence_of("left_right", (5, 2), ENTRIES) == " r40 r54\n"
    assert evidence_of("object_size", (2,), ENTRIES) == " l24\n"
    assert evidence_of("object_distance", (2, 5), ENTRIES) == " r54 a41 l24 r40 a30 l40\n"
    assert evidence_of("color", (5,), ENTRIES) == " blue\n"


def test_where_a_mark_is_the_answer_each_stands_behind_its_own():
    assert evidence_of("depth_order", (7, 2, 5), ENTRIES) == " (mark 7) d50 (mark 2) d45 (mark 5) d35\n"
    assert evidence_of("above_below", (2, 5), ENTRIES) == " mug y50 h20 a41 box y30 h20 a30\n"


def test_what_was_found_is_numbered_from_left_to_right():
    assert evidence_of("count", (7, 2, 5), ENTRIES) == " (mark 1) x15 (mark 2) x40 (mark 3) x75\n"
    assert evidence_of("existence", (), ENTRIES) == "\n"
    assert evidence_of("count", (2, 9), ENTRIES) == " (mark 1) x40\n", "what is not listed is not quoted"


def test_a_motion_shows_in_the_outermost_things_that_both_views_name_once():
    first = {"mug": MUG, "box": BOX, "ball": BALL}
    second = {"mug": BOX, "box": MUG}
    assert motion_evidence(first, first) == " box blue r40 a30 r40 a30 ball green r80 a45 r80 a45\n"
    assert motion_evidence(first, {"box": MUG}) == " box blue r40 a30 r54 a41\n"
    assert motion_evidence({**first, "twin": BOX}, {"box": BOX}) == "\n", "which of two it is cannot be said"
    assert motion_evidence(first, {}) == motion_evidence({}, second) == "\n"
