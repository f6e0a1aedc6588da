"""Other wordings of the task table's prompts, so that a model learns the question and not the sentence.

They take the same places as the table's own wording, which is number 0.
"""

from __future__ import annotations

from joyai_ros.understanding.tasks import AHEAD_DEG, TASKS

_OTHERS: dict[str, tuple[str, ...]] = {
    "object_distance": (
        "What is the distance between {a} and {b}, measured between their closest points?",
        "Measure the shortest distance from {a} to {b}.",
    ),
    "camera_distance": (
        "What is the distance from the camera to the middle of {a}?",
        "How many metres away from the camera is {a}, at its middle?",
    ),
    "object_size": ("What is the length of the longest side of {a}?", "Give the longest dimension of {a}."),
    "object_height": ("What is the height of {a}?", "How high does {a} rise from its lowest to its highest point?"),
    "count": ("{question} Give their number.", "Look at the image and count: {question}"),
    "left_right": (
        "From the camera's point of view, on which side of {b} is {a}: left or right?",
        "Is {a} left or right of {b} in the camera's view?",
    ),
    "front_behind": (
        "From the camera's point of view, is {a} in front of {b} or behind it?",
        "Which holds in the camera's view: {a} is in front of {b}, or {a} is behind {b}?",
    ),
    "above_below": ("Which holds: {a} is above {b}, or {a} is below {b}?", "Is {a} placed above or below {b}?"),
    "near_far": ("Is {a} near {b} or far from it?", "Would you call {a} and {b} near or far from each other?"),
    "relative_distance": (
        "Of {b} and {c}, which has the smaller distance to {a}?",
        "To which is {a} closer: to {b} or to {c}?",
    ),
    "relative_size": (
        "Compare the longest sides of {a} and {b}. Which object is bigger?",
        "Which has the longer longest side: {a} or {b}?",
    ),
    "relative_height": ("Compare the heights of {a} and {b}. Which is taller?", "Which rises higher by itself: {a} or {b}?"),
    "depth_order": ("Which is nearest to the camera: {all}?", "Which of these has the least distance to the camera: {all}?"),
    "camera_pose": (
        "Give the pose of the second image's camera in the frame of the first image's camera.",
        "How did the camera turn and move between the two images, seen from the first?",
    ),
    "camera_motion": (
        "Two images were taken one after the other. Which way did the camera mostly move?",
        "What was the main motion of the camera from the first image to the second?",
    ),
    "object_camera": (
        "The camera faces 12 o'clock. At what hour is {a}?",
        "As a clock direction from the camera, which faces 12 o'clock, where is {a}?",
    ),
    "correspondence": (
        "The first image shows {a}. Which of these is it in the second image: {rest}?",
        "Find {a} of the first image again in the second. Is it {rest}?",
    ),
    "reidentification": (
        "Do {a} in the first image and {b} in the second show one and the same object?",
        "The first image marks {a}, the second {b}. Are they the same object?",
    ),
    "cross_view_distance": (
        "What is the distance between {a} of the first image and {b} of the second, between their closest points?",
        "Measure from {a} in the first image to {b} in the second, at their closest points.",
    ),
    "cross_view_size": (
        "Compare {a} in the first image with {b} in the second. Which has the longer longest side?",
        "Which object is bigger by its longest side: {a} of image one or {b} of image two?",
    ),
    "cross_view_position": (
        "The second image marks {b}. Seen from the first camera, is {a} to its left or right?",
        "From where the first image was taken, on which side of {b} of the second image is {a}: left or right?",
    ),
    "reachability": (
        "Could one go straight from the camera to {a} without touching another object?",
        "Is nothing in the way on the straight line from the camera to {a}?",
    ),
    "clearance": (
        "Seen from above, how wide is the gap between {a} and {b}?",
        "How much room is there between {a} and {b} on the ground plan?",
    ),
    "direction_to_go": (
        f"To head for {{a}}, does a robot with this camera turn left, right, or (within {AHEAD_DEG:g} degrees) not at all?",
        f"Where does {{a}} lie for a robot with this camera: left, right, or straight ahead within {AHEAD_DEG:g} degrees?",
    ),
    "existence": ("{question} Answer for this image.", "Look at this image: {question}"),
    "color": ("What is the colour of {a}?", "Name the main colour of {a}."),
    "ground_boxes": ("Locate in the image: {question}. Answer with bounding boxes.", "Draw a box around each of: {question}."),
    "ground_points": ("Point at each of these in the image: {question}.", "Locate, with a point each: {question}."),
}  # fmt: skip


def wordings(task: str) -> tuple[str, ...]:
    """Return all wordings of a task's prompt, the table's own first."""
    return (TASKS[task].prompt, *_OTHERS.get(task, ()))
