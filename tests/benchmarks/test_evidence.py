import json
import sys

import numpy as np
import pytest

from benchmarks import evidence


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Stand in a folder of benchmark modules and run ``make evidence`` over it."""
    modules = {}
    monkeypatch.setattr(evidence, "modules", lambda: sorted(modules))
    monkeypatch.setattr(evidence.importlib, "import_module", lambda name: modules[name.rpartition(".")[2]])

    def run(*arguments, **functions):
        modules.clear()
        modules.update({name: type(name, (), {"evidence": staticmethod(f)}) for name, f in functions.items()})
        monkeypatch.setattr(sys, "argv", ["evidence", "--output", str(tmp_path / "evidence.json"), *arguments])
        evidence.main()
        return json.loads((tmp_path / "evidence.json").read_text())["lines"]

    return run


def line(figure, ok):
    return {"line": "speed", "figure": figure, "target": "at most 30 ms", "ok": ok, "command": "make evidence"}


def test_lines_are_kept_with_what_they_depend_on(bench, capsys):
    (found,) = bench(speed=lambda: [line(np.float64(12.5), np.True_)])
    assert found["figure"] == 12.5
    assert found["ok"] is True
    assert found["commit"]
    assert found["cpu"].endswith("cores")
    assert len(found["date"]) == 10
    assert "1 of 1 lines meet their target" in capsys.readouterr().out


def test_a_shortfall_and_a_failure_are_shown_and_do_not_stop_the_rest(bench, capsys):
    def broken():
        raise RuntimeError("no such data")

    found = bench(a=broken, b=lambda: [line("40 ms", False)], c=lambda: [line("9 ms [fast]", True), line("?", None)])
    assert [entry["ok"] for entry in found] == [False, False, True, None]
    assert "no such data" in found[0]["figure"]
    shown = capsys.readouterr().out
    assert "1 of 4 lines meet their target, 1 not measured" in shown
    assert "short: speed: 40 ms (target at most 30 ms)" in shown
    assert "9 ms [fast]" in shown


def test_an_incomplete_line_is_a_failure(bench):
    (found,) = bench(a=lambda: [{"line": "speed", "figure": 1}])
    assert found["ok"] is False
    assert "lacks" in found["figure"]


def test_one_module_alone_keeps_the_lines_of_the_others(bench):
    first = bench(a=lambda: [line("1 ms", True)], b=lambda: [line("2 ms", True)])
    again = bench("--only", "b", a=lambda: [line("9 ms", True)], b=lambda: [line("3 ms", True)])
    assert again[0] == first[0]
    assert again[1]["figure"] == "3 ms"
    assert [entry["figure"] for entry in bench("--only", "b", b=lambda: [line("4 ms", True)])] == ["4 ms"]


def test_an_unknown_module_is_refused(bench):
    with pytest.raises(SystemExit) as stopped:
        bench("--only", "nothing", a=list)
    assert stopped.value.code == 2


def test_modules_are_found_by_their_function(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "__file__", str(tmp_path / "evidence.py"))
    (tmp_path / "evidence.py").write_text("\ndef evidence():\n")
    (tmp_path / "speed.py").write_text("import os\n\ndef evidence():\n    return []\n")
    (tmp_path / "shared.py").write_text("def warp():\n    return None\n")
    assert evidence.modules() == ["speed"]
