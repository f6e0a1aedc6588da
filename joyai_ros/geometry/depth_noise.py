"""How far a depth reading may be off: one standard deviation by distance, for the usual kinds of sensor."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from joyai_ros.settings import setting


class DepthSensor(str, enum.Enum):
    """Kinds of depth sensor by their principle, which sets how noise grows with distance."""

    STEREO = "stereo"
    STRUCTURED_LIGHT = "structured_light"
    TIME_OF_FLIGHT = "time_of_flight"


@dataclass(frozen=True)
class DepthNoise:
    """Depth noise along the optical axis.

    - stereo: ``z^2 * disparity_sigma / (fx * baseline)``, the propagation of a matching error in pixels;
    - structured_light: ``0.0012 + 0.0019 (z - 0.4)^2``, Nguyen, Izadi and Lovell, "Modeling Kinect sensor noise for
      improved 3D reconstruction and tracking", 3DIMPVT 2012, for surfaces seen at up to 60 degrees;
    - time_of_flight: ``0.002 + 0.002 z``: millimetres near, and growing with the falling light.

    Attributes:
        sensor: the kind.
        baseline: metres between the two cameras (stereo only).
        disparity_sigma: pixels, matching error (stereo only); 0.08 to 0.1 for the RealSense D4xx at its default preset.
        scale: the result is multiplied by it, for a sensor better or worse than its kind.
    """

    sensor: DepthSensor = setting(DepthSensor.STRUCTURED_LIGHT, "stereo, structured_light or time_of_flight")
    baseline: float = setting(0.05, "metres between the two cameras of a stereo sensor", 0.005, 1.0)
    disparity_sigma: float = setting(0.1, "matching error of a stereo sensor, pixels", 0.01, 2.0)
    scale: float = setting(1.0, "factor on the depth noise of the sensor's kind", 0.05, 20.0)

    def sigma(self, z: NDArray[np.floating[Any]], fx: float) -> NDArray[np.float32]:
        """Return float32 metres, one standard deviation, for depths ``z`` (any shape) in metres.

        Args:
            z: depth; 0 (no reading) gives a finite number without meaning.
            fx: focal length of the depth image in pixels.
        """
        depth = np.asarray(z, dtype=np.float32)
        if self.sensor is DepthSensor.STEREO:
            sigma = np.square(depth) * np.float32(self.disparity_sigma / (fx * self.baseline))
            sigma += np.float32(2e-4)  # a reading this close is still rounded to tenths of a millimetre or more
        elif self.sensor is DepthSensor.STRUCTURED_LIGHT:
            sigma = depth - np.float32(0.4)
            sigma *= sigma
            sigma *= np.float32(0.0019)
            sigma += np.float32(0.0012)
        else:
            sigma = depth * np.float32(0.002) + np.float32(0.002)
        return sigma * np.float32(self.scale) if self.scale != 1.0 else sigma
