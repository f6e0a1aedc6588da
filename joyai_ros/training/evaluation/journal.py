"""What an evaluation has done so far, line by line, so that the same command goes on where it was stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from joyai_ros.errors import OutputError
from joyai_ros.geometry.arrays import ColorImage

_PLAN, _LINES, _PICTURES = "plan.json", "outcomes.jsonl", "pictures"


class Journal:
    """A folder with the plan of a run and a line for each thing that is done.

    Attributes:
        lines: of an earlier run of the same plan that did not come to its end, and of this one.

    Args:
        folder: of the run; what it holds of another plan is removed.
        plan: everything that the outcomes depend on, as plain data.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self._folder = folder
        self.lines: list[dict[str, Any]] = []
        text = json.dumps(plan, sort_keys=True, default=str)
        try:
            if (folder / _PLAN).is_file() and (folder / _PLAN).read_text(encoding="utf-8") == text:
                self.lines = _whole_lines(folder / _LINES)
            else:
                shutil.rmtree(folder, ignore_errors=True)
            (folder / _PICTURES).mkdir(parents=True, exist_ok=True)
            (folder / _PLAN).write_text(text, encoding="utf-8")
            content = "".join(json.dumps(line) + "\n" for line in self.lines)  # without half a line at the end
            (folder / _LINES).write_text(content, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another --work") from error

    def add(self, lines: list[dict[str, Any]]) -> None:
        """Keep some lines.

        Raises:
            OutputError: they cannot be written.
        """
        try:
            with (self._folder / _LINES).open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
        except OSError as error:
            raise OutputError(
                f"{self._folder} cannot be written ({error.strerror}); what is done is kept, run the same command again"
            ) from error
        self.lines += lines

    def add_picture(self, name: str, picture: ColorImage) -> None:
        """Keep a picture (H, W, 3) uint8 RGB under a name."""
        cv2.imwrite(str(self._path(name)), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])

    def picture(self, name: str) -> ColorImage | None:
        """Return a picture that was kept; None where it is not there."""
        found = cv2.imread(str(self._path(name)), cv2.IMREAD_COLOR)
        return None if found is None else cv2.cvtColor(found, cv2.COLOR_BGR2RGB)

    def remove(self) -> None:
        """Forget it all: the run came to its end, and the next one begins anew."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._folder / _PICTURES / f"{name.replace('/', '_')}.jpg"


def fingerprint(folder: Path) -> list[str]:
    """Return name, size and time of change of every file of a model: a checkpoint that was trained on is another model."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [f"{path.relative_to(folder)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if not path.is_file():
        return found
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:  # the run was stopped while it wrote
            break
    return found
