"""Where models lie on this machine, and how they come there."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joyai_ros.errors import MissingDependencyError
from joyai_ros.models.card import FOLDER_CARD, ModelCard, load_card, load_cards, read_card, shipped_folder
from joyai_ros.models.errors import CardError, ModelFolderError, PullError
from joyai_ros.models.folder import check_folder, model_folder, write_lock
from joyai_ros.models.pipeline_folder import INDEX, PART_FOLDERS, check_pipeline, pipeline_kind

VARIABLE = "JOYAI_MODELS"
# Weights as safetensors, and the texts of configuration and tokenizer; nothing that could run.
WANTED = ("*.safetensors", "*.json", "*.jinja", "merges.txt", "vocab.txt")


@dataclass(frozen=True)
class StoredModel:
    """A card, and where its weights are.

    Attributes:
        card: of the model.
        folder: where the weights lie, or would.
        present: whether they do.
    """

    card: ModelCard
    folder: Path
    present: bool


def store_root() -> Path:
    """Return the folder of all downloaded models: ``$JOYAI_MODELS``, or one in the user's cache."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "joyai_ros" / "models"


def stored(card: ModelCard) -> StoredModel:
    """Return where a card's weights are, or would be."""
    folder = shipped_folder(card) or store_root() / card.name
    config = folder / INDEX if card.draws else model_folder(folder) / "config.json"
    return StoredModel(card, folder, config.is_file())


def stored_models() -> list[StoredModel]:
    """Return all cards with where their weights are, by name.

    Raises:
        CardError: a card is broken.
    """
    return [stored(card) for card in load_cards()]


def stored_card(name: str) -> StoredModel | None:
    """Return where the weights of the card of this name are, or would be; None where it is the path of a folder.

    Raises:
        CardError: there is no such card and no such folder.
    """
    try:
        return stored(load_card(name))
    except CardError:
        if not Path(name).is_dir():
            raise
    return None


def find_model(name: str) -> StoredModel:
    """Return a model by its card's name, or by the path of a folder that holds one.

    Raises:
        CardError: there is no such card and no such folder.
        ModelFolderError: its weights are not on this machine, or a folder has neither a readable ``config.json`` nor a
            ``model_index.json``.
    """
    found = stored_card(name)
    if found is None:
        return StoredModel(folder_card(Path(name)), model_folder(Path(name)), True)
    if not found.present:
        how = (
            f"pull it with: joyai-ros models pull {name}"
            if found.card.repository
            else "it is not published yet; choose another model"
        )
        raise ModelFolderError(f"the weights of {name} are not in {found.folder}; {how}")
    return StoredModel(found.card, model_folder(found.folder), True)


def folder_card(path: Path) -> ModelCard:
    """Return the card of a local folder: its own, the package's where it came with that, or one from its
    ``model_index.json`` or its ``config.json``.

    Raises:
        ModelFolderError: it has none that can be read.
        CardError: its own is broken, or one of the package's.
    """
    if (path / FOLDER_CARD).is_file():
        return dataclasses.replace(read_card(path / FOLDER_CARD, in_folder=True), folder=str(path))
    for card in load_cards():
        shipped = shipped_folder(card)
        if shipped is not None and shipped.resolve() == path.resolve():
            return card
    if (path / INDEX).is_file():
        return ModelCard(
            path.resolve().name, f"the pipeline in {path}", pipeline_kind(path), "unknown", folder=str(path)
        )
    config = model_folder(path) / "config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
        architecture = str((content.get("architectures") or ["unknown"])[0])
        dtype = str(content.get("dtype") or content.get("torch_dtype") or "unknown")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelFolderError(f"{config} cannot be read ({error}); give a model's folder or a card's name") from error
    return ModelCard(path.resolve().name, f"the model in {path}", architecture, dtype, folder=str(path))


def pull(card: ModelCard, revision: str | None = None, local_files_only: bool = False) -> StoredModel:
    """Download a model's weights, or go on with a download that was broken off; a model that is there stays.

    The files come into ``<name>.partial``, are checked, and get a lock file with their hashes; then the folder gets its
    name. Two processes that pull the same model wait for each other.

    Args:
        card: of the model.
        revision: of the repository; None for the card's, or its newest where the card names none.
        local_files_only: whether only to look for it on this machine; so too where ``HF_HUB_OFFLINE`` is set.

    Raises:
        PullError: it is not published, cannot be reached, or the disk is full.
        ModelFolderError: what came is not a whole model.
        MissingDependencyError: huggingface_hub is not installed.
    """
    found = stored(card)
    if found.present:
        return found
    if card.repository is None:
        raise PullError(f"{card.name} has no repository to pull from: {card.what}")
    if local_files_only or _is_offline():
        raise PullError(
            f"{card.name} is not in {found.folder}, and nothing is downloaded offline; unset HF_HUB_OFFLINE"
        )
    partial = found.folder.with_name(found.folder.name + ".partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with _only_one(found.folder.with_name(found.folder.name + ".lock")):
            if not stored(card).present:  # another process may just have brought it
                _download(card, card.repository, revision or card.revision, partial, found.folder)
    except OSError as error:
        raise PullError(f"{card.name} cannot be written to {partial}: {error.strerror or error}") from error
    return stored(card)


def _download(card: ModelCard, repository: str, revision: str | None, partial: Path, final: Path) -> None:
    """Fill the partial folder and give it its name."""
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{error.name} is not installed; install it with: pip install 'joyai_ros[neural]'"
        ) from error
    # The library changed the package that it reaches servers with twice; this is the root of that package's errors.
    transport_error: Any = HfHubHTTPError.__mro__[1]
    below = f"{card.subfolder}/" if card.subfolder else ""
    parts = [f"{part}/" for part in PART_FOLDERS] if card.draws else [""]
    wanted = [below + part + pattern for part in parts for pattern in WANTED] + [below + INDEX] * card.draws
    endpoint = os.environ.get("HF_ENDPOINT")  # read anew: the library reads it once, when it is imported
    try:
        commit = HfApi(endpoint=endpoint).model_info(repository, revision=revision).sha
        snapshot_download(
            repository,
            revision=commit,
            local_dir=partial,
            allow_patterns=wanted,
            ignore_patterns=[f"{below}{part}*/*" for part in parts],  # a star matches a slash too
            endpoint=endpoint,
        )
    except (transport_error, EntryNotFoundError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise PullError(
            f"{card.name} could not be pulled from {repository}: {reason}; what has come is kept in {partial}: pull again"
        ) from error
    folder = partial / card.subfolder
    if not folder.is_dir():
        raise PullError(f"{repository} has no folder {card.subfolder}; correct the model's card")
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the library's notes of the download
    if card.draws:
        check_pipeline(folder)
    else:
        check_folder(folder, hashes=False)
    write_lock(folder, repository, str(commit))
    shutil.rmtree(final, ignore_errors=True)  # the remains of something that was no model
    os.replace(folder, final)
    shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Wait until no other process holds the lock file, and hold it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}
