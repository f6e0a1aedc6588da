"""Which topics of a bag are the RGB-D stream: found by type, encoding and name, or named in the settings."""

from __future__ import annotations

import difflib
import itertools
import posixpath
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from joyai_ros.bags.config import TopicConfig
from joyai_ros.bags.reader import BagReader
from joyai_ros.errors import BagError, ConfigError, EncodingError
from joyai_ros.messages.compressed import is_compressed_depth
from joyai_ros.messages.images import COLOR_ENCODINGS, DEPTH_ENCODINGS

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"
DETECTIONS_2D = "vision_msgs/msg/Detection2DArray"
DETECTIONS_3D = "vision_msgs/msg/Detection3DArray"
_TRANSPORTS = ("compressed", "compressedDepth")
# Words in topic names of images that look like a camera's and are not: drawings, labels, ground truth, other sensors.
_NOT_A_CAMERA = ("ground_truth", "instance", "segment", "mask", "label", "semantic", "debug", "overlay", "annotated")
_NOT_COLOR = (*_NOT_A_CAMERA, "infra", "thermal", "fisheye", "/ir/", "confidence")
_NOT_DEPTH = (*_NOT_A_CAMERA, "confidence", "disparity", "infra", "/ir/")


@dataclass(frozen=True)
class StreamTopics:
    """The topics of one RGB-D stream; None for what the bag does not have.

    Attributes:
        color, depth, color_info, depth_info, detections_2d, detections_3d: topic names.
        frame_id: of the colour image.
        rectified: the colour topic is called so (``image_rect``), so P of its camera_info holds.
    """

    color: str
    depth: str
    color_info: str
    depth_info: str | None = None
    detections_2d: str | None = None
    detections_3d: str | None = None
    frame_id: str = ""
    rectified: bool = False

    def names(self) -> frozenset[str]:
        """The topics that are there."""
        streams = (self.color, self.depth, self.color_info, self.depth_info, self.detections_2d, self.detections_3d)
        return frozenset(name for name in streams if name is not None)


@dataclass(frozen=True)
class _ImageTopic:
    name: str
    compressed: bool
    is_depth: bool
    encoding: str
    frame_id: str

    @property
    def base(self) -> str:
        """The topic without the name of its transport."""
        head, _, tail = self.name.rpartition("/")
        return head if tail in _TRANSPORTS else self.name


def find_stream(reader: BagReader, config: TopicConfig | None = None, exclude: Collection[str] = ()) -> StreamTopics:
    """Return the topics of the bag's RGB-D stream.

    Args:
        reader: an open bag.
        config: names that are given.
        exclude: topics that are not looked at unless they are named.

    Raises:
        ConfigError: a named topic is not in the bag, or is of another type.
        BagError: there is no colour image, no depth image or no camera_info that could be used.
    """
    config = config or TopicConfig()
    images = list(_images(reader, exclude, {config.color, config.depth}))
    color, depth = _pair(reader, config, images)
    color_info = _named(reader, "color_info", config.color_info, (INFO,)) or _info_beside(reader, color)
    if color_info is None:
        raise BagError(
            f"{reader.path} has no camera_info for {color.name}; record {_sibling(color.base)}, "
            "or name it with --set topics.color_info=TOPIC"
        )
    return StreamTopics(
        color=color.name,
        depth=depth.name,
        color_info=color_info,
        depth_info=_named(reader, "depth_info", config.depth_info, (INFO,)) or _info_beside(reader, depth),
        detections_2d=_detections(reader, "detections_2d", config.detections_2d, DETECTIONS_2D, color, exclude),
        detections_3d=_detections(reader, "detections_3d", config.detections_3d, DETECTIONS_3D, color, exclude),
        frame_id=color.frame_id,
        rectified="rect" in posixpath.basename(color.base),
    )


def _images(reader: BagReader, exclude: Collection[str], named: Collection[str]) -> Iterable[_ImageTopic]:
    """Yield the image topics whose first message says what it holds."""
    for topic in reader.topics.values():
        if topic.msgtype not in (IMAGE, COMPRESSED) or (topic.name in exclude and topic.name not in named):
            continue
        first = reader.first(topic.name)
        if first is None:
            continue
        try:
            message = reader.decode(first)
        except EncodingError:
            continue
        compressed = topic.msgtype == COMPRESSED
        encoding = str(message.format if compressed else message.encoding)
        is_depth = is_compressed_depth(message) if compressed else encoding in DEPTH_ENCODINGS
        yield _ImageTopic(topic.name, compressed, is_depth, encoding, str(message.header.frame_id).lstrip("/"))


def _pair(reader: BagReader, config: TopicConfig, images: list[_ImageTopic]) -> tuple[_ImageTopic, _ImageTopic]:
    """Return the best pair of a colour and a depth image."""
    by_name = {image.name: image for image in images}
    color_name = _named(reader, "color", config.color, (IMAGE, COMPRESSED))
    depth_name = _named(reader, "depth", config.depth, (IMAGE, COMPRESSED))
    for key, name in (("color", color_name), ("depth", depth_name)):
        if name is not None and name not in by_name:
            raise BagError(f"topics.{key}: {name} has no message that can be read in {reader.path}")
    colors = [by_name[color_name]] if color_name else [i for i in images if _may_be_color(i)]
    depths = [by_name[depth_name]] if depth_name else [i for i in images if i.is_depth and not _has(i, _NOT_DEPTH)]
    if not colors or not depths:
        missing = "colour image" if not colors else "depth image"
        seen = ", ".join(f"{i.name} ({i.encoding})" for i in images) or "no image topics"
        raise BagError(
            f"{reader.path} holds no {missing}, so no RGB-D stream (it has {seen}); "
            "name the topics with --set topics.color=TOPIC --set topics.depth=TOPIC"
        )
    return min(((c, d) for c in colors for d in depths), key=lambda pair: _pair_rank(reader, *pair))


def _may_be_color(image: _ImageTopic) -> bool:
    if image.is_depth or _has(image, _NOT_COLOR):
        return False
    return image.compressed or image.encoding in COLOR_ENCODINGS or "depth" not in image.name


def _pair_rank(reader: BagReader, color: _ImageTopic, depth: _ImageTopic) -> tuple[object, ...]:
    """Return what makes a pair better, the smaller the better: the most telling sign first."""
    grey = not color.compressed and (color.encoding.startswith("mono") or color.encoding == "8UC1")
    unknown = not color.compressed and color.encoding not in COLOR_ENCODINGS
    registered = bool(depth.frame_id) and depth.frame_id == color.frame_id
    return (
        unknown,
        grey,
        _info_beside(reader, color) is None,
        not registered,
        -_common_words(color.base, depth.base),
        color.compressed,
        depth.compressed,
        "rect" not in color.base,
        color.name,
        depth.name,
    )


def _detections(
    reader: BagReader, key: str, name: str, msgtype: str, color: _ImageTopic, exclude: Collection[str]
) -> str | None:
    if named := _named(reader, key, name, (msgtype,)):
        return named
    found = [
        topic.name
        for topic in reader.topics.values()
        if topic.msgtype == msgtype
        and topic.count
        and topic.name not in exclude
        and not any(word in topic.name for word in _NOT_A_CAMERA)
        and (msgtype == DETECTIONS_3D or _frame_of(reader, topic.name) in ("", color.frame_id))
    ]
    return min(found, key=lambda topic: (-_common_words(topic, color.base), topic), default=None)


def _named(reader: BagReader, key: str, name: str, msgtypes: tuple[str, ...]) -> str | None:
    """Return a topic that the settings name, None where they leave it open."""
    if not name:
        return None
    topic = reader.topics.get(name) or reader.topics.get(f"/{name}")
    if topic is None:
        close = difflib.get_close_matches(name, reader.topics, n=1, cutoff=0.0)
        raise ConfigError(f"topics.{key} is {name!r}, which {reader.path} does not have; did you mean {close[0]!r}?")
    if topic.msgtype not in msgtypes:
        raise ConfigError(f"topics.{key} is {name!r}, a {topic.msgtype}; it must be a {' or '.join(msgtypes)}")
    return topic.name


def _info_beside(reader: BagReader, image: _ImageTopic) -> str | None:
    """Return the camera_info in the image's namespace (image_transport's rule), else one of the same optical frame."""
    infos = [t.name for t in reader.topics.values() if t.msgtype == INFO and t.count]
    if _sibling(image.base) in infos:
        return _sibling(image.base)
    nearest = sorted(infos, key=lambda info: -_common_words(info, image.base))
    return next((name for name in nearest if image.frame_id and _frame_of(reader, name) == image.frame_id), None)


def _frame_of(reader: BagReader, topic: str) -> str | None:
    """Return the frame id of a topic's first message; None where it does not decode."""
    first = reader.first(topic)
    try:
        return None if first is None else str(reader.decode(first).header.frame_id).lstrip("/")
    except EncodingError:
        return None


def _sibling(base: str) -> str:
    return f"{posixpath.dirname(base).rstrip('/')}/camera_info"


def _common_words(first: str, second: str) -> int:
    """Return how many leading parts of two topic names are the same."""
    pairs = zip(first.split("/"), second.split("/"), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _has(image: _ImageTopic, words: tuple[str, ...]) -> bool:
    return any(word in image.name for word in words)
