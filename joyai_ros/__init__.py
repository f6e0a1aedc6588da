"""Spatial perception for robots around JoyAI-Image: metric scenes, grounded answers, imagined views."""

from pkgutil import extend_path

# A sourced ROS workspace holds a second ``joyai_ros`` directory with the generated ``msg``, ``srv`` and
# ``action`` modules. Extending the path lets both be found, whichever comes first on ``sys.path``.
__path__ = extend_path(__path__, __name__)

__version__ = "0.1.0"
