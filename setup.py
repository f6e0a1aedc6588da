"""What pyproject.toml cannot say: where the data files that travel inside the package come from.

Interfaces, model cards and profiles stand at the repository's root, where ROS 2 tools look for them. In a wheel they
are found below ``joyai_ros/_share``, so that bags can be written and models loaded where no ROS is installed.
"""

from pathlib import Path

from setuptools import find_packages, setup

PATTERNS = {
    "msg": ["*.msg"],
    "srv": ["*.srv"],
    "action": ["*.action"],
    "models": [
        "*.yaml",
        "*/*.yaml",
        *(f"{folders}*.{kind}" for folders in ("*/", "*/*/") for kind in ("safetensors", "json", "jinja", "txt")),
    ],
    "config": ["*.yaml"],
}
SHARED = {name: patterns for name, patterns in PATTERNS.items() if Path(name).is_dir()}

setup(
    packages=[*find_packages(include=["joyai_ros", "joyai_ros.*"]), *(f"joyai_ros._share.{name}" for name in SHARED)],
    package_dir={f"joyai_ros._share.{name}": name for name in SHARED},
    package_data={
        "joyai_ros": ["py.typed"],
        **{f"joyai_ros._share.{name}": patterns for name, patterns in SHARED.items()},
    },
)
