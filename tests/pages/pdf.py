"""What is written in a PDF of ours: its letters by their codes, and the shapes that stand for them."""

import re
import zlib
from io import BytesIO

from fontTools.ttLib import TTFont

OBJECT = re.compile(rb"(\d+) 0 obj\s*(<<.*?>>)(?:\s*stream\r?\n(.*?)\r?\nendstream)?\s*endobj", re.DOTALL)
SHOWN = re.compile(rb"/(F\d) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", re.DOTALL)
ESCAPED = {b"r": b"\r", b"n": b"\n"}


class Pdf:
    """A file, taken apart as far as ours need it."""

    def __init__(self, content: bytes) -> None:
        self.objects = {int(number): (fields, stream) for number, fields, stream in OBJECT.findall(content)}
        named = next(fields for fields, _ in self.objects.values() if b"/Font <<" in fields)
        self.fonts = {name: _letters(self, int(number)) for name, number in re.findall(rb"/(F\d) (\d+) 0 R", named)}

    def stream(self, number: int) -> bytes:
        """Return an object's stream, unpacked."""
        fields, stream = self.objects[number]
        return zlib.decompress(stream) if b"/FlateDecode" in fields else stream

    def refers(self, number: int, name: bytes) -> int:
        """Return the number of the object that a field of this one names."""
        found = re.search(rb"/" + name + rb" \[?(\d+) 0 R", self.objects[number][0])
        assert found, name
        return int(found[1])

    @property
    def words(self) -> str:
        """Return all that is written, as whoever copies it gets it."""
        pages = [number for number, (fields, _) in self.objects.items() if re.search(rb"/Type /Page\b", fields)]
        return " ".join(text for page in pages for text in self._texts(self.stream(self.refers(page, b"Contents"))))

    def _texts(self, content: bytes) -> list[str]:
        texts, letters = [], dict[int, str]()
        for font, shown in SHOWN.findall(content):
            if font:
                letters = self.fonts[font]
                continue
            codes = re.sub(rb"\\(.)", lambda found: ESCAPED.get(found[1], found[1]), shown, flags=re.DOTALL)
            pairs = zip(codes[::2], codes[1::2], strict=True)
            texts.append("".join(letters[high * 256 + low] for high, low in pairs))
        return texts


def _letters(pdf: Pdf, font: int) -> dict[int, str]:
    """Return the letter of each code; the shape that is drawn for it is that letter's own, and there is one."""
    of_code = re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>", pdf.stream(pdf.refers(font, b"ToUnicode")))
    letters = {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in of_code}
    drawn = pdf.refers(font, b"DescendantFonts")
    shapes = pdf.stream(pdf.refers(drawn, b"CIDToGIDMap"))
    file = TTFont(BytesIO(pdf.stream(pdf.refers(pdf.refers(drawn, b"FontDescriptor"), b"FontFile2"))))
    for code, letter in letters.items():
        shape = int.from_bytes(shapes[code * 2 : code * 2 + 2])
        assert shape == file.getGlyphID(file.getBestCmap()[ord(letter)]) > 0, letter
    return letters
