"""docs/questions.md says what the code does."""

from joyai_ros.reasoning.config import AskConfig, Policy
from joyai_ros.settings import describe
from joyai_ros.understanding.tasks import TASKS
from tests.docs.test_relations import DOCS, rows

PAGE = (DOCS / "questions.md").read_text()


def span(limits):
    return str(limits[0]) if limits[0] == limits[1] else f"{limits[0]} to {limits[1]}"


def test_the_table_of_tasks_is_the_table():
    table = rows(PAGE, "\n## Tasks")
    assert list(table) == list(TASKS)
    for name, (capability, objects, images, _, checked) in table.items():
        task = TASKS[name]
        assert (capability, objects, images) == (task.capability.value, span(task.objects), span(task.views))
        assert checked == ("yes" if task.check else "no")


def test_the_table_of_settings_is_the_settings():
    table = rows(PAGE, "\n## Settings")
    settings = {item.name: item for item in describe(AskConfig)}
    assert list(table) == list(settings)
    for name, (default, what, values) in table.items():
        item = settings[name]
        assert default == str(getattr(item.default, "value", item.default)).lower()
        assert what == item.description
        assert values == (f"{item.range[0]:g} to {item.range[1]:g}" if item.range else "")


def test_the_policies_are_those_of_the_code():
    names = [name.removesuffix("` (default)") for name in rows(PAGE, "\n## When they agree")]
    assert names == [policy.value for policy in Policy]
