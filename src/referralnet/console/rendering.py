"""Templates to pages: everything that is filled in is escaped, and a name that is missing is a mistake, not a blank."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from referralnet.console.json_shown import show_json
from referralnet.console.languages import LANGUAGES, catalogue
from referralnet.console.own_files import own_files
from referralnet.console.vendor import GRAPHIQL, HTMX, REACT
from referralnet.console.words import Words

# A page of a public body that nobody wonders about in a history, and that is up wherever the console is used.
QUICK_EXIT_URL = "https://www.weather.gov/"


def render(template: str, language: str, **values: Any) -> str:
    """A template of templates/ with `values`, in a language of the console, as HTML."""
    return _templates(language).get_template(template).render(values)


@lru_cache
def _templates(language: str) -> Environment:
    templates = Environment(
        loader=PackageLoader("referralnet.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # Newstyle: what is filled into a phrase is escaped like everything else.
    templates.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    templates.globals.update(
        quick_exit_url=QUICK_EXIT_URL,
        language=language,
        languages=LANGUAGES,
        static=own_files().folder,
        htmx=HTMX,
        graphiql=GRAPHIQL,
        react=REACT,
    )
    templates.filters.update(Words(language).filters(), json=show_json)
    return templates
