"""A sheet of paper: how the papers look, and nothing of what they say. Made with fpdf2, in one typeface.

A letter that the typeface lacks (it has Latin, Greek and Cyrillic) is printed as a box, and the last page says what a
box is. The file says nothing of who made it: its title is a plain word, and it names no author and no program.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from fontpkg_fira_sans import ROOT as FONTS
from fpdf import FPDF, FontFace
from fpdf.enums import MethodReturnValue, TableBordersLayout, TableHeadingsDisplay
from fpdf.fonts import TTFFont

from referralnet.papers.wording import Words

BOX = "\u25af"
CELL_LETTERS_MAX = 300
INK, QUIET, RULE, SHADE = (28, 32, 38), (92, 99, 108), (205, 210, 216), (244, 246, 248)
MARGIN_MM, LABEL_MM, LINE_MM = 22, 46, 5.6
_FILES = {"": "FiraSans-Regular.ttf", "B": "FiraSans-Medium.ttf"}


class Sheet(FPDF):
    """Letter paper with a heading, pairs of label and words, lists and one kind of table."""

    def __init__(self, words: Words, printed_at: datetime, printed: str) -> None:
        """
        Args:
            words: of the language that the file is marked with.
            printed_at: aware; the file's own date.
            printed: the line at the foot that says when.
        """
        super().__init__(format="letter")
        self._words, self._printed, self._lacks_letters = words, printed, False
        for style, file in _FILES.items():
            self.add_font("paper", style, FONTS / "files" / file)
        faces = [font for font in self.fonts.values() if isinstance(font, TTFFont)]
        self._letters = frozenset.intersection(*(frozenset(face.cmap) for face in faces))
        self.set_margins(MARGIN_MM, 20, MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=22)
        self.set_lang(words.language)
        self.set_title(words.say("sheet", "title"))
        self.set_producer(words.say("sheet", "title"))
        self.set_creation_date(printed_at)
        self.c_margin = 0  # words begin where the rules begin
        self.add_page()

    def footer(self) -> None:
        """When it was printed, and which page this is."""
        self.set_y(-15)
        self._pen(size=8.5, color=QUIET)
        page = self._words.say("sheet", "page", page=self.page_no(), pages="{nb}")
        self.cell(self.epw, 5, f"{self._printed} \u00b7 {page}")

    def heading(self, text: str) -> None:
        """The title at the top."""
        self._pen("B", 19)
        self._flow(text, 8.4)
        self.ln(2)

    def section(self, text: str) -> None:
        """A heading within the page; what follows stays with it."""
        if self.will_page_break(24):
            self.add_page()
        self.ln(5)
        self._pen("B", 12.5)
        self._flow(text, 6.4)
        self.ln(1.5)

    def paragraph(self, text: str, *, quiet: bool = False) -> None:
        """Words across the page."""
        self._pen(color=QUIET if quiet else INK)
        self._flow(text)
        self.ln(1)

    def bullets(self, lines: Sequence[str]) -> None:
        """A list."""
        self._pen()
        for line in lines:
            self._beside("\u2022", [line], 5)
            self.ln(0.8)

    def fact(self, label: str, lines: Sequence[str]) -> None:
        """A label and what belongs to it, with a thin rule below."""
        self._beside(label, lines, LABEL_MM, quiet_mark=True)
        self.ln(1.6)
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.line(self.l_margin, self.y, self.l_margin + self.epw, self.y)
        self.ln(1.8)

    def table_of(self, headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
        """A table whose headings come again on each page; its last column is quieter."""
        self._pen()
        self.set_draw_color(*RULE)
        self.set_line_width(0.2)
        self.ln(2)
        with self.table(
            col_widths=tuple(widths),
            line_height=LINE_MM - 0.4,
            padding=(1.8, 3, 1.8, 0),
            text_align="LEFT",
            v_align="TOP",
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            repeat_headings=TableHeadingsDisplay.ON_TOP_OF_EVERY_PAGE,
            headings_style=FontFace(family="paper", emphasis="B", color=INK, fill_color=SHADE),
        ) as table:
            table.row([self._printable(heading) for heading in headings])
            for *cells, last in rows:
                row = table.row([self._printable(_bounded(cell)) for cell in cells])
                row.cell(self._printable(_bounded(last)), style=FontFace(color=QUIET))

    def finished(self) -> bytes:
        """The file."""
        if self._lacks_letters:
            self.ln(4)
            self.paragraph(self._words.say("sheet", "letters"), quiet=True)
        return bytes(self.output())

    def _pen(self, style: str = "", size: float = 10.5, color: tuple[int, int, int] = INK) -> None:
        self.set_font("paper", style, size)
        self.set_text_color(*color)

    def _flow(self, text: str, line_mm: float = LINE_MM) -> None:
        self.multi_cell(self.epw, line_mm, self._printable(text), align="L", new_x="LMARGIN", new_y="NEXT")

    def _beside(self, mark: str, lines: Sequence[str], width_mm: float, *, quiet_mark: bool = False) -> None:
        """A mark or a label at the left, and lines beside it, on one page where they fit on one."""
        self._pen()
        texts = [self._printable(line) for line in lines]
        if self.will_page_break(sum(self._height(text, self.epw - width_mm) for text in texts)):
            self.add_page()
        self._pen(color=QUIET if quiet_mark else INK)
        top = self.y
        self.multi_cell(width_mm - 2, LINE_MM, mark, align="L", new_x="LMARGIN", new_y="NEXT")
        page, below_mark = self.page, self.y
        self._pen()
        self.set_y(top)
        for text in texts:
            self.set_x(self.l_margin + width_mm)
            self.multi_cell(self.epw - width_mm, LINE_MM, text, align="L", new_x="LMARGIN", new_y="NEXT")
        if self.page == page:
            self.set_y(max(self.y, below_mark))

    def _height(self, text: str, width_mm: float) -> float:
        measured = self.multi_cell(width_mm, LINE_MM, text, align="L", dry_run=True, output=MethodReturnValue.HEIGHT)
        assert isinstance(measured, float)
        return measured

    def _printable(self, text: str) -> str:
        """The text with a box for each letter that cannot be printed; what has no form of its own is left out."""
        letters = []
        for letter in unicodedata.normalize("NFC", text):
            if letter == "\n" or ord(letter) in self._letters:
                letters.append(letter)
            elif unicodedata.category(letter) not in {"Cc", "Cf", "Mn"}:
                letters.append(BOX)
                self._lacks_letters = True
        return "".join(letters)


def _bounded(text: str) -> str:
    """Of a text without measure so much that its row fits on a page."""
    return text if len(text) <= CELL_LETTERS_MAX else f"{text[:CELL_LETTERS_MAX]}\u2026"
