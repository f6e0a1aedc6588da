"""Reads what windows of an image show: finds the things, and says what each is; see :mod:`joyai_ros.understanding.listing`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.geometry.boxes import Box2D, box2d_iou
from joyai_ros.understanding.listing import (
    BOX_FIELDS,
    MARGIN,
    NOTHING,
    NUMBERS,
    RAISED,
    STEEP,
    box_of,
    box_words,
    boxes_in_order,
    cut_out,
    in_image,
    mirrored_box,
    number_word,
    window_round,
    windows_over,
    within,
)
from joyai_ros.understanding.network import Features
from joyai_ros.understanding.pen import Pen, Script, median
from joyai_ros.understanding.sightings import Sighting, told_apart

_View: TypeAlias = tuple[int, Box2D]  # the place of an image, and a window or a box of it
_BOX, _CONTENT = len(BOX_FIELDS), 3  # tokens that are written of what a window shows
_CLOSER = (1.6, 2.2, 3.0)  # sides of the windows that show once more what was found, over the longer side of its box
_CLOSER_TIMES = 2  # such windows are looked at: round what is found, and round what they make of it
_LIKELY = 0.05  # that something is in the middle of a window over the image, for it to be looked at once more
_HARDLY = 0.01  # so sure a closer window must be for its box to count
_NEVER = 1e-3  # nothing is surer than one less this, nor less sure than this
_ONE = 0.5  # of boxes that overlap more, intersection over union, in windows over the image one is looked at once more
_SHOWN = 0.4  # a window shows a thing with whose box its own overlaps more
_AROUND = (MARGIN, 2.0)  # sides of the windows that show what a box holds, over its longer side
_LEAST_RAISED = 3  # steps by which a thing is higher at least that stands on another one
_AT_ONCE = 8  # windows that are looked at together, for each question that is answered together


@dataclass(frozen=True)
class _Found:
    """What is in the middle of a window: its box as shares of the image, and how sure it is that something is there."""

    box: Box2D
    sure: float


@dataclass(frozen=True)
class Seen:
    """What is seen of a thing: its box as shares of the image, the words for what it holds, and how likely it stands on another
    thing.
    """

    box: Box2D
    held: str
    on_another: float

    @property
    def text(self) -> str:
        """The words for it that a listing has."""
        return "".join(box_words(self.box)) + self.held


class WindowReader:
    """Reads windows with a model that was trained to.

    Args:
        script: the model and its words.
        look: returns what the model sees of images, (H, W, 3) uint8 RGB.

    Raises:
        ModelError: its tokenizer has not the word for nothing.
    """

    def __init__(self, script: Script, look: Callable[[Sequence[ColorImage]], list[Features]]) -> None:
        self._script, self._look = script, look
        self._nothing = script.tokens([NOTHING])

    def boxes(self, images: Sequence[ColorImage], together: int) -> list[list[Box2D]]:
        """Return the boxes of what the model finds in each image, in the order of a listing: in windows over it, then in ones
        round each.

        Args:
            images: (H, W, 3) uint8 RGB.
            together: questions that are answered at the same time, at most.
        """
        scanned = [(place, window) for place, image in enumerate(images) for window in windows_over(image.shape)]
        likely: list[list[_Found]] = [[] for _ in images]
        for (place, _), seen in zip(scanned, self._looks(images, scanned, _LIKELY, together), strict=True):
            likely[place] += [] if seen is None else [seen]
        return [boxes_in_order(told_apart(each)) for each in self._sightings(images, likely, together)]

    def _sightings(
        self, images: Sequence[ColorImage], likely: Sequence[Sequence[_Found]], together: int
    ) -> list[list[Sighting]]:
        """Return what may be a thing of each image, of what is likely there: as windows show it that are closer round it.

        Such a window may show a neighbour: what is in front of a thing is nearer to the middle now and then. It then says
        nothing of the thing.
        """
        candidates = [(place, found) for place, each in enumerate(likely) for found in _apart(each)]
        places, boxes = [place for place, _ in candidates], [found.box for _, found in candidates]
        looks: list[list[_Found | None]] = [[] for _ in candidates]
        for _ in range(_CLOSER_TIMES):
            views = [
                (place, window_round(box, images[place].shape, side))
                for place, box in zip(places, boxes, strict=True)
                for side in _CLOSER
            ]
            seen = self._looks(images, views, _HARDLY, together)
            closer = [seen[start : start + len(_CLOSER)] for start in range(0, len(seen), len(_CLOSER))]
            boxes = [_agreed(box, some) for box, some in zip(boxes, closer, strict=True)]
            looks = [before + some for before, some in zip(looks, closer, strict=True)]
        held = self._each(images, list(zip(places, boxes, strict=True)), MARGIN, False, together)
        sightings: list[list[Sighting]] = [[] for _ in images]
        for (place, found), box, some, (kinds, colors, *_) in zip(candidates, boxes, looks, held, strict=True):
            windows = sum(each.sure for each in _showing(box, likely[place]))
            shares = (each.double().cpu().numpy() for each in (kinds, colors))
            sightings[place].append(Sighting(box, _sure(box, some), _log_odds(found.sure), windows, *shares))
        return sightings

    def _looks(
        self, images: Sequence[ColorImage], views: Sequence[_View], least: float, together: int
    ) -> list[_Found | None]:
        """Return what windows show; None where nothing is, or less sure than that."""
        return self._script.in_parts(
            partial(self._glances, images, views, least), range(len(views)), together * _AT_ONCE
        )

    def contents(self, images: Sequence[ColorImage], boxes: Sequence[_View], together: int) -> list[Seen]:
        """Return what some boxes hold: kind and colour, as it looks in a window close round it and in a mirror, on average;
        steepness and whether it stands on another thing, as it looks in a wider one, too.

        Args:
            images: (H, W, 3) uint8 RGB.
            boxes: each with the place of its image.
            together: questions that are answered at the same time, at most.
        """
        close, mirrored, wide, mirrored_wide = (
            self._each(images, boxes, margin, flip, together)
            for margin, flip in itertools.product(_AROUND, (False, True))
        )
        seen = []
        for (_, box), *looks in zip(boxes, close, mirrored, wide, mirrored_wide, strict=True):
            kind, color, *_ = (torch.stack(shares).mean(0) for shares in zip(*looks[:2], strict=True))
            *_, steep, raised = (torch.stack(shares).mean(0) for shares in zip(*looks, strict=True))
            named = ((self._script.kinds, kind), (self._script.colors, color))
            words = [self._script.word(int(each[share.argmax()])) for each, share in named]
            degrees = float(steep @ torch.arange(len(steep), dtype=steep.dtype, device=steep.device))
            seen.append(Seen(box, "".join(words) + number_word(STEEP, degrees), float(raised[_LEAST_RAISED:].sum())))
        return seen

    def _each(
        self, images: Sequence[ColorImage], boxes: Sequence[_View], margin: float, flip: bool, together: int
    ) -> list[tuple[Tensor, ...]]:
        """Return what all of some boxes hold, as :meth:`_held` has it."""
        return self._script.in_parts(
            partial(self._held, images, boxes, margin, flip), range(len(boxes)), together * _AT_ONCE
        )

    def _glances(
        self, images: Sequence[ColorImage], views: Sequence[_View], least: float, some: Sequence[int]
    ) -> list[_Found | None]:
        """Return what is in the middle of some windows; None where it is less sure than that."""
        shown = [views[place] for place in some]
        cuts = [cut_out(images[place], window) for place, window in shown]
        pen, logits = self._windows(cuts, [window for _, window in shown], _BOX)
        first = torch.cat([self._nothing, self._script.numbers[BOX_FIELDS[0]]])
        sure = 1.0 - logits[:, first].softmax(-1)[:, 0]
        kept = (sure > least).nonzero()[:, 0].tolist()
        found: list[_Found | None] = [None] * len(shown)
        if not kept:
            return found
        pen.keep(kept)
        logits = logits[kept]
        texts = [""] * len(kept)
        for field in BOX_FIELDS:
            values = median(self._script.share(logits, field))
            texts = [text + NUMBERS[field][value] for text, value in zip(texts, values.tolist(), strict=True)]
            if field != BOX_FIELDS[-1]:
                logits = pen.put(self._script.numbers[field][values][:, None].tolist())
        for row, text in zip(kept, texts, strict=True):
            found[row] = _Found(in_image(box_of(text), shown[row][1]), float(sure[row]))
        return found

    def _held(
        self, images: Sequence[ColorImage], views: Sequence[_View], margin: float, flip: bool, some: Sequence[int]
    ) -> list[tuple[Tensor, ...]]:
        """Return how likely some boxes hold each kind and colour, are seen how steeply and stand how high, as it looks in a
        window whose side is ``margin`` times the longer one of the box, or in its mirror image.
        """
        shown = [views[place] for place in some]
        windows = [window_round(box, images[place].shape, margin) for place, box in shown]
        cuts = [cut_out(images[place], window) for (place, _), window in zip(shown, windows, strict=True)]
        boxes = [within(box, window) for (_, box), window in zip(shown, windows, strict=True)]
        if flip:
            cuts = [np.ascontiguousarray(cut[:, ::-1]) for cut in cuts]
            boxes, windows = ([mirrored_box(each) for each in some] for some in (boxes, windows))
        pen, logits = self._windows(cuts, windows, _BOX + _CONTENT, ["".join(box_words(box)) for box in boxes])
        found = []
        for words in (self._script.kinds, self._script.colors):
            found.append(logits[:, words].softmax(-1))
            logits = pen.put(words[found[-1].argmax(-1)][:, None].tolist())
        found.append(self._script.share(logits, STEEP))
        logits = pen.put(self._script.numbers[STEEP][median(found[-1])][:, None].tolist())
        return list(zip(*found, self._script.share(logits, RAISED), strict=True))

    def _windows(
        self, cuts: Sequence[ColorImage], windows: Sequence[Box2D], room: int, given: Sequence[str] = ()
    ) -> tuple[Pen, Tensor]:
        """Return where it is written what windows show, after what is given of it; and the first logits."""
        prompts = ["".join(box_words(window)) for window in windows]
        return self._script.begin(prompts, self._look(cuts), room, given)


def _apart(found: Sequence[_Found]) -> list[_Found]:
    """Return what is found in several windows once each: where it is surest that something is there."""
    kept: list[_Found] = []
    for each in sorted(found, key=lambda each: -each.sure):
        if all(box2d_iou(each.box, other.box) <= _ONE for other in kept):
            kept.append(each)
    return kept


def _showing(box: Box2D, looks: Sequence[_Found | None]) -> list[_Found]:
    """Return those of some looks that show what a box is of."""
    return [found for found in looks if found is not None and box2d_iou(box, found.box) > _SHOWN]


def _agreed(box: Box2D, looks: Sequence[_Found | None]) -> Box2D:
    """Return what looks at a box and those that show the same make of it: the median of each side."""
    seen = [found.box for found in _showing(box, looks)]
    x0, y0, x1, y1 = np.median(seen if len(seen) > 1 else [*seen, box], axis=0).tolist()
    return x0, y0, x1, y1


def _sure(box: Box2D, looks: Sequence[_Found | None]) -> float:
    """Return the log odds that something is in a box, on average of the looks that show it or nothing; 0 without any."""
    odds = [_log_odds(found.sure) for found in _showing(box, looks)] + [_log_odds(0.0)] * looks.count(None)
    return float(np.mean(odds)) if odds else 0.0


def _log_odds(share: float) -> float:
    held = min(max(share, _NEVER), 1.0 - _NEVER)
    return math.log(held / (1.0 - held))
