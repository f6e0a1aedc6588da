"""The settings that a store was made with, from its manifest."""

from __future__ import annotations

from typing import Any

from joyai_ros.settings import build, flatten
from joyai_ros.training.data.config import DataConfig
from joyai_ros.training.data.store import Manifest


def settings_of(manifest: Manifest) -> DataConfig:
    """Return the settings of a store.

    Raises:
        ConfigError: they are not those of this version.
    """
    return build(DataConfig, manifest.settings, "manifest")


def plain_settings(config: DataConfig) -> dict[str, Any]:
    """Return settings as plain data, by dotted name."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in flatten(config).items()}
