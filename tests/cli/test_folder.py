import pytest

from joyai_ros.cli.folder import replaced_folder
from joyai_ros.errors import InputError, OutputError

MARKER = "report.json"


def fill(folder, text):
    with replaced_folder(folder, MARKER) as work:
        (work / MARKER).write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_result_appears_and_replaces_the_one_before(tmp_path):
    fill(tmp_path / "deep" / "out", "first")
    (tmp_path / "deep" / "out" / "extra").touch()
    fill(tmp_path / "deep" / "out", "second")
    assert names(tmp_path / "deep") == ["out"]
    assert names(tmp_path / "deep" / "out") == [MARKER]
    assert (tmp_path / "deep" / "out" / MARKER).read_text() == "second"


def test_an_empty_folder_may_be_used(tmp_path):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", "first")
    assert (tmp_path / "out" / MARKER).read_text() == "first"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_after_an_error_the_earlier_result_stands(tmp_path, error):
    fill(tmp_path / "out", "first")
    expected = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), replaced_folder(tmp_path / "out", MARKER) as work:
        (work / MARKER).write_text("second")
        raise error
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / MARKER).read_text() == "first"


def test_what_somebody_else_made_is_not_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not replaced"):
        fill(tmp_path / "out", "first")
    assert names(tmp_path / "out") == ["thesis.tex"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not replaced"):
        fill(tmp_path / "file", "first")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(InputError, match="not replaced"):
        fill(tmp_path / "link", "first")


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "half").touch()
    fill(tmp_path / "out", "first")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == [MARKER]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        fill(tmp_path / "file" / "out", "first")


def test_a_result_without_its_marker_is_refused(tmp_path):
    with pytest.raises(OutputError, match="without"), replaced_folder(tmp_path / "out", MARKER):
        pass
    assert names(tmp_path) == []
