"""What a browser would send of a form of a page, as it stands there."""

from __future__ import annotations

from collections import defaultdict
from html.parser import HTMLParser

Fields = dict[str, str | list[str]]


class _Filled(HTMLParser):
    """The fields of the form that is sent to an address."""

    def __init__(self, html: str, action: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = defaultdict(list)
        self._action, self._inside, self._area = action, False, ""
        self._written = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._inside = named.get("action") == self._action
        elif self._inside and tag == "input":
            if named.get("type") not in {"checkbox", "radio"} or "checked" in named:
                self.fields[named["name"]].append(named.get("value", ""))
        elif self._inside and tag == "textarea":
            self._area, self._written = named["name"], ""

    def handle_data(self, data: str) -> None:
        self._written += data if self._area else ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area:
            self.fields[self._area].append(self._written)
            self._area = ""
        elif tag == "form":
            self._inside = False


def filled(html: str, action: str) -> Fields:
    """Every field of a form that a browser would send, by its name."""
    found = _Filled(html, action).fields
    assert found, action
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
