"""What ``joyai-ros imagine`` says of a view, as plain values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from joyai_ros.cli.drawing import seconds_to_json
from joyai_ros.geometry.view import FILLED, View
from joyai_ros.imagination.model_view import ModelView


def filled_share(view: View) -> float:
    """Return the share of pixels that were filled between seen ones."""
    return float(np.mean(view.validity == FILLED))


def view_to_json(view: View, up_source: str) -> dict[str, Any]:
    """Return camera, poses, verdict and shares of a view: metres, pixels; null where a value is unknown."""
    camera, estimate, covariance = view.camera, view.estimated_source_from_view, view.pose_covariance
    return {
        "method": view.method,
        "camera": {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")},
        "source_from_view": view.source_from_view.tolist(),
        "estimated_source_from_view": None if estimate is None else estimate.tolist(),
        "pose_covariance": None if covariance is None else covariance.tolist(),
        "verified": view.verified,
        "consistency": view.consistency.name.lower(),
        "confidence": _known(view.confidence),
        "up_source": up_source,
        "seen": view.seen_fraction,
        "filled": filled_share(view),
    }


def model_view_to_json(made: ModelView, up_source: str) -> dict[str, Any]:
    """Return the same of a view by a model, what the check found, and how it was drawn."""
    verdict = made.verdict
    found = (
        None
        if verdict is None
        else {
            "angle_deg": _known(math.degrees(verdict.angle)),
            "share_of_distance": _known(verdict.share),
            "agreement": _known(verdict.agreement),
        }
    )
    return view_to_json(made.view, up_source) | {
        "model": made.view.model,
        "seed": made.view.seed,
        "prompts": list(made.prompts),
        "steps": made.steps,
        "rows": made.rows,
        "seconds": seconds_to_json(made.seconds),
        "check": found,
    }


def view_in_words(view: View) -> str:
    """Return one line about a view."""
    if view.method == "depth":
        return f"{view.seen_fraction:.0%} seen, {filled_share(view):.0%} filled"
    if not view.verified:
        return f"drawn by {view.model}; unverified: where it looks from is not known ({view.consistency.name.lower()})"
    return (
        f"drawn by {view.model}; {view.consistency.name.lower()} with the measured surface, confidence "
        f"{view.confidence:.0%}, {view.seen_fraction:.0%} seen"
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
