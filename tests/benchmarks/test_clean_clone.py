"""What is said of a command that fails on a clean clone."""

from benchmarks import clean_clone

SAID = """
FAILED tests/a.py::test_one - AssertionError: 1 - 2
FAILED tests/b.py::test_two[a b]
ERROR tests/c.py - ImportError: none
ERROR: something else
== 2 failed in 1 s ==
"""


def test_a_failed_command_names_its_tests(tmp_path, capsys):
    first, second = clean_clone._twice(f"printf '%s' '{SAID}'; exit 3", tmp_path, limit=60.0)
    for line in (first, second):
        assert not line["ok"]
        assert line["figure"].startswith("exit 3 after ")
        names = "tests/a.py::test_one, tests/b.py::test_two[a b], tests/c.py"
        assert line["figure"].endswith(f" s (2 failed in 1 s); failed: {names}")
    shown = capsys.readouterr().err
    assert "ended with 3:\ntests/a.py::test_one\n" in shown
    assert "ERROR: something else" in shown


def test_a_command_that_succeeds_says_nothing_more(tmp_path, capsys):
    [line, _] = clean_clone._twice("seq 3", tmp_path, limit=60.0)
    assert line["ok"]
    assert line["figure"].endswith(" s (3)")
    assert capsys.readouterr().err == ""
