from pathlib import Path

import pytest

import joyai_ros
from joyai_ros import resources
from joyai_ros.errors import InputError

ROOT = Path(joyai_ros.__file__).parents[1]


def package(root):
    """Make a package folder and point the module at it."""
    root.mkdir(parents=True)
    return root


@pytest.fixture
def at(monkeypatch):
    def place(path):
        monkeypatch.setattr(resources, "_PACKAGE", package(path))

    return place


def test_this_installation_has_its_interfaces():
    assert [p.stem for p in resources.resource_files("msg", ".msg")][:2] == ["Answer", "CameraMotion"]
    assert resources.resource_dir("srv").is_dir()


def test_a_wheel(tmp_path, at):
    at(tmp_path / "site-packages" / "joyai_ros")
    files = tmp_path / "site-packages" / "joyai_ros" / "_share" / "msg"
    files.mkdir(parents=True)
    assert resources.resource_dir("msg") == files


def test_a_source_tree(tmp_path, at):
    at(tmp_path / "joyai_ros")
    for folder in ("msg", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "msg" / "SceneObject.msg").write_text("")
    assert resources.resource_dir("models") == tmp_path / "models"


@pytest.mark.parametrize("python", ["lib/python3.12/site-packages", "local/lib/python3.10/dist-packages"])
def test_an_ament_install(tmp_path, at, python):
    at(tmp_path / "install" / python / "joyai_ros")
    (tmp_path / "install" / "share" / "joyai_ros" / "msg").mkdir(parents=True)
    assert resources.resource_dir("msg") == tmp_path / "install" / "share" / "joyai_ros" / "msg"


def test_a_stranger_s_folder_in_site_packages_is_not_ours(tmp_path, at):
    at(tmp_path / "site-packages" / "joyai_ros")
    (tmp_path / "site-packages" / "config").mkdir()
    with pytest.raises(InputError, match="the config files of joyai_ros are not installed"):
        resources.resource_dir("config")
