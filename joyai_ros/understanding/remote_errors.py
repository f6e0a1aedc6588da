"""What an OpenAI-compatible server's failures mean, and what to do about them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import openai

from joyai_ros.understanding.backend import ModelError, ModelMemoryError
from joyai_ros.understanding.remote_wire import message_of


class BrokenStreamError(Exception):
    """What came is no stream of an answer, or only its beginning."""


# The HTTP library under openai is another one since its release 3; earlier releases let its errors through in a stream.
_HTTP = [import_module(name) for name in ("httpx2", "httpx") if find_spec(name) is not None]
_TRANSPORT: tuple[type[Exception], ...] = tuple(library.TransportError for library in _HTTP)
FAILURES: tuple[type[Exception], ...] = (openai.OpenAIError, BrokenStreamError, *_TRANSPORT)

_REFUSED_KEY = (401, 403)
_UNKNOWN = 404
_TOO_LARGE = 413
_BUSY = 429
_REFUSED = (400, 422)
_SERVER_FAULT = 500


@dataclass(frozen=True)
class Place:
    """Whom a message is about.

    Attributes:
        url: of the server.
        model: its name there.
        key_variable: environment variable of the key.
        key: the key itself, which must not show in any message.
    """

    url: str
    model: str
    key_variable: str
    key: str


def is_temporary(error: Exception) -> bool:
    """Return whether asking again may help: no connection, too many requests, or a fault within the server.

    A server that took the question and is slow is not asked again: that would double its work.
    """
    if isinstance(error, openai.APIStatusError):
        return (error.status_code == _BUSY or error.status_code >= _SERVER_FAULT) and not _is_memory(error)
    if isinstance(error, openai.APITimeoutError):
        return type(error.__cause__).__name__ == "ConnectTimeout"
    return isinstance(error, openai.APIConnectionError)


def is_refusal(error: Exception) -> bool:
    """Return whether the server refused the request's form."""
    return isinstance(error, openai.APIStatusError) and error.status_code in _REFUSED


def words_of(error: Exception) -> str:
    """Return what the server itself said."""
    body = error.body if isinstance(error, openai.APIError) else None
    return message_of(body, str(error) or type(error).__name__)


def wanted_delay(error: Exception) -> float | None:
    """Return for how many seconds a server asks to be left alone, or None."""
    if not isinstance(error, openai.APIStatusError):
        return None
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:  # a date, or nothing
        return None


def explain(error: Exception, place: Place, streamed: int, tries: int) -> ModelError:
    """Return a failure in our words.

    Args:
        error: what openai raised.
        place: the server.
        streamed: characters of the answer that had come before.
        tries: how often it was asked.
    """
    said = words_of(error)
    if place.key:
        said = said.replace(place.key, "***")
    if _is_memory(error):
        return ModelMemoryError(
            f"the model server at {place.url} ran out of memory: {said}; ask with fewer or smaller images"
        )
    if isinstance(error, openai.APIStatusError):
        return ModelError(_explain_status(error.status_code, said, place, tries))
    if isinstance(error, openai.APITimeoutError):
        return ModelError(
            f"the model server at {place.url} fell silent for longer than its time limit ({_after(streamed)}); "
            "look whether it is overloaded, or raise read_timeout"
        )
    if streamed:
        return ModelError(
            f"the model server at {place.url} broke off {_after(streamed)}: {said}; ask again when it is back"
        )
    if _hung_up(error):
        return ModelError(
            f"the model server at {place.url} ended the connection without an answer ({_times(tries)}: {said}); "
            "look at its log and ask again when it is back, or correct its URL"
        )
    if isinstance(error, (openai.APIConnectionError, *_TRANSPORT)):
        return ModelError(
            f"no model server answers at {place.url} ({_times(tries)}: {said}); start it, or correct its URL"
        )
    return ModelError(f"the model server at {place.url} sent what is no answer: {said}; look at its log")


def _explain_status(status: int, said: str, place: Place, tries: int) -> str:
    who = f"the model server at {place.url}"
    if status in _REFUSED_KEY:
        return f"{who} refused the key ({status}: {said}); set the environment variable {place.key_variable} to a valid one"
    if status == _UNKNOWN:
        return f"{who} has no model {place.model!r}, or the URL lacks its path, mostly /v1 ({status}: {said})"
    if status == _TOO_LARGE:
        return f"{who} refused the question as too large ({status}: {said}); lower longest_side, or send JPEG"
    if status == _BUSY:
        return f"{who} is too busy ({_times(tries)}, {status}: {said}); ask less often"
    if status >= _SERVER_FAULT:
        return f"{who} failed ({_times(tries)}, {status}: {said}); look at its log"
    return f"{who} refused the question ({status}: {said}); ask for what it can do"


def _hung_up(error: Exception) -> bool:
    """Return whether a connection that stood was lost, as when the server dies or has just ended an idle connection."""
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    return type(cause).__name__ in ("ReadError", "RemoteProtocolError", "WriteError")


def _is_memory(error: Exception) -> bool:
    return "out of memory" in words_of(error).lower()


def _after(streamed: int) -> str:
    return f"after {streamed} characters of its answer" if streamed else "before its answer began"


def _times(tries: int) -> str:
    return f"asked {tries} times" if tries > 1 else "asked once"
