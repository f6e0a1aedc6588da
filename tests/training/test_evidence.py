"""The line before an answer: what of a listing the answer follows from."""

from joyai_ros.training.mllm.evidence import evidence_of
from joyai_ros.understanding.listing import Entry

MUG = Entry((0.3, 0.4, 0.5, 0.6), "mug", "red", 0.04, 0.82, 0.9, 0.37, 0.12, 0.1, 0.42, mark=2)
BOX = Entry((0.1, 0.2, 0.2, 0.4), "box", "blue", -0.1, 0.6, 0.7, 0.35, 0.2, 0.15, 0.52, mark=5)
BALL = Entry((0.7, 0.2, 0.8, 0.3), "ball", "green", 0.3, 0.9, 1.0, 0.32, 0.06, 0.06, 0.32, mark=7)
ENTRIES = {2: MUG, 5: BOX, 7: BALL}


def test_it_quotes_the_fields_in_the_order_of_the_question():
    assert evidence_of("left_right", (5, 2), ENTRIES) == " r40 r54 more\n"
    assert evidence_of("object_size", (2,), ENTRIES) == " l24\n"
    assert evidence_of("object_distance", (2, 5), ENTRIES) == (
        " r54 a41 l24 r40 a30 l40 r14 a11 r26 w20 d45 l24 l24 w10 d35 l40 l16 l32\n"
    ), "0.14 and 0.22 give 0.26 m, less half of 0.12 and of 0.08, which is how wide the box looks, 0.7 m away"
    assert evidence_of("color", (5,), ENTRIES) == " blue\n"
    assert evidence_of("above_below", (2, 5), ENTRIES) == " y50 h20 y30 h20 y60 y40 less\n", "lower edges"


def test_where_a_mark_is_the_answer_the_better_of_two_is_kept():
    wanted = " (mark 7) d50 (mark 2) d45 less (mark 2) d45 (mark 5) d35 less (mark 5) d35\n"
    assert evidence_of("depth_order", (7, 2, 5), ENTRIES) == wanted
    assert evidence_of("depth_order", (5, 7), ENTRIES) == " (mark 5) d35 (mark 7) d50 more (mark 5) d35\n"
    assert evidence_of("relative_size", (2, 5), ENTRIES) == " (mark 2) l24 (mark 5) l40 more (mark 5) l40\n"
    assert evidence_of("relative_height", (5, 2), ENTRIES) == " (mark 5) t30 (mark 2) t20 less (mark 5) t30\n"
    box, box_wide = " r40 a30 l40", " w10 d35 l40 l16"
    to_mug = f"{box} r54 a41 l24 r14 a11 r26{box_wide} w20 d45 l24 l24"
    to_ball = f"{box} r80 a45 l12 r40 a15 r50{box_wide} w10 d50 l12 l12"
    wanted = f"{to_mug} (mark 2) l32{to_ball} (mark 7) l86 more (mark 2) l32\n"
    assert evidence_of("relative_distance", (5, 2, 7), ENTRIES) == wanted, "what object_distance says of each"


def test_a_listing_is_gone_through_and_what_is_found_is_counted():
    every = " thing thing x15 box blue (mark 1) x40 mug red (mark 2) x75 ball green (mark 3)\n"
    assert evidence_of("count", (7, 2, 5), ENTRIES, "object") == every
    found = " x15 box blue x40 mug red (mark 1) x75 ball green\n"
    assert evidence_of("count", (2,), ENTRIES, "mug") == " mug thing" + found
    assert evidence_of("count", (2, 9), ENTRIES, "red mug") == " mug red" + found, "what is listed is counted"
    assert evidence_of("existence", (), {}, "grey L-shaped block") == " l grey\n"
    longest = evidence_of("count", (1,), dict.fromkeys(range(40), MUG), "mug").replace("(mark ", "(mark")
    assert len(longest.split(" ")) <= 80, "a model stops there"
