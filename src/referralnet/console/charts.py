"""Charts drawn on the server: plain SVG without script or style, hidden from readers who have the table beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import leather
from markupsafe import Markup

_WIDTH, _BAR, _EDGES = 640, 34, 90
_INK, _BARS, _LINE = "#1b1b1b", "#005ea2", "#dcdee0"
_FONT = "Source Sans Pro Web, system-ui, sans-serif"


def bars(counts: Sequence[tuple[str, int]]) -> Markup:
    """Horizontal bars, the first one on top; empty where there is nothing to draw.

    The table beside it says the same, so that the picture says nothing to a screen reader.
    """
    if not any(count for _, count in counts):
        return Markup()
    _look()
    chart = leather.Chart()
    chart.add_bars([(count, name) for name, count in counts], fill_color=_BARS)
    chart.add_x_scale(0, max(count for _, count in counts))
    drawn = chart.to_svg(width=_WIDTH, height=_EDGES + _BAR * len(counts))
    fitting = re.sub(r'width="\d+" height="(\d+)"', rf'viewBox="0 0 {_WIDTH} \1"', drawn, count=1)
    return Markup(fitting.replace("<svg ", '<svg class="chart" aria-hidden="true" focusable="false" ', 1))  # noqa: S704 (names are escaped by leather)


def _look() -> None:
    """The colors and letters of our pages; leather keeps them for the whole process."""
    theme = leather.theme
    theme.background_color = "#ffffff"
    theme.margin = 0.03  # of the width
    theme.title_color = theme.label_color = theme.tick_color = theme.axis_title_color = _INK
    theme.label_font_family = theme.tick_font_family = _FONT
    theme.tick_font_size = theme.label_font_size = 15
    theme.axis_color = theme.zero_color = _LINE
