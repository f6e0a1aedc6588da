import pytest

from joyai_ros.settings import build
from joyai_ros.understanding.config import RemoteConfig
from joyai_ros.understanding.remote import RemoteBackend


@pytest.fixture
def connect():
    """Return backends of a scripted server, or of a URL, that lose no time between tries."""
    made = []

    def make(server, **settings) -> RemoteBackend:
        quick = {"first_delay": 0.01, "longest_delay": 0.05, "read_timeout": 5.0}
        url = server if isinstance(server, str) else server.url
        made.append(RemoteBackend(build(RemoteConfig, {"url": url, **quick, **settings})))
        return made[-1]

    yield make
    for backend in made:
        backend.close()
