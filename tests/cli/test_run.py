"""``joyai-ros run`` as people and programs use it: exit codes, one line, and what is left after it was stopped."""

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

from joyai_ros.bags.reader import BagReader
from joyai_ros.bags.typestore import type_hash
from joyai_ros.cli.main import run
from tests.bags import synthetic

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "joyai_ros", "run"]
SHORT_FILES = ["--set", "writer.split_seconds=1", "--set", "view.rate=0"]


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return synthetic.write(tmp_path_factory.mktemp("short") / "bag")


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A recording of 40 seconds: long enough to be stopped in the middle."""
    return synthetic.write(tmp_path_factory.mktemp("long") / "bag", frames=1200)


def finished_files(output):
    return sorted(output.glob("*.mcap"))


def started(bag, output, files=2, **options):
    """Start a run and return it once it has finished some files of its output."""
    process = subprocess.Popen(
        [*COMMAND, str(bag), "-o", str(output), *SHORT_FILES],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    wait_until(lambda: len(finished_files(output)) >= files or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    return process


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def check_whole(path):
    """Read a bag by rosbags alone and return the number of scenes and colour images in it."""
    with AnyReader([path]) as reader:
        for connection, _, data in reader.messages():
            reader.deserialize(data, connection.msgtype)
        counts = {name: info.msgcount for name, info in reader.topics.items()}
        assert {c.digest for c in reader.connections if c.topic == "/joyai/scene"} == {type_hash("joyai_ros/msg/Scene")}
    return counts["/joyai/scene"], counts[synthetic.COLOR]


def test_a_run(short, tmp_path, capsys):
    assert run(["run", str(short), "-o", str(tmp_path / "out"), "--json", str(tmp_path / "report.json")]) == 0
    said = capsys.readouterr()
    assert "6 scenes" in said.out
    assert "poses in odom, up from odom" in said.out
    assert said.err == ""
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["frames"], report["rejected"]) == (6, [])
    assert check_whole(tmp_path / "out") == (6, 6)


def test_json_on_standard_output_stands_alone(short, tmp_path, capsys):
    assert run(["run", str(short), "-o", str(tmp_path / "out"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 6


def test_settings_from_a_file_and_from_words(short, tmp_path, capsys):
    (tmp_path / "settings.yaml").write_text("output: {namespace: eyes}\nview: {rate: 0}\n")
    arguments = ["--config", str(tmp_path / "settings.yaml"), "--set", "output.namespace=left_eye"]
    assert run(["run", str(short), "-o", str(tmp_path / "out"), *arguments]) == 0
    with BagReader(tmp_path / "out") as reader:
        assert reader.topics["/left_eye/scene"].count == 6
        assert "/left_eye/view/image" not in reader.topics
    capsys.readouterr()


def test_what_was_left_out_is_said(tmp_path, capsys):
    bag = synthetic.write(tmp_path / "bag", edit=lambda t, i, m: None if t == synthetic.DEPTH and i == 2 else m)
    assert run(["run", str(bag), "-o", str(tmp_path / "out")]) == 0
    assert "left out: 1 x colour image without a depth image within 20 ms" in capsys.readouterr().out


def test_an_output_is_replaced_when_asked(short, tmp_path, capsys):
    arguments = ["run", str(short), "-o", str(tmp_path / "out"), "--set", "view.rate=0"]
    assert run(arguments) == 0
    assert run(arguments) == 2
    assert "exists already; choose another, or replace it with --overwrite" in capsys.readouterr().err
    assert run([*arguments, "--overwrite"]) == 0
    assert check_whole(tmp_path / "out") == (6, 6)


def truncated(path, bag):
    shutil.copytree(bag, path)
    (path / "bag_0.mcap").write_bytes((bag / "bag_0.mcap").read_bytes()[:3000])


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (lambda path, bag: None, [], "does not exist; give a rosbag2 folder or an .mcap file"),
        (lambda path, bag: path.mkdir(), [], "is not a bag"),
        (lambda path, bag: path.write_bytes(b""), [], "is not a rosbag2 recording"),
        (truncated, [], "holds no messages"),
        (shutil.copytree, ["--set", "sync.slob=1"], "unknown key 'sync.slob' (value 1); did you mean 'sync.slop'?"),
        (shutil.copytree, ["--set", "sync.slop=-1"], "sync.slop is -1; it must lie within [0, 10]"),
        (shutil.copytree, ["--set", "nonsense"], "setting 'nonsense' is not KEY=VALUE"),
        (shutil.copytree, ["--config", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (shutil.copytree, ["--set", "topics.color=/eye"], "topics.color is '/eye'"),
        (shutil.copytree, ["--set", "view.yaw_deg=.nan"], "view.yaw_deg is nan; it must be a number"),
        (shutil.copytree, ["--set", "view.zoom=0"], "view.zoom is 0; it must lie within"),
    ],
)
def test_bad_input_is_one_line_and_code_2(short, tmp_path, capsys, make, arguments, words):
    if make is shutil.copytree:
        make(short, tmp_path / "bag")
    else:
        make(tmp_path / "bag", short)
    assert run(["run", str(tmp_path / "bag"), "-o", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_a_whole_bag_and_says_so(long, tmp_path, number):
    process = started(long, tmp_path / "out")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    scenes, images = check_whole(tmp_path / "out")
    assert 10 < scenes <= images < 1200
    assert f"stopped after {scenes} scenes; {tmp_path / 'out'} is a whole bag" in said
    assert not (tmp_path / "out" / "unfinished").exists()


def test_a_killed_run_leaves_its_finished_files_and_most_of_the_last(long, tmp_path):
    process = started(long, tmp_path / "out")
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    children = listed.read_text().split() if listed.exists() else []
    process.kill()
    process.communicate(timeout=60)
    for child in children:
        wait_until(lambda child=child: not Path(f"/proc/{child}").exists())  # nothing works on for nobody
    scenes, images = check_whole(tmp_path / "out")  # what metadata.yaml names, by rosbags alone
    assert scenes >= 10
    with BagReader(tmp_path / "out") as reader:  # and the file in work, up to its last block
        assert reader.topics[synthetic.COLOR].count >= images
        stamps = [m.time for m in reader.messages(["/joyai/scene"])]
    assert len(stamps) >= scenes
    assert stamps == [synthetic.stamp_of(i) for i in range(len(stamps))]
    assert run(["run", str(tmp_path / "out"), "-o", str(tmp_path / "again"), "--set", "view.rate=0"]) == 0


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))


def test_a_disk_that_takes_no_more_leaves_a_whole_bag(long, tmp_path):
    """The kernel refuses to let any file grow beyond 3 MB, in the middle of the second one or later."""
    result = subprocess.run(
        [*COMMAND, str(long), "-o", str(tmp_path / "out"), "--set", "writer.split_seconds=30", "--set", "view.rate=0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit_files,
        timeout=120,
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "cannot write the bag" in result.stderr
    assert result.stderr.count("\n") == 1
    _, images = check_whole(tmp_path / "out")
    assert images > 30
    assert "what stands there is a whole bag of" in result.stderr


def test_a_full_disk(long, tmp_path):
    """A file system of 4 MB, in a name space of its own where this machine allows one."""
    room = tmp_path / "room"
    room.mkdir()
    check = (
        "import subprocess, sys\n"
        f"done = subprocess.run({[*COMMAND, str(long), '-o', str(room / 'out'), *SHORT_FILES]!r}, cwd={str(ROOT)!r})\n"
        "from tests.cli.test_run import check_whole\n"
        "from pathlib import Path\n"
        f"print('code', done.returncode, 'scenes', *check_whole(Path({str(room / 'out')!r})))\n"
    )
    inside = f'mount -t tmpfs -o size=4m tmpfs "{room}" && exec "{sys.executable}" -c "$0"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        possible = subprocess.run([*unshare, inside.partition(" && ")[0]], capture_output=True, timeout=20)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if possible.returncode != 0:
        pytest.skip(f"no name space for a small disk here: {possible.stderr.decode().strip()}")
    result = subprocess.run([*unshare, inside, check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "No space left on device" in result.stderr, result
    assert "Traceback" not in result.stderr
    words = result.stdout.split()
    assert words[:3] == ["code", "1", "scenes"]
    assert int(words[3]) > 0
