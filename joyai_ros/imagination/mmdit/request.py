"""What is to be drawn, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from joyai_ros.errors import ImageError, InputError
from joyai_ros.geometry.arrays import ColorImage, check_image

IsCanceled = Callable[[], bool]
MOST_REFERENCES = 5
SEEDS = 2**63


@dataclass(frozen=True)
class DrawRequest:
    """One image that is wanted.

    Attributes:
        prompt: what it shows, in the model's own words.
        seed: of its noise.
        references: (H, W, 3) uint8 RGB images that the prompt speaks of; none for an image from text alone.
        negative: what it must not show; None for what the model was trained with.
        start: (H, W, 3) uint8 RGB image to begin from instead of noise, such as a warped view; None for noise.
        strength: share of the way that is gone where there is a start: 1 forgets it, near 0 keeps it.
    """

    prompt: str
    seed: int = 0
    references: tuple[ColorImage, ...] = ()
    negative: str | None = None
    start: ColorImage | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class Step:
    """A step that is done.

    Attributes:
        index: from 0.
        steps: how many there are.
        seconds: that it took.
        preview: makes what the images look like so far, at half their size; costs a decode each time it is called.
    """

    index: int
    steps: int
    seconds: float
    preview: Callable[[], list[ColorImage]]


OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Drawn:
    """Images of one call.

    Attributes:
        images: (H, W, 3) uint8 RGB, one per request.
        steps: calls of the network for each image, without those for guidance.
        rows: that went through the network, for all images together, guidance included.
        reused_rows: of these, rows whose blocks after the first were not run.
        seconds: for conditioning and references, for the steps, and for decoding.
    """

    images: list[ColorImage]
    steps: int
    rows: int
    reused_rows: int
    seconds: tuple[float, float, float]


def check_requests(requests: Sequence[DrawRequest], size: tuple[int, int], multiple: int, takes_several: bool) -> None:
    """Check what is to be drawn in one batch.

    Args:
        requests: at least one; their references have the same sizes, in the same order.
        size: height and width of the images, pixels.
        multiple: that heights and widths must be of.
        takes_several: whether the model takes several references of any size.

    Raises:
        InputError: the requests cannot be one batch, or not for this model.
        ImageError: an image is none, or has the wrong size.
    """
    if not requests:
        raise InputError("there is nothing to draw; give at least one request")
    first = requests[0]
    shapes = [reference.shape for reference in first.references]
    for request in requests:
        if not 0 <= request.seed < SEEDS:
            raise InputError(f"seed {request.seed} is none; give a whole number from 0 to 2^63 - 1")
        if [reference.shape for reference in request.references] != shapes:
            raise InputError("references of one batch differ in number or size; draw these images one by one")
        if (request.start is None, request.strength) != (first.start is None, first.strength):
            raise InputError("images of one batch start alike; draw those with another strength by themselves")
        starts = () if request.start is None else (request.start,)
        for image in (*request.references, *starts):
            _check_image(image, multiple)
        if starts and request.start is not None and request.start.shape[:2] != size:
            raise ImageError(f"a start of {request.start.shape[:2]} is no image of {size} (rows, columns); resize it")
    _check_size(size, multiple, "an image to be drawn")
    if len(shapes) > (MOST_REFERENCES if takes_several else 1):
        raise InputError(
            f"{len(shapes)} references are too many; this model takes {MOST_REFERENCES if takes_several else 1}"
        )
    if not takes_several and shapes and shapes[0][:2] != size:
        raise ImageError(f"a reference of {shapes[0][:2]} does not fit an image of {size} (rows, columns); resize it")


def _check_image(image: ColorImage, multiple: int) -> None:
    check_image(image)
    _check_size((image.shape[0], image.shape[1]), multiple, "an image")


def _check_size(size: tuple[int, int], multiple: int, what: str) -> None:
    if min(size) < multiple or size[0] % multiple or size[1] % multiple:
        raise ImageError(f"{what} has {size[0]} rows and {size[1]} columns; both must be multiples of {multiple}")
