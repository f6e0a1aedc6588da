"""``transformers serve`` in a process of its own: a real OpenAI-compatible server for the tests.

Run as ``python -m tests.understanding.serve_model PORT``. It loads what the questions name: a model's folder.

The server wants torchvision for Qwen3-VL, though only for videos. Where there is none, our processor for images and text
takes the place of the stock one; all else is the server as it ships.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; importing torch on a busy machine takes long


def main(port: int) -> None:
    from transformers.cli.serve import Serve
    from transformers.cli.serving.model_manager import ModelManager

    from joyai_ros.understanding.processor import load_processor

    if find_spec("torchvision") is None:
        ModelManager._load_processor = lambda self, name, **_: load_processor(Path(name.partition("@")[0]))
    Serve(host="127.0.0.1", port=port, device="cpu", dtype="float32")


class ModelServer:
    """The server's process; it can be killed and started again on its port."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.understanding.serve_model", str(self.port)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"the server did not come up: {self._log.read_text()[-3000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


if __name__ == "__main__":
    main(int(sys.argv[1]))
