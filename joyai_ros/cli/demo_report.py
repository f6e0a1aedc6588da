"""The demo's report: one HTML file that holds its pictures, and the same tables for the terminal."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import rich.box
from rich.table import Table

from joyai_ros.cli.demo_check import ObjectCheck, RelationCheck, ViewCheck
from joyai_ros.cli.demo_questions import QuestionCheck
from joyai_ros.cli.page import document, figure, table
from joyai_ros.geometry.arrays import ColorImage
from joyai_ros.scene.types import SpatialRelation


@dataclass(frozen=True)
class Picture:
    """A picture of the report: its file's name, its caption and the (H, W, 3) RGB image."""

    name: str
    caption: str
    image: ColorImage


@dataclass(frozen=True)
class Report:
    """Everything that the report shows.

    Attributes:
        seed: of the simulated scene.
        frames: perceived frames of the recording.
        seconds: median compute time of a scene.
        objects, relations: checked against the truth at the chosen frame.
        questions: about that frame, with their answers.
        asked: who was asked them beside geometry, or why nobody was.
        views: caption and comparison of each imagined view.
        drawn: the same of each view that a model drew, and how it fares against the measured surface.
        pictures: in the order in which they are shown.
        topics: (name, type, number of messages) of the bag.
    """

    seed: int
    frames: int
    seconds: float
    objects: Sequence[ObjectCheck]
    relations: Sequence[RelationCheck]
    questions: Sequence[QuestionCheck]
    asked: str
    views: Sequence[tuple[str, ViewCheck]]
    drawn: Sequence[tuple[str, ViewCheck, str]]
    pictures: Sequence[Picture]
    topics: Sequence[tuple[str, str, int]]

    def summary(self) -> dict[str, object]:
        """Return the figures as plain values, lengths in metres."""
        judged = [check.holds for check in self.relations if check.holds is not None]
        return {
            "seed": self.seed,
            "frames": self.frames,
            "scene_seconds_median": self.seconds,
            "objects": [
                {
                    "id": check.id,
                    "label": check.label,
                    "size_m": [float(v) for v in check.size],
                    "true_size_m": [float(v) for v in check.true_size],
                    "height_error_m": check.height_error,
                    "height_sigma_m": None if math.isnan(check.height_sigma) else check.height_sigma,
                    "center_error_m": check.center_error,
                    "visible": check.visible,
                }
                for check in self.objects
            ],
            "relations": {"stated": len(self.relations), "true": sum(judged), "false": len(judged) - sum(judged)},
            "questions": [asdict(check) for check in self.questions],
            "asked": self.asked,
            "views": [
                {
                    "view": name,
                    "psnr_seen_db": None if math.isnan(check.psnr_seen) else check.psnr_seen,
                    "psnr_db": check.psnr_all,
                    "seen": check.seen,
                }
                for name, check in self.views
            ],
            "drawn": [{"view": name, "psnr_db": check.psnr_all, "check": said} for name, check, said in self.drawn],
            "topics": {name: count for name, _, count in self.topics},
        }


def object_rows(checks: Iterable[ObjectCheck]) -> list[tuple[str, ...]]:
    """Return one row of text per object: number, label, sizes, errors of height and centre, visible share."""
    return [
        (
            str(number),
            check.label,
            _centimetres(check.size),
            _centimetres(check.true_size),
            f"{1000 * check.height_error:+.1f} ± {1000 * check.height_sigma:.1f}",
            f"{1000 * check.center_error:.1f}",
            f"{100 * check.visible:.0f} %",
        )
        for number, check in enumerate(checks, start=1)
    ]


OBJECT_COLUMNS = ("", "object", "measured, cm", "true, cm", "height error, mm", "centre error, mm", "visible")
QUESTION_COLUMNS = ("question", "measured", "in truth", "the model says", "measurement")
NARROW_COLUMNS = ("object", "measured, cm", "true, cm", "height, mm", "centre, mm")  # those of a row's second to sixth
DRAWN_COLUMNS = ("drawn by a model, from the measured surface on", "held against it", "everywhere")
VIEW_COLUMNS = ("", "view", "where measured", "everywhere", "measured")


def question_rows(checks: Iterable[QuestionCheck]) -> list[tuple[str, ...]]:
    """Return one row of text per question; what a model says only where one was asked."""
    rows = [(check.text, check.measured, check.true, check.said, check.verdict) for check in checks]
    asked = any(check.said for check in checks)
    return [row if asked else row[:3] for row in rows]


def view_rows(views: Iterable[tuple[str, ViewCheck]]) -> list[tuple[str, ...]]:
    """Return one row of text per imagined view."""
    return [
        (str(number), name, f"{check.psnr_seen:.1f} dB", f"{check.psnr_all:.1f} dB", f"{100 * check.seen:.0f} %")
        for number, (name, check) in enumerate(views, start=1)
    ]


def drawn_rows(views: Iterable[tuple[str, ViewCheck, str]]) -> list[tuple[str, ...]]:
    """Return one row of text per view that a model drew."""
    return [(name, said, f"{check.psnr_all:.1f} dB") for name, check, said in views]


def verdict(checks: Sequence[RelationCheck]) -> str:
    """Return one sentence on the stated relations."""
    judged = [check.holds for check in checks if check.holds is not None]
    unknown = len(checks) - len(judged)
    rest = f", {unknown} are measurements without a verdict" if unknown else ""
    return f"{len(checks)} relations stated between pairs: {sum(judged)} true, {len(judged) - sum(judged)} false{rest}."


def terminal_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table for the terminal; columns after the first are numbers."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=rich.box.SIMPLE)
    for index, column in enumerate(columns):
        shown.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    return shown


def write_html(report: Report) -> str:
    """Return the report as one self-contained HTML document."""
    pictures = "".join(figure(picture.image, picture.caption) for picture in report.pictures)
    topics = table(("topic", "type", "messages"), [(name, kind, str(count)) for name, kind, count in report.topics])
    body = f"""<h1>What a robot camera saw</h1>
<p>A simulated RGB-D camera moved around a table (scene distribution <code>tabletop-v1</code>, seed {report.seed}) and
was recorded as a ROS 2 bag. The perception read that bag, without ROS and without a neural network, and wrote what it
understood into a second one: {report.frames} scenes, {1000 * report.seconds:.0f} ms each (median). The simulator knows
the truth, so everything below is compared with it.</p>
{pictures}
<h2>Objects</h2>
{table(OBJECT_COLUMNS, object_rows(report.objects))}
<p class="note">Sizes are length × width × height of the gravity-aligned box, fused over the recording; what no frame
showed of an object is not in its box. ± is the standard deviation that the engine itself states.</p>
<h2>Relations</h2>
<p>{html.escape(verdict(report.relations))} Of a relation and its converse one is listed.</p>
<details><summary>All of them</summary>{_relations(report.relations, _names(report.objects))}</details>
<h2>Questions</h2>
{_questions(report)}
<h2>Imagined views</h2>
{table(VIEW_COLUMNS, view_rows(report.views))}
<p class="note">Drawn from the last frame and what earlier frames saw. Peak signal-to-noise ratio against what the
simulator draws from the same place, for the pixels that the camera measured and for the whole image, invented pixels
included.</p>
{table(DRAWN_COLUMNS, drawn_rows(report.drawn), numbers_from=2) if report.drawn else ""}
<h2>The bag</h2>
{topics}
<p>Open the folder <code>bag</code> in Foxglove or RViz. The folder <code>frame</code> holds one frame as files for
<code>joyai-ros scene</code> and <code>joyai-ros imagine</code>.</p>"""
    return document(f"joyai_ros demo, seed {report.seed}", body)


def _questions(report: Report) -> str:
    rows = question_rows(report.questions)
    columns = QUESTION_COLUMNS[: len(rows[0])]
    note = f'<p class="note">Measured with depth alone. {html.escape(report.asked)}</p>'
    return table(columns, rows, numbers_from=len(columns)) + note


def _centimetres(size: Iterable[float]) -> str:
    return "×".join(f"{100 * value:.1f}" for value in size)


def _names(objects: Sequence[ObjectCheck]) -> dict[str, str]:
    """Return what to call each id: its label, with the id where two have the same."""
    count = Counter(check.label for check in objects)
    return {c.id: c.label if count[c.label] == 1 else f"{c.label} ({c.id})" for c in objects}


def _relations(checks: Iterable[RelationCheck], names: Mapping[str, str]) -> str:
    words = {True: "true", False: "false", None: ""}
    rows = "".join(
        f'<tr><td>{html.escape(sentence(check.relation, names))}</td><td class="number">{measured(check.relation)}</td>'
        f'<td class="{words[check.holds]}">{words[check.holds]}</td></tr>'
        for check in checks
    )
    return f"<table><tr><th>statement</th><th>measured</th><th>in truth</th></tr>{rows}</table>"


def sentence(relation: SpatialRelation, names: Mapping[str, str]) -> str:
    """Return a relation as words, objects under their names."""
    others = " and ".join(names.get(other, other) for other in relation.objects)
    return f"{names.get(relation.subject, relation.subject)} {relation.predicate.replace('_', ' ')} {others}"


def measured(relation: SpatialRelation) -> str:
    """Return a relation's value with its standard deviation and unit, lengths in centimetres; empty without one."""
    if relation.value is None:
        return ""
    factor, unit = (100.0, "cm") if relation.unit == "m" else (1.0, relation.unit)
    spread = "" if relation.sigma is None else f" ± {factor * relation.sigma:.1f}"
    return f"{factor * relation.value:.1f}{spread} {'' if unit == '1' else unit}".rstrip()
