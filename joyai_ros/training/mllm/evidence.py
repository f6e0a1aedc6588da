"""What of a listing an answer follows from: a model writes it down before the answer, as one line.

A comparison of two numbers of a listing is learned in a few hundred steps where they stand side by side, and hardly at all
where they have to be found and compared at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from joyai_ros.understanding.listing import EVIDENCE_END, Entry, content_words, field_words, in_order, mark_word

# The fields of each thing that an answer follows from.
_FIELDS = {
    "left_right": "r",
    "front_behind": "a",
    "above_below": "yha",
    "depth_order": "d",
    "relative_size": "l",
    "relative_height": "t",
    "relative_distance": "ra",
    "camera_distance": "d",
    "object_distance": "ral",
    "object_size": "l",
    "object_height": "t",
    "object_camera": "ra",
    "direction_to_go": "ra",
}
_BY_KIND = ("above_below",)  # what lies on what depends on what they are
_AMONG = ("depth_order", "relative_size", "relative_height", "relative_distance")  # answered by a mark
_FOUND = ("count", "existence")  # of what was found among all, each with its number and its place
_PLACE, _PLACE_AROUND = "x", "ra"


def evidence_of(task: str, about: Sequence[int], entries: Mapping[int, Entry]) -> str:
    """Return the line before an answer.

    Args:
        task: of the question.
        about: numbers of the things that it is about, or that were found.
        entries: of the listing, by number.
    """
    known = [number for number in about if number in entries]
    if task in _FOUND:
        found = in_order([entries[number] for number in known])
        words = [mark_word(place) + field_words(entry)[_PLACE] for place, entry in enumerate(found, 1)]
    else:
        words = [_words(task, number, entries[number]) for number in known]
    return "".join(words) + EVIDENCE_END


def _words(task: str, number: int, entry: Entry) -> str:
    """Return what is quoted of one thing."""
    if task == "color":
        return content_words(entry)[1]
    fields = field_words(entry)
    quoted = "".join(fields[field] for field in _FIELDS[task])
    if task in _BY_KIND:
        quoted = content_words(entry)[0] + quoted
    return mark_word(number) + quoted if task in _AMONG else quoted


def motion_evidence(first: Mapping[str, Entry], second: Mapping[str, Entry]) -> str:
    """Return the line before the answer how the camera moved: where two things lie, seen from both places.

    They are the outermost, to the left and to the right, of what both listings name alike and name once.

    Args:
        first, second: entries of the two listings, by object.
    """
    known = [name for name in first if name in second and _is_named_once(name, first) and _is_named_once(name, second)]
    known.sort(key=lambda name: first[name].box[0] + first[name].box[2])
    words = []
    for name in dict.fromkeys([*known[:1], *known[-1:]]):
        words += content_words(first[name])
        words += [field_words(entry)[field] for entry in (first[name], second[name]) for field in _PLACE_AROUND]
    return "".join(words) + EVIDENCE_END


def _is_named_once(name: str, listing: Mapping[str, Entry]) -> bool:
    named = content_words(listing[name])
    return sum(content_words(entry) == named for entry in listing.values()) == 1
