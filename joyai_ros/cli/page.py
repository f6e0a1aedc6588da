"""Parts of a report: one HTML document that needs no other file."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2

from joyai_ros.errors import OutputError
from joyai_ros.geometry.arrays import ColorImage

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; border-radius: 4px; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid #8884; text-align: left; }
td.number { text-align: right; }
.true { color: #1a8f4a; } .false { color: #c8321f; }
figure { margin: 1rem 0; } figcaption, .note { color: #777; font-size: .9rem; }
code { background: #8882; padding: .1rem .3rem; border-radius: 3px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: 1rem; }
.card { border: 1px solid #8884; border-radius: 6px; padding: .8rem; overflow-wrap: anywhere; } .card p { margin: .4rem 0; }
svg { max-width: 100%; height: auto; font: 13px system-ui, sans-serif; }
"""
_ROW, _LEFT, _WIDE = 24, 190, 520  # pixels of a bar chart: height of a row, place of the bars, length of the longest


@dataclass(frozen=True)
class Bar:
    """One bar, 0 to 1: its name, length, interval, and what guessing comes to (None where that is not known)."""

    name: str
    value: float
    interval: tuple[float, float]
    chance: float | None


def document(title: str, body: str) -> str:
    """Return a whole document."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
{body}
</body></html>
"""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 2) -> str:
    """Return a table of text; the columns from ``numbers_from`` on stand to the right."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    classes = ['class="number"' if index >= numbers_from else "" for index in range(len(columns))]
    body = "".join(
        "<tr>" + "".join(f"<td {c}>{html.escape(cell)}</td>" for c, cell in zip(classes, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def figure(image: ColorImage, caption: str) -> str:
    """Return an (H, W, 3) RGB picture with its caption.

    Raises:
        OutputError: it cannot be encoded.
    """
    text = html.escape(caption)
    return f"<figure>{picture(image, caption)}<figcaption>{text}</figcaption></figure>"


def picture(image: ColorImage, words: str) -> str:
    """Return an (H, W, 3) RGB picture without a caption; ``words`` stand where it cannot be seen.

    Raises:
        OutputError: it cannot be encoded.
    """
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not done:
        raise OutputError(f"the picture {words!r} cannot be encoded")
    source = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
    return f'<img src="{source}" alt="{html.escape(words)}">'


def bars(items: Sequence[Bar]) -> str:
    """Return a bar chart: values with their intervals, and a mark where guessing stands."""
    parts = [_bar(item, _ROW * number) for number, item in enumerate(items)]
    height, wide = _ROW * len(items) + 22, _LEFT + _WIDE + 90
    axis = "".join(
        f'<text x="{_LEFT + _WIDE * share:.0f}" y="{height - 4}" text-anchor="middle" fill="#888">{share:g}</text>'
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    return f'<svg viewBox="0 0 {wide} {height}" width="{wide}">{"".join(parts)}{axis}</svg>'


def _bar(item: Bar, top: int) -> str:
    middle = top + _ROW / 2
    low, high = (_LEFT + _WIDE * share for share in item.interval)
    length = max(_WIDE * item.value, 0.0)
    parts = [
        f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end" fill="currentColor">{html.escape(item.name)}</text>',
        f'<rect x="{_LEFT}" y="{top + 4}" width="{length:.1f}" height="{_ROW - 8}" fill="#3c6eb4" opacity="0.75"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="currentColor" stroke-width="1.5"/>',
        f'<text x="{_LEFT + _WIDE + 12}" y="{middle + 4}" fill="currentColor">{item.value:.3f}</text>',
    ]
    if item.chance is not None:
        at = _LEFT + _WIDE * item.chance
        parts.append(f'<path d="M{at:.1f} {top + 1}V{top + _ROW - 1}" stroke="#c8321f" stroke-width="3"/>')
    return "".join(parts)
