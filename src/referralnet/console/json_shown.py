"""JSON for the eye: indented, coloured by class, and escaped like everything else."""

from __future__ import annotations

import re
from typing import Any

import orjson
from markupsafe import Markup

_TOKEN = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)'
)


def show_json(value: Any) -> Markup:
    """`value` as indented JSON, its tokens in spans of class ``json-name``, ``-text``, ``-number`` and ``-word``."""
    document = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    shown, position = [], 0
    for token in _TOKEN.finditer(document):
        shown.append(Markup.escape(document[position : token.start()]))
        shown.append(Markup('<span class="json-{}">{}</span>').format(token.lastgroup, token.group()))
        position = token.end()
    shown.append(Markup.escape(document[position:]))
    return Markup("").join(shown)
