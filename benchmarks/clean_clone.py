"""A stranger's first minutes: a clean clone, `make demo` and `make test`, each twice, the second time without a network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.highlevel import AnyReader

ROOT = Path(__file__).resolve().parents[1]
COMMAND = "python -m benchmarks.evidence --only clean_clone"
DEMO_LIMIT, TEST_LIMIT = 180.0, 1200.0  # seconds
_SHOWN = 20  # last lines of a command that failed
_FAILED = re.compile(r"(?:FAILED|ERROR) (\S+\.py.*?)(?: - .*)?$")  # of pytest's summary
# A machine without a network has its loopback still.
_CUT = ["unshare", "--map-root-user", "--net", "bash", "-c", 'ip link set lo up && exec "$@"', "offline"]
TOPICS = {
    *(f"/joyai/{name}" for name in ("scene", "relations", "objects", "markers", "debug_image/compressed")),
    *(f"/joyai/view/{name}" for name in ("image", "camera_info", "validity")),
    *(f"/camera/color/{name}" for name in ("image_raw", "camera_info")),
    *("/tf", "/tf_static"),
}


class Ran(NamedTuple):
    """One command: exit code, seconds, the last line that it printed, and the tests that failed."""

    code: int
    seconds: float
    last: str
    failed: tuple[str, ...]


def evidence() -> list[dict[str, Any]]:
    """Return what a clean clone of the checked out commit does."""
    with tempfile.TemporaryDirectory(prefix="joyai-clone-") as folder:
        clone = Path(folder) / "joyai_ros"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        run("make install-test install-rtx gl", clone)  # downloads do not count
        lines = [*_twice("make demo", clone, DEMO_LIMIT), _bag(clone / "out" / "demo" / "bag")]
        return lines + _twice("make test", clone, TEST_LIMIT)


def run(command: str, folder: Path, *, offline: bool = False) -> Ran:
    """Run a command as a stranger would: in the folder, with no virtual environment active.

    Where it fails, its failed tests and the end of its output go to stderr.
    """
    environment = {
        key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")
    }
    own = str(ROOT / ".venv" / "bin")
    environment["PATH"] = ":".join(entry for entry in environment["PATH"].split(":") if entry != own)
    shell = ["bash", "-c", command]
    if offline:
        environment["PIP_NO_INDEX"] = "1"
        shell = [*_CUT, *shell]
    started = time.perf_counter()
    done = subprocess.run(
        shell, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    lines = [line.strip() for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    seconds = time.perf_counter() - started
    failed = tuple(found[1] for line in lines if (found := _FAILED.match(line)))
    if done.returncode:
        print(f"{command} ended with {done.returncode}:", *failed, *lines[-_SHOWN:], sep="\n", file=sys.stderr)
    return Ran(done.returncode, seconds, lines[-1] if lines else "", failed)


def _twice(command: str, clone: Path, limit: float) -> list[dict[str, Any]]:
    lines = []
    can_cut = subprocess.run([*_CUT, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    second = "second time, no network" if can_cut else "second time, with a network: it cannot be cut off here"
    for words, offline in (("first time", False), (second, can_cut)):
        ran = run(command, clone, offline=offline)
        last = re.sub(r"^=+|=+$", "", ran.last).strip()
        failed = f"; failed: {', '.join(ran.failed)}" if ran.failed else ""
        lines.append(
            {
                "line": f"{command} on a clean clone, {words}",
                "figure": f"exit {ran.code} after {ran.seconds:.0f} s ({last}){failed}",
                "target": f"exit 0 within {limit:.0f} s after downloads",
                "ok": ran.code == 0 and ran.seconds <= limit,
                "command": COMMAND,
            }
        )
    return lines


def _bag(path: Path) -> dict[str, Any]:
    missing: set[str] = set(TOPICS)
    if path.is_dir():
        with AnyReader([path]) as reader:
            missing -= {topic for topic, info in reader.topics.items() if info.msgcount}
    return {
        "line": "make demo leaves a bag that rosbags opens, with all topics",
        "figure": f"{len(TOPICS) - len(missing)} of {len(TOPICS)} topics"
        + (f", without {sorted(missing)}" if missing else ""),
        "target": f"{len(TOPICS)} of {len(TOPICS)}",
        "ok": not missing,
        "command": COMMAND,
    }
