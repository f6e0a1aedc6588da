"""An output folder that is there whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joyai_ros.errors import InputError, OutputError


@contextmanager
def replaced_folder(folder: Path, marker: str) -> Iterator[Path]:
    """Give a new folder to write into, and put it in the place of ``folder`` when the block ends without an error.

    The new folder must hold the file ``marker`` at the end: by it the next call knows its own work. An earlier result is
    there until the new one is complete, and stays if the block fails. What a killed run left behind is removed.

    Args:
        folder: where the result belongs.
        marker: name of a file in it.

    Raises:
        InputError: something stands there that was not made by this.
        OutputError: the folder cannot be made or replaced.
    """
    folder = Path(folder).absolute()
    if folder.exists() or folder.is_symlink():
        is_folder = folder.is_dir() and not folder.is_symlink()
        if not is_folder or (any(folder.iterdir()) and not (folder / marker).is_file()):
            raise InputError(
                f"{folder} holds something else (no {marker} in it), so it is not replaced; choose another place"
            )
    work, old = (folder.with_name(f".{folder.name}.{state}") for state in ("partial", "old"))
    try:
        _remove(work)
        work.mkdir(parents=True)
        yield work
        if not (work / marker).is_file():
            raise OutputError(f"{work} was left without {marker}")
        _remove(old)
        if folder.exists():
            folder.rename(old)
        work.rename(folder)
        _remove(old)
    except OSError as error:
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise OutputError(
            f"{folder} cannot be written: {error.strerror or error}; what was there before is still there"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
