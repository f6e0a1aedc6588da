"""The model that the settings name, ready to answer: in this process, behind a server, or none."""

from __future__ import annotations

from dataclasses import dataclass, field

from joyai_ros.errors import MissingDependencyError
from joyai_ros.models.confidence import OTHERS, ConfidenceLines
from joyai_ros.understanding.backend import Backend
from joyai_ros.understanding.config import NO_MODEL, ModelConfig
from joyai_ros.understanding.tasks import TASKS

# Import name: the extra that installs it.
_EXTRAS = {"openai": "remote"}


@dataclass(frozen=True)
class OpenModel:
    """A model that answers.

    Attributes:
        backend: what runs it; None where geometry answers alone.
        confidence: calibrates its confidences by task, from its card; empty where it was not calibrated. A server's
            probabilities are of all tokens and not of those that the format allows, so no card's numbers fit them.
    """

    backend: Backend | None = None
    confidence: ConfidenceLines = field(default_factory=dict)

    def close(self) -> None:
        """Give the model's memory or connections back."""
        if self.backend is not None:
            self.backend.close()


def open_model(config: ModelConfig) -> OpenModel:
    """Return the model of the settings; loading takes seconds to minutes, a server is only asked when a question comes.

    Raises:
        CardError: there is no such card and no such folder, or it speaks of a task that there is not.
        ModelFolderError: its weights are not here, or not whole.
        ConfigError: the server's URL is none, or there is no such device.
        ModelError: it cannot be loaded.
        ModelMemoryError: it does not fit.
        MissingDependencyError: what runs it is not installed.
    """
    try:
        if config.server.url:
            from joyai_ros.understanding.remote import RemoteBackend

            return OpenModel(RemoteBackend(config.server, "" if config.name == NO_MODEL else config.name))
        if config.name == NO_MODEL:
            return OpenModel()
        return _local(config)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0], "neural")
        raise MissingDependencyError(
            f"{error.name} is not installed; install it with: pip install 'joyai_ros[{extra}]'"
        ) from error


def _local(config: ModelConfig) -> OpenModel:
    from joyai_ros.models.errors import CardError, ModelFolderError
    from joyai_ros.models.store import find_model
    from joyai_ros.understanding.local import LocalBackend

    found = find_model(config.name)
    if found.card.draws:
        raise ModelFolderError(f"{found.card.name} draws images and answers no questions; choose a model that does")
    card = found.card
    unknown = sorted(set(card.confidence) - {OTHERS, *TASKS})
    if unknown:
        raise CardError(f"the card of {card.name} has a line of confidence for {unknown[0]!r}, which is no task")
    return OpenModel(LocalBackend(card.name, found.folder, config.local, listing=card.listing), card.confidence)
