"""Templates to pages: everything that is filled in is escaped, and a name that is missing is a mistake, not a blank."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from referralnet.console import words
from referralnet.console.json_shown import show_json

# A page of a public body that nobody wonders about in a history, and that is up wherever the console is used.
QUICK_EXIT_URL = "https://www.weather.gov/"

_templates = Environment(
    loader=PackageLoader("referralnet.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["quick_exit_url"] = QUICK_EXIT_URL
_templates.filters.update(
    plain=words.plain,
    happened=words.happened,
    language_name=words.language_name,
    local=words.local,
    within=words.within,
    phone_number=words.phone_number,
    json=show_json,
)


def render(template: str, **values: Any) -> str:
    """A template of templates/ with `values`, as HTML."""
    return _templates.get_template(template).render(values)
