"""Where the files that travel with the package lie: interfaces, model cards, robot profiles.

The same code runs from three places: a wheel (the files are packed as ``joyai_ros/_share/<kind>``), a source tree (they
lie beside the package, at the root of the checkout) and an ament install (``<prefix>/share/joyai_ros/<kind>``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from joyai_ros.errors import InputError

_PACKAGE = Path(__file__).parent


def resource_dir(kind: str) -> Path:
    """Return the folder that holds the files of one kind: ``msg``, ``srv``, ``action``, ``models``, ``config`` ...

    Raises:
        InputError: none of the three places has it, so the installation is incomplete.
    """
    places = list(_places(kind, _PACKAGE))
    for place in places:
        if place.is_dir():
            return place
    tried = ", ".join(str(place) for place in places)
    raise InputError(f"the {kind} files of joyai_ros are not installed (looked in {tried}); reinstall the package")


def resource_files(kind: str, suffix: str) -> list[Path]:
    """Return the files of one kind with this suffix (``.msg``), sorted by name.

    Raises:
        InputError: the folder is not installed.
    """
    return sorted(path for path in resource_dir(kind).iterdir() if path.suffix == suffix)


def _places(kind: str, package: Path) -> Iterator[Path]:
    yield package / "_share" / kind
    # A symlinked ament install leads back to the source tree, so the resolved path is tried too.
    for start in dict.fromkeys((package, package.resolve())):
        # The message definitions mark a source tree: site-packages may hold a stranger's ``config`` or ``models``.
        if (start.parent / "msg" / "SceneObject.msg").is_file():
            yield start.parent / kind
        for prefix in start.parents:
            candidate = prefix / "share" / "joyai_ros"
            if candidate.is_dir():
                yield candidate / kind
