"""sensor_msgs/CameraInfo to Camera and back."""

from __future__ import annotations

import numpy as np

from joyai_ros.errors import CameraError
from joyai_ros.geometry.cameras import Camera, Distortion
from joyai_ros.messages.factory import Message, MessageFactory

_MODELS = {
    "": Distortion.PLUMB_BOB,
    "none": Distortion.PLUMB_BOB,
    "pinhole": Distortion.PLUMB_BOB,
    "plumb_bob": Distortion.PLUMB_BOB,
    "rational_polynomial": Distortion.RATIONAL,
    "equidistant": Distortion.EQUIDISTANT,
    "fisheye": Distortion.EQUIDISTANT,
    "kannala_brandt": Distortion.EQUIDISTANT,
    "kannala_brandt4": Distortion.EQUIDISTANT,
}


def camera_from_info(info: Message, *, rectified: bool = False) -> Camera:
    """Return the camera that a CameraInfo describes, for the image as it is published.

    The region of interest is cut out first and binning applied after, as the message's documentation says. Binning
    keeps pixel areas (the centre of the top left pixel moves by half a pixel per step), as a sensor does.

    Args:
        info: a sensor_msgs/CameraInfo.
        rectified: the image is rectified (``image_rect``): P holds, without distortion. Otherwise K and D hold, or P
            where a driver publishes nothing in K.

    Raises:
        CameraError: no size, neither K nor P calibrated (all zero), non-finite or non-positive focal lengths, an
            unknown distortion model with coefficients, or a region outside the image.
    """
    k, p = np.reshape(info.k, (3, 3)).astype(float), np.reshape(info.p, (3, 4)).astype(float)[:, :3]
    if not k.any() and not p.any():
        raise CameraError(
            f"camera_info of {info.header.frame_id or 'the camera'} is all zero: the camera is not calibrated; "
            "calibrate it, or give the driver its calibration file"
        )
    use_p = p.any() and (rectified or not k.any())
    matrix = p if use_p else k
    model, coefficients = (Distortion.NONE, ()) if use_p else _distortion(info)
    camera = Camera(
        width=int(info.width),
        height=int(info.height),
        fx=float(matrix[0, 0]),
        fy=float(matrix[1, 1]),
        cx=float(matrix[0, 2]),
        cy=float(matrix[1, 2]),
        distortion=model,
        coefficients=coefficients,
    )
    return _binned(_region(camera, info.roi), max(1, int(info.binning_x)), max(1, int(info.binning_y)))


def _distortion(info: Message) -> tuple[Distortion, tuple[float, ...]]:
    coefficients = tuple(float(c) for c in info.d)
    if not any(coefficients):  # NaN counts as something, so that Camera refuses it
        return Distortion.NONE, ()
    model = _MODELS.get(info.distortion_model.strip().lower())
    if model is None:
        raise CameraError(
            f"distortion model {info.distortion_model!r} is not known; publish plumb_bob, rational_polynomial or "
            "equidistant, or a rectified image"
        )
    return model, coefficients


def _region(camera: Camera, roi: Message) -> Camera:
    if int(roi.width) == 0 or int(roi.height) == 0:  # the message's way to say: the whole image
        return camera
    left, top, width, height = int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)
    if left + width > camera.width or top + height > camera.height:
        raise CameraError(
            f"region of interest {width}x{height} at ({left}, {top}) reaches over the {camera.width}x{camera.height} "
            "image; check the driver"
        )
    return camera.cropped(left, top, width, height)


def _binned(camera: Camera, x: int, y: int) -> Camera:
    return camera if (x, y) == (1, 1) else camera.resized(camera.width // x, camera.height // y)


def info_message(factory: MessageFactory, header: Message, camera: Camera) -> Message:
    """Return a CameraInfo for a camera whose image is published as it is (no region, no binning).

    A camera without distortion is written as ``plumb_bob`` with five zeros, which every ROS tool takes.
    """
    matrix = camera.matrix
    plain = camera.distortion is Distortion.NONE
    projection = np.hstack([matrix, np.zeros((3, 1))])
    return factory("sensor_msgs/msg/CameraInfo")(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model=Distortion.PLUMB_BOB.value if plain else camera.distortion.value,
        d=factory.sequence(np.zeros(5) if plain else np.array(camera.coefficients, dtype=np.float64)),
        k=matrix.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=projection.reshape(-1),
    )
