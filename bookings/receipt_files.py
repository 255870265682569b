"""A receipt as a PDF in Noto Sans, which has Latin, Greek and Cyrillic; the letters that are used go into the file.

What it cannot write loses its accents, or is a question mark, and the page says so: better than a file of boxes.
"""

import logging
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.ttLib import TTFont
from fpdf import FPDF, XPos, YPos
from pymupdf_fonts import myfont

from bookings.receipts import Receipt

FONT = "noto"
STYLES = {"": "notos", "B": "notosbo"}  # a style of the font: what the package calls it
MARGIN_MM, ROW_MM, AMOUNT_MM = 22.0, 6.5, 40.0
MINUS = str.maketrans("−", "–")  # the font has no minus; its dash is one to the eye
NOTE = "Some letters cannot be written in this file. The receipt on the web page of the booking has them all."

logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it warns of a table of hints that it leaves out


def receipt_pdf(receipt: Receipt) -> bytes:
    """Return the file: A4, as many pages as it needs."""
    with _font_files() as files:
        paper = _Paper(receipt, files)
        paper.write()
        return bytes(paper.output())


@contextmanager
def _font_files() -> Iterator[dict[str, Path]]:
    """Lay the fonts down for as long as a file is written: the library reads fonts from files alone."""
    with TemporaryDirectory(prefix="receipt-") as folder:
        files = {style: Path(folder) / f"{name}.ttf" for style, name in STYLES.items()}
        for style, file in files.items():
            file.write_bytes(_font(style))
        yield files


@cache
def _font(style: str) -> bytes:
    return bytes(myfont(STYLES[style]))


@cache
def _letters() -> frozenset[int]:
    """Return the letters that the font has, by their code points."""
    return frozenset(TTFont(BytesIO(_font("")), lazy=True).getBestCmap())


def writable(text: str) -> str:
    """Return a text as the font can write it: as it is, or without what it does not know."""
    return "".join(_letter(letter) for letter in _composed(text))


def _composed(text: str) -> str:
    """Return a text with each letter and its accent as one."""
    return unicodedata.normalize("NFC", text).translate(MINUS)


def _letter(letter: str) -> str:
    plain = unicodedata.normalize("NFKD", letter)[0]
    return next((tried for tried in (letter, plain) if ord(tried) in _letters()), "?")


class _Paper(FPDF):
    """The sheet, written from top to bottom."""

    def __init__(self, receipt: Receipt, fonts: Mapping[str, Path]) -> None:
        super().__init__(format="A4")
        self.receipt, self.is_complete = receipt, True
        for style, file in fonts.items():
            self.add_font(FONT, style, file)
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM)
        self.set_title(receipt.title)
        self.set_author(receipt.organization)
        self.set_lang("en-GB")
        self.add_page()

    def write(self) -> None:  # type: ignore[override]
        """Write all of it."""
        receipt = self.receipt
        self._text(receipt.organization, size=18, bold=True)
        self._text(receipt.title, size=13)
        self._text(f"For {receipt.name}. Written on {receipt.day}. Times in {receipt.zone}.")
        for line in receipt.lines:
            self._gap()
            self._text(line.name, bold=True)
            self._text(line.when)
            self._rows(line.rows)
        self._gap()
        self._rows(receipt.sums)
        self._row("Total", receipt.total, bold=True)
        self._moves()
        if not self.is_complete:
            self._gap()
            self._text(NOTE, size=9)

    def _moves(self) -> None:
        self._gap()
        for move in self.receipt.moves:
            state = f" ({move.state})" if move.state else ""
            self._row(f"{move.day}: {move.what}{state}", move.amount)
        self._row("Paid in all", self.receipt.paid, bold=True)
        if self.receipt.due:
            self._row("Still to pay", self.receipt.due, bold=True)

    def _rows(self, rows: tuple[tuple[str, str], ...]) -> None:
        for what, amount in rows:
            self._row(what, amount)

    def _row(self, what: str, amount: str, *, bold: bool = False) -> None:
        """Write what on the left, over as many rows as it needs, and how much on the right of the first."""
        self._font(bold=bold)
        top, width = self.get_y(), self.epw - AMOUNT_MM
        if top + ROW_MM > self.page_break_trigger:
            self.add_page()
            top = self.get_y()
        self.set_xy(self.l_margin + width, top)
        self.cell(AMOUNT_MM, ROW_MM, self._written(amount), align="R")
        self.set_xy(self.l_margin, top)
        self.multi_cell(width, ROW_MM, self._written(what), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _text(self, text: str, *, size: float = 11, bold: bool = False) -> None:
        self._font(size=size, bold=bold)
        self.multi_cell(0, size * 0.55, self._written(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _written(self, text: str) -> str:
        written = writable(text)
        self.is_complete = self.is_complete and written == _composed(text)
        return written

    def _font(self, *, size: float = 11, bold: bool = False) -> None:
        self.set_font(FONT, style="B" if bold else "", size=size)

    def _gap(self) -> None:
        self.ln(ROW_MM / 2)
